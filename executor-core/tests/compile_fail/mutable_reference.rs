use executor_core::job;

#[job]
fn sort(items: &mut Vec<u64>) {
    items.sort();
}

fn main() {}
