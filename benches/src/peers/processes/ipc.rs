//! ipc-channel as it is: typed channels between two processes, with no pool around them.

use std::thread;

use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcReceiver, IpcSender};

use super::{Payload, Processes, Trips, check_pattern, median_ms, pattern};
use crate::helper::Helper;
use crate::kernel;
use crate::outcome::{Failure, Outcome};
use crate::peers::{Open, Peer};

/// One helper that adds 1 to each number, and one that sends bytes back.
pub(crate) const PEER: Peer = Peer {
    name: "ipc-channel",
    package: "ipc-channel",
    how: "raw: IpcSender and IpcReceiver to one process, sent by one thread and received by another; bytes channels",
    open: Open::Processes(|_workers| Ok(Box::new(Raw))),
};

/// Channels to a helper, which is started for each of the cases.
pub(crate) struct Raw;

/// What a helper opens the connection with: a sender for its orders, and a receiver of its answers.
type Ends<S, R> = (S, R);

/// A connection to a helper, which is started for it and ends with it.
struct Connection<S, R> {
    /// Dropped before the helper, which waits for that.
    ends: Ends<S, R>,
    _helper: Helper,
}

impl<S, R> Connection<S, R>
where
    Ends<S, R>: serde::Serialize + serde::de::DeserializeOwned,
{
    fn open(role: &str) -> Outcome<Self> {
        let (server, name) = IpcOneShotServer::<Ends<S, R>>::new()?;
        let helper = Helper::start(&[role, &name])?;
        let (_, ends) = server.accept()?;
        Ok(Self { ends, _helper: helper })
    }
}

type Numbers = Connection<IpcSender<u64>, IpcReceiver<u64>>;

type Bytes = Connection<IpcBytesSender, IpcBytesReceiver>;

impl Processes for Raw {
    fn fewer_jobs(&self) -> u64 {
        4
    }

    fn submit(&self, jobs: u64) -> Outcome<u64> {
        let connection = Numbers::open("ipc-numbers")?;
        let (orders, answers) = &connection.ends;
        let orders = orders.clone();
        let sender = thread::spawn(move || (0..jobs).try_for_each(|n| orders.send(n)));
        let mut sum = 0;
        for _ in 0..jobs {
            sum += answers.recv()?;
        }
        sender.join().map_err(|_| Failure::because("the thread that sends panicked"))??;
        Ok(sum)
    }

    fn round_trips(&self, count: u64) -> Outcome<Trips> {
        let connection = Numbers::open("ipc-numbers")?;
        let (orders, answers) = &connection.ends;
        Trips::measure(count, |n| {
            orders.send(n)?;
            Ok(answers.recv()?)
        })
    }

    /// It keeps nothing for others: a number there and back.
    fn gets(&self, count: u64) -> Outcome<Trips> {
        self.round_trips(count)
    }

    fn gets_at_once(&self, count: u64) -> Outcome<u64> {
        self.submit(count)
    }

    fn payload(&self, bytes: usize, times: usize) -> Outcome<Payload> {
        let connection = Bytes::open("ipc-bytes")?;
        let (orders, answers) = &connection.ends;
        let sent = pattern(bytes);
        let back = || {
            orders.send(&sent)?;
            answers.recv().map_err(|error| Failure::because(error.to_string()))
        };
        check_pattern(&back()?, bytes)?;
        Ok(Payload { fresh_ms: Some(median_ms(times, back)?), kept_ms: None })
    }
}

/// In the helper: answers each number, until the other side is gone.
pub(crate) fn serve_numbers(server: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (orders_tx, orders) = ipc::channel::<u64>()?;
    let (answers, answers_rx) = ipc::channel::<u64>()?;
    IpcSender::connect(server.to_owned())?.send((orders_tx, answers_rx))?;
    while let Ok(n) = orders.recv() {
        answers.send(kernel::inc(n))?;
    }
    Ok(())
}

/// In the helper: sends bytes back, until the other side is gone.
pub(crate) fn serve_bytes(server: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (orders_tx, orders) = ipc::bytes_channel()?;
    let (answers, answers_rx) = ipc::bytes_channel()?;
    IpcSender::connect(server.to_owned())?.send((orders_tx, answers_rx))?;
    while let Ok(bytes) = orders.recv() {
        answers.send(&bytes)?;
    }
    Ok(())
}
