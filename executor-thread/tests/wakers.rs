//! Wakers of tasks that do not wait any more are let go of.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use common::{pool, watched};
use executor_core::{Executor, current, job};
use executor_testkit::{Gate, Pass};
use executor_thread::ThreadExecutor;

/// A task of an async runtime, as far as a waker sees it.
struct Nothing;

impl Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

#[job]
fn echo(n: u64) -> u64 {
    n
}

#[job]
fn pass(gate: Pass) {
    gate.go();
}

/// How many of 1000 tasks are still known after each has polled once what `wait` makes, and has dropped it.
fn kept<F: Future>(wait: impl Fn() -> F) -> usize {
    let tasks: Vec<_> = (0..1000).map(|_| Arc::new(Nothing)).collect();
    for task in &tasks {
        let waker = Waker::from(Arc::clone(task));
        assert!(pin!(wait()).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    tasks.iter().filter(|task| Arc::strong_count(task) > 1).count()
}

#[test]
fn a_submitter_that_gives_up_is_let_go_of() {
    let _watched = watched();
    let pool = ThreadExecutor::builder().workers(1).queue_capacity(1).build().unwrap();
    let gate = Gate::new();
    let running = pool.submit(pass::job(gate.pass()));
    gate.wait_for(1);
    let queued = pool.submit(echo::job(1));
    assert_eq!(kept(|| pool.submit_wait(echo::job(2))), 0);
    gate.open();
    running.result().unwrap();
    assert_eq!(queued.result().unwrap(), 1);
}

#[test]
fn a_wait_for_a_stop_that_is_given_up_is_let_go_of() {
    let _watched = watched();
    let kept = pool(1).spawn(|| kept(|| current().stopped()));
    assert_eq!(kept.result().unwrap(), 0);
}
