//! Async jobs that need a tokio runtime.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use common::{THREADED_METHODS, named, watched};
use executor_core::{Executor, JobError, JobOptions, job};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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

/// Waits for `milliseconds` by the clock of the runtime.
#[job]
async fn sleep(milliseconds: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    milliseconds
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
    for method in THREADED_METHODS {
        let (address, server) = shouting_server(8);
        let pool = named("tokio", 2).start_method(method).build().unwrap();
        let ask_for = |number| ask::job(address, format!("question {number}"));
        let answers: Vec<_> = pool.map(ask_for, 0..8).map(|answer| answer.unwrap().unwrap()).collect();
        assert_eq!(answers, (0..8).map(|number| format!("QUESTION {number}")).collect::<Vec<_>>());
        server.join().unwrap();
    }
}

#[test]
fn a_job_waits_by_the_clock_of_the_runtime() {
    let _watched = watched();
    assert_eq!(named("tokio", 1).build().unwrap().submit(sleep::job(5)).result().unwrap(), 5);
}

#[test]
fn a_run_limit_ends_a_job_that_waits_in_the_runtime() {
    let _watched = watched();
    let pool = named("tokio", 1).build().unwrap();
    let options = JobOptions::new().run_limit(Duration::from_millis(20));
    let limited = pool.submit_with(sleep::job(u64::MAX), options).result();
    assert!(matches!(limited, Err(JobError::RunLimit { .. })), "{limited:?}");
    assert_eq!(pool.submit(sleep::job(1)).result().unwrap(), 1);
}

#[test]
fn an_initializer_that_is_async_is_inside_too() {
    let _watched = watched();
    let pool = named("tokio", 1).initializer(sleep::job(5)).build().unwrap();
    assert_eq!(pool.submit(sleep::job(1)).result().unwrap(), 1);
}
