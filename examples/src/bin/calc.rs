//! How much faster is work on the CPU with a pool? The same numbers, one after another and on four workers.
//!
//! Run it with `cargo run --release -p examples --bin calc`; add `--no-default-features --features inline` to swap the
//! backend. Inline the two times are alike, because there is one worker.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Instant;

use executor_core::{Executor, job};

const JOBS: u64 = 8;
const STEPS: u64 = 20_000_000;

/// Scrambles a number again and again. Each step needs the one before, so that there is no short cut.
#[job]
fn calc(seed: u64, steps: u64) -> u64 {
    (0..steps).fold(seed, |x, step| (x ^ (x >> 29) ^ step).wrapping_mul(6_364_136_223_846_793_005))
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(4)?;

    let begun = Instant::now();
    // The function is still a function.
    let alone: Vec<u64> = (0..JOBS).map(|seed| calc(seed, STEPS)).collect();
    println!("one after another: {:.2} s", begun.elapsed().as_secs_f64());

    let begun = Instant::now();
    let pooled: Vec<u64> = pool.map(|seed| calc::job(seed, STEPS), 0..JOBS).collect::<Result<_, _>>()?;
    println!("on the pool, {} at a time: {:.2} s", pool.stats().workers, begun.elapsed().as_secs_f64());

    println!("the same numbers: {}", alone == pooled);
    Ok(())
}
