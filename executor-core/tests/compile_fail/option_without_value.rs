use executor_core::job;

#[job(name)]
fn work() {}

#[job(name = work)]
fn more_work() {}

fn main() {}
