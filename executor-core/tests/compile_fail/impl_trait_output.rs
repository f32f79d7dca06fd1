use executor_core::job;

#[job]
fn numbers(to: u64) -> impl Iterator<Item = u64> {
    0..to
}

fn main() {}
