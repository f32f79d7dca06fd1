//! Section 3, 20: when what a job captured and what it returned are dropped.

use executor_core::{Executor, Shutdown};

use crate::gate::Gate;
use crate::jobs::{self, DropCount};
use crate::lab::Lab;
use crate::subject::Subject;
use crate::time::eventually;
use crate::verdict::{Claim, Verdict};

/// Law 44, 233: what a job captured is dropped before its future is done.
pub fn captures_are_dropped_before_the_job_is_done<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    for _ in 0..200 {
        let drops = DropCount::new();
        let future = pool.submit(jobs::hold_witness::job(drops.witness()));
        while !future.is_done() {
            std::thread::yield_now();
        }
        assert_eq!(drops.get(), 1, "a job is done and still holds what it captured");
        drop(future);
        assert_eq!(drops.get(), 1);
    }
    Ok(())
}

/// Law 44, 288: what a panicking job captured is dropped before its future is done.
pub fn captures_of_a_panicking_job_are_dropped<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    let drops = DropCount::new();
    let future = pool.submit(jobs::lose_witness::job(drops.witness()));
    while !future.is_done() {
        std::thread::yield_now();
    }
    assert_eq!(drops.get(), 1);
    assert!(future.result().unwrap_err().is_panic());
    assert_eq!(drops.get(), 1);
    Ok(())
}

/// Law 44: what a job captured lives as long as the job runs, though its future was dropped.
pub fn captures_live_as_long_as_the_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    pool.claims(Claim::Concurrency)?;
    let drops = DropCount::new();
    let gate = Gate::new();
    drop(pool.submit(jobs::pass_witness::job(gate.pass(), drops.witness())));
    gate.wait_for(1);
    assert_eq!(drops.get(), 0);
    gate.open();
    eventually("what the job captured is dropped", || drops.get() == 1);
    Ok(())
}

/// Law 44: what a cancelled job captured is dropped when `cancel` returns, and by nobody else.
pub fn captures_of_a_cancelled_job_are_dropped_at_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    let busy = pool.occupy()?;
    let drops = DropCount::new();
    let future = pool.submit(jobs::hold_witness::job(drops.witness()));
    assert_eq!(drops.get(), 0);
    assert!(future.cancel());
    assert_eq!(drops.get(), 1);
    busy.release();
    drop(future);
    drop(pool);
    assert_eq!(drops.get(), 1);
    Ok(())
}

/// Law 44, 294: what jobs captured that a shutdown cancels is dropped when the shutdown returns.
pub fn captures_are_dropped_by_a_shutdown<S: Subject>(lab: &Lab<S>) -> Verdict {
    const JOBS: usize = 20;
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    let busy = pool.occupy()?;
    let drops = DropCount::new();
    let futures: Vec<_> = (0..JOBS).map(|_| pool.submit(jobs::hold_witness::job(drops.witness()))).collect();
    busy.open();
    pool.shutdown(Shutdown::CancelPending).unwrap();
    assert_eq!(drops.get(), JOBS);
    drop(futures);
    assert_eq!(drops.get(), JOBS);
    Ok(())
}

/// Law 44: what a job captured that was refused is dropped with the refusal, or given back.
pub fn captures_of_a_refused_job_are_dropped_or_given_back<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    pool.shutdown(Shutdown::Drain).unwrap();
    let drops = DropCount::new();
    let future = pool.submit(jobs::hold_witness::job(drops.witness()));
    assert!(future.is_done());
    assert_eq!(drops.get(), 1);
    let refused = pool.try_submit(jobs::hold_witness::job(drops.witness())).unwrap_err();
    assert_eq!(drops.get(), 1);
    drop(refused.into_job());
    assert_eq!(drops.get(), 2);
    let refused = futures::executor::block_on(pool.submit_wait(jobs::hold_witness::job(drops.witness())));
    assert!(refused.is_done());
    assert_eq!(drops.get(), 3);
    Ok(())
}

/// Law 44, 233: a value belongs to whoever takes it, and an untaken one is dropped with its future.
pub fn output_is_dropped_by_its_owner<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    let drops = DropCount::new();
    let value = pool.submit(jobs::keep_witness::job(drops.witness())).result().unwrap();
    assert_eq!(drops.get(), 0);
    drop(value);
    assert_eq!(drops.get(), 1);

    let future = pool.submit(jobs::keep_witness::job(drops.witness()));
    future.wait();
    assert_eq!(drops.get(), 1);
    drop(future);
    eventually("an untaken value is dropped", || drops.get() == 2);

    drop(pool.submit(jobs::keep_witness::job(drops.witness())));
    eventually("the value of a detached job is dropped", || drops.get() == 3);
    drop(pool);
    assert_eq!(drops.get(), 3);
    Ok(())
}

/// Law 44: a map holds no more values than it has pulled and not given out, and drops them with it.
pub fn map_drops_what_it_holds<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    let drops = DropCount::new();
    let mut pulled = 0;
    let items = std::iter::repeat_with(|| {
        pulled += 1;
        drops.witness()
    });
    let options = executor_core::MapOptions::new().window(8);
    let mut map = pool.map_with(jobs::keep_witness::job, items.take(100), options).unwrap();
    for read in 1..=10 {
        drop(map.next().unwrap().unwrap());
        assert_eq!(drops.get(), read, "a map drops a value that it was to give out");
    }
    drop(map);
    drop(pool);
    assert_eq!(drops.get(), pulled);
    Ok(())
}
