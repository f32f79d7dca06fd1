//! How do many jobs write to one terminal, so that their lines do not mix? Each takes a lock for as long as it prints a
//! block. The lock has a value, as every lock here: the number of the block.
//!
//! Run it with `cargo run --release -p examples --bin printer`; add `--no-default-features --features process` to swap
//! the backend.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::thread;
use std::time::Duration;

use executor_core::{Executor, job};
use executor_ipc::sync::Mutex;

const JOBS: u32 = 4;
const BLOCKS_PER_JOB: u32 = 3;
const LINES_PER_BLOCK: u32 = 5;

/// Prints its blocks, and lets the others print between any two.
#[job]
fn print_blocks(name: u32, printed: Mutex<u32>) -> Result<(), String> {
    for _ in 0..BLOCKS_PER_JOB {
        // An error says that somebody died while it printed, so that half a block may stand there.
        let mut printed = printed.lock().map_err(|died| died.to_string())?;
        *printed += 1;
        println!("block {printed}, of job {name}:");
        for line in 1..=LINES_PER_BLOCK {
            // A slow printer. Without the lock the others would print meanwhile.
            thread::sleep(Duration::from_millis(1));
            println!("  job {name}, line {line} of {LINES_PER_BLOCK}");
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(JOBS as usize)?;

    let printed = Mutex::new(0)?;
    // A clone is the same lock, on a thread or in a worker process.
    for done in pool.map(|name| print_blocks::job(name, printed.clone()), 1..=JOBS) {
        done??;
    }

    let printed = printed.lock().map_err(|died| died.to_string())?;
    println!("{printed} blocks of {JOBS} jobs, and each in one piece");
    Ok(())
}
