//! Stations: how a job reaches the law that submitted it, wherever the job runs.
//!
//! A station is an object of the law, on a table of this process, that a job calls with one number and that answers with
//! one. A job in this process calls it directly. A job in another process connects to a loopback port of this one and
//! sends the number of the station and its own:
//!
//! | bytes | from the job | bytes | from the law |
//! |---|---|---|---|
//! | 8 | the number of the station | 8 | the answer |
//! | 8 | the argument of the call | | |
//!
//! One connection is one call, served by a thread of its own, so that a call may block. Nothing has a name in the file
//! system, and nothing is left when the process ends. A station that is gone answers at once, with 0.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::helpers::{self, THREAD_PREFIX};

/// What jobs can call.
pub(crate) trait Station: Send + Sync {
    /// Answers a call. It may block.
    fn call(&self, argument: u64) -> u64;
}

/// Where a station is. It travels with jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    process: u32,
    port: u16,
    station: u64,
}

#[derive(Default)]
struct Table {
    stations: BTreeMap<u64, Arc<dyn Station>>,
    last: u64,
}

static TABLE: Mutex<Table> = Mutex::new(Table { stations: BTreeMap::new(), last: 0 });

fn table() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens a station. [`close`] takes it away again.
pub(crate) fn open(station: Arc<dyn Station>) -> Address {
    let port = port();
    let mut table = table();
    table.last += 1;
    let number = table.last;
    table.stations.insert(number, station);
    Address { process: std::process::id(), port, station: number }
}

/// Takes a station away. Calls to it that are under way go on.
pub(crate) fn close(address: Address) {
    drop(table().stations.remove(&address.station));
}

fn call_here(number: u64, argument: u64) -> u64 {
    let station = table().stations.get(&number).cloned();
    station.map_or(0, |station| station.call(argument))
}

impl Address {
    /// Calls the station, and waits for its answer.
    ///
    /// # Panics
    ///
    /// If the process of the law cannot be reached.
    pub(crate) fn call(self, argument: u64) -> u64 {
        if self.process == std::process::id() {
            return call_here(self.station, argument);
        }
        match self.call_from_afar(argument) {
            Ok(answer) => answer,
            Err(error) => panic!("the process of the law cannot be reached: {error}"),
        }
    }

    fn call_from_afar(self, argument: u64) -> io::Result<u64> {
        let mut line = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        let mut request = [0; 16];
        request[..8].copy_from_slice(&self.station.to_le_bytes());
        request[8..].copy_from_slice(&argument.to_le_bytes());
        line.write_all(&request)?;
        let mut answer = [0; 8];
        line.read_exact(&mut answer)?;
        Ok(u64::from_le_bytes(answer))
    }
}

/// The port of this process, which listens from the first call on.
fn port() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| match listen() {
        Ok(port) => port,
        Err(error) => panic!("no loopback port can be opened for the jobs of the laws: {error}"),
    })
}

fn listen() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    helpers::start("port", move || {
        for line in listener.incoming().flatten() {
            let server = thread::Builder::new().name(format!("{THREAD_PREFIX}line"));
            // Without a thread the line is dropped, and the job at its other end panics.
            let _ = server.spawn(move || serve(line));
        }
    });
    Ok(port)
}

fn serve(mut line: TcpStream) {
    /// A caller sends its whole request at once; one that does not is no job of ours.
    const PATIENCE: Duration = Duration::from_secs(10);
    let mut request = [[0; 8]; 2];
    if line.set_read_timeout(Some(PATIENCE)).is_err() || line.read_exact(request.as_flattened_mut()).is_err() {
        return;
    }
    let [station, argument] = request.map(u64::from_le_bytes);
    let answer = call_here(station, argument);
    // A job that was killed does not wait for its answer.
    let _ = line.write_all(&answer.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Doubler;

    impl Station for Doubler {
        fn call(&self, argument: u64) -> u64 {
            2 * argument
        }
    }

    #[test]
    fn a_call_from_another_process_gets_the_same_answer() {
        let address = open(Arc::new(Doubler));
        assert_eq!(address.call(4), 8);
        assert_eq!(address.call_from_afar(21).unwrap(), 42);
        close(address);
    }

    #[test]
    fn a_station_that_is_gone_answers_at_once() {
        let address = open(Arc::new(Doubler));
        close(address);
        assert_eq!(address.call(4), 0);
        assert_eq!(address.call_from_afar(4).unwrap(), 0);
    }
}
