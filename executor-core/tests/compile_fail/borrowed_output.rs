use executor_core::job;

#[job]
fn first(text: &str) -> Option<&str> {
    text.split(' ').next()
}

#[job]
fn name() -> &'static str {
    "name"
}

fn main() {}
