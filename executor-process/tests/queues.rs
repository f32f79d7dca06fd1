//! Queues as arguments of jobs in worker processes.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use executor_core::{Executor, JobError, job};
use executor_ipc::{GetError, JoinError, Queue};
use executor_process::ProcessExecutor;

/// Puts so many numbers, from 1 on.
#[job]
fn produce(queue: Queue<u64>, count: u64) {
    (1..=count).for_each(|number| queue.put(&number).unwrap());
}

/// The sum of all numbers until the end.
#[job]
fn consume(queue: Queue<u64>) -> u64 {
    let mut sum = 0;
    loop {
        match queue.get() {
            Ok(number) => sum += number,
            Err(GetError::Closed) => return sum,
            Err(error) => panic!("{error}"),
        }
        queue.task_done().unwrap();
    }
}

/// Takes an item along.
#[job]
fn crash(queue: Queue<u64>) {
    queue.get().unwrap();
    std::process::abort();
}

#[test]
fn producers_and_consumers_are_jobs() {
    let pool = ProcessExecutor::new(4).unwrap();
    let queue = Queue::bounded(10).unwrap();
    let consumers = [(); 2].map(|()| pool.submit(consume::job(queue.clone())));
    let producers = [100, 200].map(|count| pool.submit(produce::job(queue.clone(), count)));
    producers.into_iter().for_each(|producer| producer.result().unwrap());
    queue.join().unwrap();
    queue.close();
    let sum: u64 = consumers.into_iter().map(|consumer| consumer.result().unwrap()).sum();
    assert_eq!(sum, 100 * 101 / 2 + 200 * 201 / 2);
}

#[test]
fn a_crash_takes_one_item_and_who_joins_is_told() {
    let pool = ProcessExecutor::new(1).unwrap();
    let queue = Queue::unbounded().unwrap();
    (1..=3).for_each(|number| queue.put(&number).unwrap());
    let crashed = pool.submit(crash::job(queue.clone())).result();
    assert!(matches!(crashed, Err(JobError::WorkerDied { .. })), "{crashed:?}");
    queue.close();
    assert_eq!(pool.submit(consume::job(queue.clone())).result().unwrap(), 5);
    let joined = queue.join();
    assert!(matches!(joined, Err(JoinError::ConsumerDied { items: 1 })), "{joined:?}");
    queue.join().unwrap();
}
