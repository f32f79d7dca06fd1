//! May a job submit jobs to its own pool and wait for them? Yes, on a pool of any size: a worker that waits for a job
//! that nobody has begun runs it itself. Here each job waits for two others, on one worker.
//!
//! Run it with `cargo run --release -p examples --bin nested`; add `--no-default-features --features inline` to swap
//! the backend.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::OnceLock;

use examples::Pool;
use executor_core::{Executor, Shutdown, job};

/// A job is its arguments, and a pool is no argument. So it is a static, which `main` and the jobs both find here.
fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| examples::pool(1).expect("one worker is a valid number, and the system can start it"))
}

/// The Fibonacci numbers, as slowly as they are defined. The depth of the nesting is limited by the worker's stack.
#[job]
fn fib(n: u64) -> Result<u64, String> {
    if n < 2 {
        return Ok(n);
    }
    let left = pool().submit(fib::job(n - 1));
    let right = pool().submit(fib::job(n - 2));
    let [left, right] = [left, right].map(|half| half.result().map_err(|error| error.to_string()));
    Ok(left?? + right??)
}

fn main() -> Result<(), Box<dyn Error>> {
    let n = 16;
    println!("fib({n}) = {}", pool().submit(fib::job(n)).result()??);

    // A static is never dropped, so it is shut down by hand.
    pool().shutdown(Shutdown::Drain)?;
    println!("by {} jobs on {} worker", pool().stats().finished, pool().stats().workers);
    Ok(())
}
