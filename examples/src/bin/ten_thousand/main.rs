//! How are ten thousand requests made with five hundred at once, and how long does each take? All are submitted at the
//! beginning, and the executor lets so many of them run. They go to a server of this program's own, on loopback.
//!
//! Run it with `cargo run --release -p examples --features async --bin ten_thousand`. It needs the feature `async`: on
//! threads and in processes, each request that waits for its answer would take a worker.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

mod server;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use executor_async::AsyncExecutor;
use executor_core::{Executor, Shutdown, as_completed, current, job};
use futures_util::StreamExt;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, body::Bytes, header::HOST};
use hyper_util::rt::TokioIo;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

const REQUESTS: usize = 10_000;
const AT_ONCE: usize = 500;

/// What all requests share. A connection is used by one at a time, so there are never more than `AT_ONCE`.
struct Client {
    server: SocketAddr,
    idle: Mutex<Vec<SendRequest<Empty<Bytes>>>>,
}

/// Runs once, before the first request.
#[job]
fn connect_to(server: SocketAddr) {
    current().set_worker_state(Client { server, idle: Mutex::default() });
}

/// One request, and how long it took.
#[job]
async fn get() -> Result<Duration, String> {
    let client = current().worker_state::<Client>().ok_or("there is no client")?;
    client.get().await.map_err(|error| error.to_string())
}

impl Client {
    async fn get(&self) -> Result<Duration, Box<dyn Error + Send + Sync>> {
        let begun = Instant::now();
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(self.server).await?;
                let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(driver);
                connection
            }
        };
        connection.ready().await?;
        let request = Request::get("/").header(HOST, self.server.to_string()).body(Empty::new())?;
        let response = connection.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("the server says {}", response.status()).into());
        }
        response.collect().await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(begun.elapsed())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (address, counts) = server::start(AT_ONCE)?;
    let pool = AsyncExecutor::builder().runtime(Handle::current()).async_jobs(AT_ONCE);
    let pool = pool.initializer(connect_to::job(address)).build()?;

    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} requests, {per_sec}, {eta} left")?;
    let bar = ProgressBar::new(REQUESTS as u64).with_style(style);
    let begun = Instant::now();
    let mut took = Vec::with_capacity(REQUESTS);
    let mut done = as_completed((0..REQUESTS).map(|_| pool.submit(get::job()))).into_stream();
    while let Some(request) = done.next().await {
        took.push(request.await??);
        bar.inc(1);
    }
    let seconds = begun.elapsed().as_secs_f64();
    bar.finish_and_clear();
    pool.shutdown_wait(Shutdown::Drain).await?;

    took.sort_unstable();
    println!("{:>10} {:>10} {:>10} {:>10}", "P50", "P90", "P99", "MAX");
    let at = |percent: usize| took[(REQUESTS * percent).div_ceil(100) - 1].as_secs_f64() * 1e3;
    println!("{:>7.1} ms {:>7.1} ms {:>7.1} ms {:>7.1} ms", at(50), at(90), at(99), at(100));
    println!("{} requests in {seconds:.2} s, {:.0} a second", took.len(), REQUESTS as f64 / seconds);
    println!("the server had {} of them at once, and never more", counts.most());
    Ok(())
}
