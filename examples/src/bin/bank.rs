//! Why does sharing need a lock? Two tellers pay into one account at the same time. Without a lock one payment is lost,
//! here in every run, because a barrier makes the tellers meet at the worst moment; with a lock none is.
//!
//! Run it with `cargo run --release -p examples --bin bank`. It needs the feature `thread`: a closure that captures
//! shared memory can run on a thread and nowhere else, so `spawn` is a method of `ThreadExecutor` alone.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};

use examples::Pool;
use executor_core::JobError;

const PAYMENTS: usize = 10_000;

/// Reads, adds, writes. Each step by itself is safe, or it would not compile; what lies between them is not.
fn pay_without_lock(pool: &Pool) -> Result<i64, JobError> {
    let balance = Arc::new(AtomicI64::new(100));
    let both_have_read = Arc::new(Barrier::new(2));
    let tellers = [30, 50].map(|amount| {
        let (balance, both_have_read) = (Arc::clone(&balance), Arc::clone(&both_have_read));
        pool.spawn(move || {
            let seen = balance.load(Ordering::SeqCst);
            both_have_read.wait();
            balance.store(seen + amount, Ordering::SeqCst);
        })
    });
    for teller in tellers {
        teller.result()?;
    }
    Ok(balance.load(Ordering::SeqCst))
}

/// The lock makes one step of the three. There is no way to the balance but through it.
fn pay_with_lock(pool: &Pool) -> Result<i64, JobError> {
    let balance = Arc::new(Mutex::new(100));
    let tellers = [30, 50].map(|amount| {
        let balance = Arc::clone(&balance);
        pool.spawn(move || *balance.lock().unwrap_or_else(PoisonError::into_inner) += amount)
    });
    for teller in tellers {
        teller.result()?;
    }
    Ok(*balance.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Moves money between two accounts from both sides. One lock holds the two, so that nobody ever sees money that has
/// left one and not reached the other; two locks taken in different orders could wait for each other for ever.
fn transfer(pool: &Pool) -> Result<[i64; 2], JobError> {
    let accounts = Arc::new(Mutex::new([50_000_i64, 50_000]));
    let tellers = [(0, 1, 1), (1, 0, 2)].map(|(from, to, amount)| {
        let accounts = Arc::clone(&accounts);
        pool.spawn(move || {
            for _ in 0..PAYMENTS {
                let mut accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
                accounts[from] -= amount;
                accounts[to] += amount;
            }
        })
    });
    for teller in tellers {
        teller.result()?;
    }
    Ok(*accounts.lock().unwrap_or_else(PoisonError::into_inner))
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(2)?;

    let balance = pay_without_lock(&pool)?;
    println!("without a lock: 100 + 30 + 50 = {balance}, so {} is lost", 180 - balance);

    println!("with a lock:    100 + 30 + 50 = {}", pay_with_lock(&pool)?);

    let [first, second] = transfer(&pool)?;
    println!("after {PAYMENTS} transfers each way: {first} and {second}, together {}", first + second);
    Ok(())
}
