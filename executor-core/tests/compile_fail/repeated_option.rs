use executor_core::job;

#[job(name = "a", name = "b")]
fn work() {}

fn main() {}
