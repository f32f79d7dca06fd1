//! How does a job tell what it finds while it still runs? It is given the sending end of a channel, which goes to a thread and
//! to a worker process alike. Here four jobs look for amicable numbers: each is the sum of the other's divisors.
//!
//! Run it with `cargo run --release -p examples --bin amicable`; add `--no-default-features --features process` to swap
//! the backend.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use executor_core::{Executor, job};
use executor_ipc::{Sender, pipe};

const JOBS: u64 = 4;
const NUMBERS_PER_JOB: u64 = 20_000;

/// Of all divisors but the number itself, of which each but the root has a partner.
fn sum_of_divisors(n: u64) -> u64 {
    let partners = |d: u64| if d * d == n || d == 1 { d } else { d + n / d };
    (1..=n.isqrt()).filter(|&d| n.is_multiple_of(d)).map(partners).sum()
}

/// Sends each pair of which the smaller number is among these, and returns how many numbers it looked at.
#[job]
fn search(first: u64, last: u64, found: Sender<(u64, u64)>) -> Result<u64, String> {
    for n in first..=last {
        let other = sum_of_divisors(n);
        if other > n && sum_of_divisors(other) == n {
            found.send(&(n, other)).map_err(|error| error.to_string())?;
        }
    }
    Ok(last - first + 1)
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(JOBS as usize)?;

    let (tx, rx) = pipe()?;
    let part = |job: u64| search::job(job * NUMBERS_PER_JOB + 1, (job + 1) * NUMBERS_PER_JOB, tx.clone());
    let futures: Vec<_> = (0..JOBS).map(|job| pool.submit(part(job))).collect();
    // The jobs have copies of their own. The stream ends when the last of those is gone, so that this one must go too.
    drop(tx);

    let mut pairs = 0;
    for pair in &rx {
        let (smaller, greater) = pair?;
        println!("{smaller} and {greater}");
        pairs += 1;
    }
    let mut numbers = 0;
    for future in futures {
        numbers += future.result()??;
    }
    println!("{pairs} pairs among {numbers} numbers");
    Ok(())
}
