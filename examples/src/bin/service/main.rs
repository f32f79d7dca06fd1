//! How does a service answer in time while its work is heavy, may crash, and may be too much? Work on the CPU goes to
//! threads, risky work to processes, where a crash costs one request. Every request has a deadline, after which its work
//! ends too; one that finds the queue full is told to come again; `SIGTERM` ends the program once all are answered.
//!
//! Run it with `cargo run --release -p examples --features service --bin service`, and ask it:
//!
//! ```text
//! curl localhost:8080/primes --json '{"below": 1000000, "deadline_ms": 500}'
//! curl localhost:8080/glob --json '{"pattern": "*.tar.*", "text": "executor.tar.gz"}'
//! curl localhost:8080/stats
//! ```
//!
//! A supervisor must send its signal to this process alone, as systemd does with `KillMode=mixed`: a worker that gets it
//! too ends at once.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of the command line prints")]

mod answer;
mod jobs;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use std::{env, io};

use axum::Router;
use axum::routing::{get, post};
use executor_core::{Executor, Shutdown};
use executor_process::ProcessExecutor;
use executor_thread::ThreadExecutor;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::select;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::sleep;

/// How many jobs run at once in each pool, and how many more may wait there.
const WORKERS: usize = 2;
const QUEUE: usize = 8;

/// How long requests may go on after `SIGTERM`, and then what is left of their jobs: a client that never comes to the end of
/// its request does not keep the program.
const REQUESTS_END: Duration = Duration::from_secs(30);
const JOBS_END: Duration = Duration::from_secs(5);

struct Pools {
    threads: ThreadExecutor,
    processes: ProcessExecutor,
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| String::from("127.0.0.1:8080"));
    let pools = Arc::new(Pools {
        threads: ThreadExecutor::builder().workers(WORKERS).queue_capacity(QUEUE).build()?,
        processes: ProcessExecutor::builder().workers(WORKERS).queue_capacity(QUEUE).name("risky").build()?,
    });
    Runtime::new()?.block_on(serve(&address, Arc::clone(&pools)))?;
    // What is left now are jobs that nobody waits for. Off the runtime, because this waits for their end.
    pools.threads.shutdown_timeout(Shutdown::Kill, JOBS_END)?;
    pools.processes.shutdown_timeout(Shutdown::Kill, JOBS_END)?;
    println!("stopped");
    Ok(())
}

/// Serves until `SIGTERM` or Ctrl-C, and then until every request that is under way is answered.
async fn serve(address: &str, pools: Arc<Pools>) -> io::Result<()> {
    let routes = Router::new()
        .route("/primes", post(answer::primes))
        .route("/glob", post(answer::glob))
        .route("/stats", get(answer::stats))
        .with_state(pools);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let stopping = Arc::new(Notify::new());
    let told = Arc::clone(&stopping);
    let stop = async move {
        select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        told.notify_one();
    };
    let overdue = async {
        stopping.notified().await;
        sleep(REQUESTS_END).await;
        eprintln!("service: some requests were not over {REQUESTS_END:?} after the signal");
    };
    select! {
        served = axum::serve(listener, routes).with_graceful_shutdown(stop).into_future() => served?,
        () = overdue => {}
    }
    Ok(())
}
