use executor_core::job;

#[job]
fn print(item: impl std::fmt::Display, items: Vec<Box<impl Copy>>) {
    drop((item.to_string(), items));
}

fn main() {}
