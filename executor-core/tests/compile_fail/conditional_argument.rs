use executor_core::job;

#[job]
fn count(#[cfg(unix)] a: u8, b: u8) -> u8 {
    b
}

fn main() {}
