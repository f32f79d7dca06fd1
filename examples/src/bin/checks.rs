//! How does a program await things of different kinds, which it learns of when it starts? Each word of the command line
//! is a check of its own type, and some hold others; all are objects of one trait, whose method is async.
//!
//! An `async fn` of a trait gives each type a future of its own, so that such a trait makes no object; `async-trait` boxes
//! the future. Where all types are known, leave it out.
//!
//! Run it with `cargo run --release -p examples --bin checks -- file:/etc/hosts 'port:[::1]:80|port:127.0.0.1:80'`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use async_trait::async_trait;
use examples::Pool;
use executor_core::{Executor, job};
use futures::executor::block_on;
use futures::future::join_all;

/// What was found, or what is wrong.
type Found = Result<String, Box<dyn Error + Send + Sync>>;

#[async_trait]
trait Check: Send + Sync {
    async fn check(&self, pool: &Pool) -> Found;
}

/// Somebody listens there.
struct Port(SocketAddr);

/// A file can be read.
struct File(PathBuf);

/// The first that holds will do; the later ones are asked only if it does not.
struct AnyOf(Vec<Box<dyn Check>>);

#[job]
fn connect(address: SocketAddr) -> Result<(), String> {
    TcpStream::connect_timeout(&address, Duration::from_secs(2)).map(drop).map_err(|error| error.to_string())
}

#[job]
fn read(path: PathBuf) -> Result<usize, String> {
    fs::read(path).map(|bytes| bytes.len()).map_err(|error| error.to_string())
}

#[async_trait]
impl Check for Port {
    async fn check(&self, pool: &Pool) -> Found {
        pool.submit(connect::job(self.0)).await??;
        Ok(format!("{} answers", self.0))
    }
}

#[async_trait]
impl Check for File {
    async fn check(&self, pool: &Pool) -> Found {
        let bytes = pool.submit(read::job(self.0.clone())).await??;
        Ok(format!("{} has {bytes} bytes", self.0.display()))
    }
}

#[async_trait]
impl Check for AnyOf {
    async fn check(&self, pool: &Pool) -> Found {
        let mut rest = self.0.iter();
        let mut found = Err("there is nothing to check".into());
        while let (Err(_), Some(check)) = (&found, rest.next()) {
            found = check.check(pool).await;
        }
        found
    }
}

fn parse(word: &str) -> Result<Box<dyn Check>, String> {
    if word.contains('|') {
        return Ok(Box::new(AnyOf(word.split('|').map(parse).collect::<Result<_, _>>()?)));
    }
    match word.split_once(':') {
        Some(("port", address)) => Ok(Box::new(Port(address.parse().map_err(|error| format!("{word}: {error}"))?))),
        Some(("file", path)) => Ok(Box::new(File(path.into()))),
        _ => Err(format!("{word} is no check: write port:ADDRESS or file:PATH, with | between alternatives")),
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let checks = words.iter().map(|word| parse(word)).collect::<Result<Vec<_>, _>>()?;
    let pool = examples::pool(4)?;
    let found = block_on(join_all(checks.iter().map(|check| check.check(&pool))));
    words.iter().zip(&found).for_each(|(word, found)| match found {
        Ok(found) => println!("ok      {word}: {found}"),
        Err(error) => println!("FAILED  {word}: {error}"),
    });
    Ok(if found.iter().all(Result::is_ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
