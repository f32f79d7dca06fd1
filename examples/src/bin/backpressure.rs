//! What if the source never ends, or is faster than the jobs, or the reader is slow? A map is lazy: it is never more
//! than its window ahead of the reader, so neither jobs nor results pile up.
//!
//! Run it with `cargo run --release -p examples --bin backpressure`; add `--no-default-features --features inline` to
//! swap the backend.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::cell::Cell;
use std::error::Error;

use executor_core::{Executor, MapOptions, job};

const WINDOW: usize = 8;

#[job]
fn square(n: u64) -> u64 {
    n * n
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(2)?;

    // The source counts what was pulled out of it.
    let pulled = Cell::new(0);
    let endless = (0_u64..).inspect(|_| pulled.set(pulled.get() + 1));

    let squares = pool.map_with(square::job, endless, MapOptions::new().window(WINDOW))?;
    println!("before anything is read, {} items are pulled", pulled.get());

    let mut furthest = pulled.get();
    for (read, square) in (1..).zip(squares.take(20)) {
        furthest = furthest.max(pulled.get() - read);
        println!("result {read:2} is {:3}; {} items are pulled", square?, pulled.get());
    }
    println!("the source was never more than {furthest} items ahead");
    Ok(())
}
