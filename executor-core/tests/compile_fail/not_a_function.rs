use executor_core::job;

#[job]
struct Resize {
    width: u32,
}

trait Work {
    #[job]
    fn work();
}

fn main() {}
