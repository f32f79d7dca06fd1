//! How do programs share work that know nothing of one another but an address and a key? A master offers a queue of
//! tasks and one of results, and workers, on other terminals or other machines, connect and compute squares.
//!
//! On one terminal, and then on any number of others, each with any backend that `--no-default-features` swaps in:
//!
//! ```text
//! SQUARES_KEY=… cargo run --release -p examples --bin squares_server -- master 127.0.0.1:5000
//! SQUARES_KEY=… cargo run --release -p examples --bin squares_server -- worker 127.0.0.1:5000
//! ```
//!
//! The key says who may connect, and does not encrypt.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use executor_core::{Executor, job};
use executor_ipc::manager::{Address, AuthKey, Manager, ManagerError, Queue};

const TASKS: u64 = 100;

/// Of the environment, since everybody can read the arguments of a program.
const KEY: &str = "SQUARES_KEY";

fn master(address: Address, key: &AuthKey) -> Result<(), Box<dyn Error>> {
    let manager = examples::manager()?;
    let (tasks, results) = (manager.queue()?, manager.queue()?);
    manager.publish("tasks", &tasks)?;
    manager.publish("results", &results)?;
    tasks.put_many(&(1..=TASKS).collect::<Vec<u64>>())?;
    println!("the master listens at {}", manager.listen(address, key)?);

    // Until all tasks are done; an error if a worker has died with some of them.
    tasks.join()?;
    let mut squares: Vec<(u64, u64)> = results.get_many(TASKS as usize)?;
    squares.sort_unstable();
    for (n, square) in squares {
        println!("{n} * {n} = {square}");
    }
    // The manager ends with this program, and the workers are to hear before that no more tasks come.
    tasks.close()?;
    manager.wait_until_alone_timeout(Duration::from_secs(60))?;
    Ok(())
}

#[job]
fn square(n: u64) -> (u64, u64) {
    (n, n * n)
}

fn worker(address: Address, key: &AuthKey) -> Result<(), Box<dyn Error>> {
    let manager = Manager::connect(address, key)?;
    let tasks: Queue<u64> = manager.find("tasks")?;
    let results: Queue<(u64, u64)> = manager.find("results")?;
    let pool = examples::pool(2)?;
    let mut squares = 0;
    loop {
        let some = match tasks.get_many(10) {
            Ok(some) => some,
            Err(ManagerError::Closed) => break,
            Err(error) => return Err(error.into()),
        };
        for result in pool.map(square::job, some) {
            results.put(&result?)?;
            tasks.task_done()?;
            squares += 1;
        }
    }
    println!("the worker has computed {squares} squares");
    Ok(())
}

fn run(role: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let key = env::var(KEY).map_err(|error| format!("the key in {KEY}: {error}"))?;
    let (address, key) = (address.parse()?, AuthKey::new(key)?);
    match role {
        "master" => master(address, &key),
        "worker" => worker(address, &key),
        _ => Err(format!("`{role}` is neither `master` nor `worker`").into()),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [role, address] = &arguments[..] else {
        eprintln!("usage: {KEY}=… squares_server master|worker ADDRESS");
        return ExitCode::from(2);
    };
    let Err(error) = run(role, address) else { return ExitCode::SUCCESS };
    eprintln!("squares_server: {error}");
    ExitCode::FAILURE
}
