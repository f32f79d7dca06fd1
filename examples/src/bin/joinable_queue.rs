//! How does a producer hand work to consumers, and learn that all of it is done? Whoever has got an item from a queue says
//! `task_done`, and `join` waits until that was said for each. At the end every consumer gets a mark that tells it to stop.
//!
//! Run it with `cargo run --release -p examples --bin joinable_queue`; add `--no-default-features --features process` to
//! swap the backend.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use executor_core::{Executor, job};
use executor_ipc::Queue;

const CONSUMERS: usize = 3;
const TASKS: u64 = 100;

/// Puts the tasks into the queue, and waits until somebody has done each.
#[job]
fn produce(queue: Queue<Option<u64>>) -> Result<u64, String> {
    for n in 1..=TASKS {
        queue.put(&Some(n)).map_err(|error| error.to_string())?;
    }
    // Until all tasks are done; an error if a consumer has died with one of them.
    queue.join().map_err(|error| error.to_string())?;
    Ok(TASKS)
}

/// Does tasks until it gets the mark, and returns how many that were, and the sum of their results.
#[job]
fn consume(queue: Queue<Option<u64>>) -> Result<(u64, u64), String> {
    let (mut tasks, mut sum) = (0, 0);
    while let Some(n) = queue.get().map_err(|error| error.to_string())? {
        sum += n * n;
        tasks += 1;
        queue.task_done().map_err(|error| error.to_string())?;
    }
    Ok((tasks, sum))
}

fn main() -> Result<(), Box<dyn Error>> {
    // These jobs wait for one another, so that each needs a worker.
    let pool = examples::pool(CONSUMERS + 1)?;

    // The producer is never more than ten tasks ahead.
    let queue = Queue::bounded(10)?;
    let consumers: Vec<_> = (0..CONSUMERS).map(|_| pool.submit(consume::job(queue.clone()))).collect();
    let producer = pool.submit(produce::job(queue.clone()));
    println!("the producer has joined {} tasks", producer.result()??);

    // Nobody joins any more, so that nobody needs to say `task_done` for the marks.
    for _ in &consumers {
        queue.put(&None)?;
    }
    let (mut tasks, mut sum) = (0, 0);
    for (number, consumer) in consumers.into_iter().enumerate() {
        let (of_one, sum_of_one) = consumer.result()??;
        println!("consumer {number} has stopped at its mark, after {of_one} tasks");
        tasks += of_one;
        sum += sum_of_one;
    }
    println!("{tasks} tasks done, and the sum of the squares is {sum}");
    Ok(())
}
