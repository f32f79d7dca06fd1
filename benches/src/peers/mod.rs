//! Who is measured: one file per peer, each used as its own documentation advises.

#[cfg(feature = "async")]
pub(crate) mod async_jobs;
mod executors_pool;
#[cfg(feature = "forte")]
mod forte_pool;
mod inline;
#[cfg(feature = "ipc")]
pub(crate) mod ipc;
mod ours;
mod pool;
#[cfg(feature = "process")]
pub(crate) mod processes;
mod rayon_par;
mod rayon_spawn;
mod rusty;
mod smol;
mod thread_pool;
mod tokio_spawn;

use std::error::Error;
use std::sync::mpsc::Receiver;

#[cfg(feature = "async")]
pub(crate) use self::async_jobs::AsyncJobs;
#[cfg(feature = "ipc")]
pub(crate) use self::ipc::Ipc;
pub(crate) use self::pool::{Pool, Spawner};
#[cfg(feature = "process")]
pub(crate) use self::processes::Processes;
use crate::field::Field;
use crate::outcome::Outcome;
use crate::versions::Versions;

/// The name of our own pool of threads among the peers: the one that all ratios of its field are to.
pub(crate) const OURS: &str = "executor-thread";

/// One who is measured.
pub(crate) struct Peer {
    /// The name on the command line and in the tables.
    pub(crate) name: &'static str,
    /// The package whose version the head of the output tells.
    pub(crate) package: &'static str,
    /// How it is used.
    pub(crate) how: &'static str,
    /// Makes it ready.
    pub(crate) open: Open,
}

/// How a peer is made ready, with so many workers.
pub(crate) enum Open {
    /// Starts a pool of threads.
    Threads(fn(usize) -> Outcome<Box<dyn Pool>>),
    /// Prepares worker processes, which start when they are first needed.
    #[cfg(feature = "process")]
    Processes(fn(usize) -> Outcome<Box<dyn Processes>>),
    /// The same for those of Python, where the package is a module that may be missing.
    #[cfg(feature = "process")]
    Python(fn(usize) -> Outcome<Box<dyn Processes>>),
    /// Prepares two processes and what they share.
    #[cfg(feature = "ipc")]
    Ipc(fn() -> Outcome<Box<dyn Ipc>>),
    /// The same for those of Python.
    #[cfg(feature = "ipc")]
    PythonIpc(fn() -> Outcome<Box<dyn Ipc>>),
    /// Starts a runtime for async jobs.
    #[cfg(feature = "async")]
    AsyncJobs(fn(usize) -> Outcome<Box<dyn AsyncJobs>>),
}

impl Peer {
    /// The version of its package.
    ///
    /// # Errors
    ///
    /// Why it is not on this machine.
    pub(crate) fn version(&self, versions: &Versions) -> Result<String, String> {
        match self.open {
            #[cfg(feature = "process")]
            Open::Python(_) => processes::python::version_of(self.package),
            #[cfg(feature = "ipc")]
            Open::PythonIpc(_) => processes::python::version_of(self.package),
            _ => Ok(versions.of(self.package).to_owned()),
        }
    }

    /// With whom it competes.
    pub(crate) fn field(&self) -> Field {
        match self.open {
            Open::Threads(_) => Field::Threads,
            #[cfg(feature = "process")]
            Open::Processes(_) | Open::Python(_) => Field::Processes,
            #[cfg(feature = "ipc")]
            Open::Ipc(_) | Open::PythonIpc(_) => Field::Ipc,
            #[cfg(feature = "async")]
            Open::AsyncJobs(_) => Field::AsyncJobs,
        }
    }
}

/// All peers of this build, in the order of the tables.
pub(crate) const PEERS: &[Peer] = &[
    ours::PEER,
    inline::PEER,
    rayon_spawn::PEER,
    rayon_par::PEER,
    tokio_spawn::PEER,
    tokio_spawn::AWAITING,
    smol::PEER,
    #[cfg(feature = "forte")]
    forte_pool::PEER,
    executors_pool::PEER,
    rusty::PEER,
    thread_pool::PEER,
    #[cfg(feature = "process")]
    processes::ours::PEER,
    #[cfg(feature = "process")]
    processes::socketpair::PEER,
    #[cfg(feature = "process")]
    processes::mapping::PEER,
    #[cfg(feature = "process")]
    processes::fork::PEER,
    #[cfg(feature = "process")]
    processes::procspawn_pool::PEER,
    #[cfg(feature = "process")]
    processes::ipc::PEER,
    #[cfg(feature = "process")]
    processes::python::EXECUTOR,
    #[cfg(feature = "process")]
    processes::python::POOL,
    #[cfg(feature = "process")]
    processes::python::LOKY,
    #[cfg(feature = "ipc")]
    ipc::ours::PEER,
    #[cfg(feature = "ipc")]
    ipc::futex::PEER,
    #[cfg(feature = "ipc")]
    ipc::std_mutex::PEER,
    #[cfg(feature = "ipc")]
    ipc::pthread::PEER,
    #[cfg(feature = "ipc")]
    ipc::slice::PEER,
    #[cfg(feature = "ipc")]
    ipc::socketpair::PEER,
    #[cfg(feature = "ipc")]
    ipc::ipc_channel::PEER,
    #[cfg(feature = "ipc")]
    ipc::python::PEER,
    #[cfg(feature = "async")]
    async_jobs::ours::PEER,
    #[cfg(feature = "async")]
    async_jobs::tokio_tasks::TASKS,
    #[cfg(feature = "async")]
    async_jobs::tokio_tasks::SET,
    #[cfg(feature = "async")]
    async_jobs::tokio_tasks::UNORDERED,
];

/// The peers that this build leaves out, and why.
pub(crate) const ABSENT: &[(&str, &str)] = &[
    #[cfg(not(feature = "forte"))]
    ("forte", "names Rust 1.96 as its minimum; add --features forte --ignore-rust-version"),
    #[cfg(not(feature = "process"))]
    ("executor-process", "it comes with its own cases and peers; add --features process"),
    #[cfg(not(feature = "ipc"))]
    ("executor-ipc", "it comes with its own cases and peers; add --features ipc"),
    #[cfg(not(feature = "async"))]
    ("executor-async", "it comes with its own cases and peers; add --features async"),
];

/// The peer called `name`.
pub(crate) fn named(name: &str) -> Result<&'static Peer, Box<dyn Error>> {
    if let Some(peer) = PEERS.iter().find(|peer| peer.name == name) {
        return Ok(peer);
    }
    Err(match ABSENT.iter().find(|(absent, _)| *absent == name) {
        Some((_, reason)) => format!("the peer {name} is not in this build: {reason}").into(),
        None => format!("there is no peer {name}").into(),
    })
}

/// A vector that will hold a handle for each of `count` jobs without growing.
fn handles<T>(count: u64) -> Outcome<Vec<T>> {
    Ok(Vec::with_capacity(usize::try_from(count)?))
}

/// Takes `count` results from the channel into which all jobs of a peer without results put theirs.
fn gather(results: &Receiver<u64>, count: u64) -> Outcome<u64> {
    let mut sum = 0;
    for _ in 0..count {
        sum += results.recv()?;
    }
    Ok(sum)
}
