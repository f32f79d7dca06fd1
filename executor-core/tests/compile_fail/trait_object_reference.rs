use executor_core::job;

#[job]
fn print(item: &dyn std::fmt::Display, more: &(dyn std::fmt::Display + Send)) -> String {
    format!("{item} {more}")
}

fn main() {}
