use executor_core::job;

struct Counter;

impl Counter {
    #[job]
    fn count(&self, by: u64) -> u64 {
        by
    }
}

fn main() {}
