use executor_core::job;

#[job(retries = 3)]
fn work() {}

fn main() {}
