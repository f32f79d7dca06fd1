use executor_core::job;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Unique(u64);

#[job]
fn read(unique: &Unique) -> u64 {
    unique.0
}

fn main() {}
