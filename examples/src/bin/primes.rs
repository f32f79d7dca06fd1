//! Which of these numbers are prime? One job, run in the three ways that cover most programs: alone, over a list in
//! the order of the list, and over a list as each is done.
//!
//! Run it with `cargo run --release -p examples --bin primes`; add `--no-default-features --features inline` to swap
//! the backend.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use executor_core::{Executor, as_completed, job};

const NUMBERS: [u64; 6] = [
    112_272_535_095_293,
    112_582_705_942_171,
    112_272_535_095_293,
    115_280_095_190_773,
    115_797_848_077_099,
    1_099_726_899_285_419,
];

/// Trial division by the odd numbers up to the square root.
#[job]
fn is_prime(n: u64) -> bool {
    n == 2 || (n > 2 && !n.is_multiple_of(2) && (3..=n.isqrt()).step_by(2).all(|divisor| !n.is_multiple_of(divisor)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(4)?;

    let future = pool.submit(is_prime::job(NUMBERS[0]));
    println!("{} is prime: {}", NUMBERS[0], future.result()?);

    println!("in the order of the list:");
    for (n, prime) in NUMBERS.iter().zip(pool.map(is_prime::job, NUMBERS)) {
        println!("  {n} is prime: {}", prime?);
    }

    println!("as each is done:");
    let futures: Vec<_> = NUMBERS.into_iter().map(|n| pool.submit(is_prime::job(n))).collect();
    for done in as_completed(futures) {
        println!("  job {}: {}", done.id(), done.result()?);
    }
    Ok(())
}
