use executor_core::job;

#[job]
fn keep(text: &'static str) -> usize {
    text.len()
}

fn main() {}
