//! Async jobs that need a tokio runtime.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use common::{pool, watched};
use executor_core::{Executor, JobError, JobOptions, current, job};
use executor_thread::ThreadExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};

/// Sends the text to a server and gives what that answers.
#[job]
async fn ask(server: SocketAddr, text: String) -> Result<String, String> {
    let mut stream = TcpStream::connect(server).await.map_err(|error| error.to_string())?;
    stream.write_all(text.as_bytes()).await.map_err(|error| error.to_string())?;
    stream.shutdown().await.map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.map_err(|error| error.to_string())?;
    Ok(answer)
}

/// Gives the name of the thread on which a task of the runtime runs.
#[job]
async fn runtime_thread() -> Option<String> {
    tokio::spawn(async { thread::current().name().map(str::to_owned) }).await.unwrap()
}

/// Waits for `milliseconds` by the clock of the runtime.
#[job]
async fn sleep(milliseconds: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    milliseconds
}

/// Whether a function, which nobody polls, is inside of a runtime.
#[job]
fn function_is_inside() -> bool {
    Handle::try_current().is_ok()
}

/// Where a job says that it was asked to stop.
static STOPPED: Mutex<Option<Sender<()>>> = Mutex::new(None);

/// Waits for ever, beside what tells it to stop.
#[job]
async fn wait_for_stop() {
    tokio::select! {
        () = current().stopped() => {}
        () = tokio::time::sleep(Duration::MAX) => {}
    }
    STOPPED.lock().unwrap().take().unwrap().send(()).unwrap();
}

/// Answers each of `connections` with what it sent, in capitals.
fn shouting_server(connections: usize) -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        for _ in 0..connections {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            stream.write_all(text.to_uppercase().as_bytes()).unwrap();
        }
    });
    (address, server)
}

#[test]
fn async_jobs_talk_over_sockets_of_the_runtime() {
    let _watched = watched();
    let (address, server) = shouting_server(8);
    let pool = pool(2);
    let ask_for = |number| ask::job(address, format!("question {number}"));
    let answers: Vec<_> = pool.map(ask_for, 0..8).map(|answer| answer.unwrap().unwrap()).collect();
    assert_eq!(answers, (0..8).map(|number| format!("QUESTION {number}")).collect::<Vec<_>>());
    server.join().unwrap();
}

#[test]
fn a_job_waits_by_the_clock_of_the_runtime() {
    let _watched = watched();
    assert_eq!(pool(1).submit(sleep::job(5)).result().unwrap(), 5);
}

#[test]
fn a_pool_without_a_runtime_of_its_own_shares_one() {
    let _watched = watched();
    let first = pool(1).submit(runtime_thread::job()).result().unwrap();
    let second = pool(1).submit(runtime_thread::job()).result().unwrap();
    assert_eq!((first.as_deref(), second), (Some("executor-tokio"), first.clone()));
}

#[test]
fn a_pool_uses_the_runtime_that_it_was_given() {
    let _watched = watched();
    let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("given").enable_all().build().unwrap();
    let pool = ThreadExecutor::builder().workers(1).tokio(runtime.handle().clone()).build().unwrap();
    assert_eq!(pool.submit(runtime_thread::job()).result().unwrap().as_deref(), Some("given"));
    assert_eq!(pool.submit(sleep::job(5)).result().unwrap(), 5);
}

#[test]
fn an_initializer_that_is_async_is_inside_too() {
    let _watched = watched();
    let pool = ThreadExecutor::builder().workers(1).initializer(sleep::job(5)).build().unwrap();
    assert_eq!(pool.submit(sleep::job(1)).result().unwrap(), 1);
}

#[test]
fn a_function_is_inside_of_no_runtime() {
    let _watched = watched();
    let pool = pool(1);
    assert_eq!(pool.submit(sleep::job(1)).result().unwrap(), 1);
    assert!(!pool.submit(function_is_inside::job()).result().unwrap());
}

#[test]
fn a_job_awaits_another_of_its_one_worker() {
    let _watched = watched();
    let pool = pool(1);
    let inner = pool.clone();
    let outer = pool.spawn(move || inner.submit(sleep::job(3)).result().unwrap());
    assert_eq!(outer.result().unwrap(), 3);
}

#[test]
fn a_job_that_waits_in_the_runtime_is_asked_to_stop() {
    let _watched = watched();
    let pool = pool(1);
    let options = JobOptions::new().run_limit(Duration::from_millis(20));
    let (ended, end) = mpsc::channel();
    *STOPPED.lock().unwrap() = Some(ended);
    let limited = pool.submit_with(wait_for_stop::job(), options).result();
    assert!(matches!(limited, Err(JobError::RunLimit { .. })), "{limited:?}");
    end.recv().unwrap();
}
