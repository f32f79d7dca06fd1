//! A server that keeps objects, and cheap, typed proxies by which threads and processes use them.
//!
//! ```
//! use executor_ipc::manager::{Dict, Manager, Queue};
//!
//! let manager = Manager::new()?; // a server, on a thread of this process
//! let ages: Dict<String, u32> = manager.dict()?;
//! ages.insert("Ada", &36)?;
//! assert_eq!(ages.update("Ada", |age| age.map(|age| age + 1))?, Some(37));
//!
//! let tasks: Queue<u64> = manager.queue()?;
//! tasks.put(&3)?;
//! assert_eq!(tasks.get()?, 3);
//! # Ok::<(), executor_ipc::manager::ManagerError>(())
//! ```
//!
//! # The nouns
//!
//! * A [`Server`] keeps objects. It runs on a thread of this process ([`Manager::new`]), or wherever it is sent ([`Manager::pair`]):
//!   `executor-process` has a call that starts one in a process of its own.
//! * A [`Manager`] is its handle: it makes objects, and finds those that have a name.
//! * A proxy stands for an object: [`Dict`], [`List`], [`Namespace`], [`Queue`], [`Lock`], [`Condition`], [`Semaphore`], [`Event`],
//!   [`Counter`], [`Barrier`], and those of types of your own, which [`#[service]`](macro@service) makes.
//!
//! Manager and proxies are `Clone + Send + Sync`, and arguments of jobs like any other value. In each process they have connections of their
//! own, one for each thread that calls at the same time; so a call that waits holds up no other.
//!
//! # Guarantees
//!
//! * *Every call is atomic*, and takes effect between the time when it is made and the time when it returns. Calls that read and
//!   write, such as [`Counter::fetch_add`], [`Dict::compare_exchange`], [`Dict::insert_if_absent`] or [`List::push`], do so in one.
//! * *An object lives as long as somebody can reach it*: as a proxy in any process, or on its way to one; as part of a value in a container
//!   that lives; in a service that has taken it as an argument; under a name. Objects that are only reached from one another live on, as
//!   with [`Rc`](std::rc::Rc).
//! * *A client that dies leaves nothing behind*, however it dies. Its references go. Its locks are released, and the next holder
//!   is [told](LockGuard::owner_died). Its permits go back. It leaves every line in which it waits, and takes no item along. See
//!   [`Queue`] for items that it had.
//! * *Nothing hangs*: when the server is gone, every call, also one that waits, is [`ManagerError::Disconnected`].
//! * *A panic in a method of a service* is an error for its caller, and nothing to the server.
//!
//! Time limits are kept by the server. A server that does not run does not answer.
//!
//! # Other machines
//!
//! [`Manager::listen`] has a server accept connections over TCP or at a Unix socket, and [`Manager::connect`] makes one. Both sides prove to one
//! another that they have the same [key](AuthKey).
//!
//! **The key says who may connect. It does not encrypt**: whoever can listen on the way reads everything, and whoever can change what is
//! on its way can do everything that a client can. Use it in networks that you trust, or inside a tunnel.
//!
//! ```
//! use std::net::{Ipv4Addr, SocketAddr};
//! use executor_ipc::manager::{AuthKey, Manager, Queue};
//!
//! let key = AuthKey::random();
//! let master = Manager::new()?;
//! let tasks: Queue<u64> = master.queue()?;
//! master.publish("tasks", &tasks)?;
//! let address = master.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &key)?;
//!
//! // In another program, maybe on another machine:
//! let worker = Manager::connect(address, &key)?;
//! worker.find::<Queue<u64>>("tasks")?.put(&7)?;
//! # assert_eq!(tasks.get()?, 7);
//! # Ok::<(), executor_ipc::manager::ManagerError>(())
//! ```
//!
//! The server ends with the last handle in its own machine, and cuts remote clients off then. So a program that only serves waits for what is
//! to end it, such as an [`Event`] that a client sets, where Python has `serve_forever`; and one that ends in order tells its clients so, and
//! [waits](Manager::wait_until_alone) until they have gone:
//!
//! ```
//! use std::time::Duration;
//! use executor_ipc::manager::{Address, AuthKey, Event, Manager};
//!
//! let key = AuthKey::random();
//! let manager = Manager::new()?;
//! let stop = manager.event()?;
//! manager.publish("stop", &stop)?;
//! let address = manager.listen("127.0.0.1:0".parse::<Address>()?, &key)?;
//! # let client = std::thread::spawn(move || Manager::connect(address, &key)?.find::<Event>("stop")?.set());
//! stop.wait()?;
//! manager.wait_until_alone_timeout(Duration::from_secs(60))?;
//! # client.join().unwrap()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A proxy that is sent from a client of a remote manager, wherever to, names the address. It works in processes that are
//! connected there, and its sender keeps its own until the receiver has called once; a name is the better way.
//!
//! # What travels
//!
//! Values are encoded by their client with postcard, and kept so; the server decodes none, and compares encodings. Only [`Stored`] types go
//! in. There is no code in what is sent, and the only names are those of services and methods, which the server looks up among those linked
//! into its program. What comes from a peer is checked: lengths against limits before memory is taken, how deep values nest (256 levels at
//! most), every message for what it is.
//!
//! # In async programs
//!
//! A call blocks its thread: for a round trip, or as long as it takes what it waits for. There is no other form, since each call that waits
//! has a connection and a thread of the server anyhow, and one that were dropped half way would leave its connection of no use. In an async
//! job it belongs on a thread that may block, as every blocking call does: `spawn_blocking` of tokio, `unblock` of the crate `blocking`, or
//! a job that is a plain `fn`. Many calls in one go, below, are the way to many answers at once. What is to be awaited goes through a
//! [channel](crate::pipe), whose ends have async forms.
//!
//! ```
//! use executor_ipc::manager::{Manager, ManagerError, Queue};
//!
//! async fn next(tasks: &Queue<u64>) -> Result<u64, ManagerError> {
//!     let tasks = tasks.clone();
//!     tokio::task::spawn_blocking(move || tasks.get()).await.expect("a get does not panic")
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let manager = Manager::new()?;
//! let tasks = manager.queue()?;
//! // Each waits on a thread of its own, and the runtime goes on.
//! let (one, other, put) = futures::join!(next(&tasks), next(&tasks), async { tasks.put_many(&[3, 4]) });
//! put?;
//! assert_eq!(one? + other?, 7);
//! # Ok::<(), ManagerError>(())
//! # })?;
//! # Ok::<(), ManagerError>(())
//! ```
//!
//! # What it costs
//!
//! A call is one write and one read on either side, over a socket. [`Dict::get_many`], [`Dict::insert_many`], [`List::get_many`],
//! [`Queue::put_many`] and [`Queue::get_many`] put many calls into one.

mod access;

mod builder;
mod proxies;
mod service;

mod address;
mod auth;
mod error;

mod desk;
mod objects;
mod server;

mod client;
mod depth;
mod nested;

mod door;
mod limits;
mod random;
mod stream;
mod sync;
mod wire;

pub use access::{Manager, ManagerStats, Proxy};
pub use address::{Address, ParseAddressError};
pub use auth::{AuthKey, EmptyKey};
pub use builder::ManagerBuilder;
pub use error::ManagerError;
pub use proxies::{
    Barrier, Condition, ConditionGuard, Counter, Dict, Event, List, Lock, LockGuard, Namespace, Permit, Queue,
    Semaphore, Stored,
};
pub use server::Server;
pub use service::service;

#[cfg(test)]
mod tests;

/// What the fuzz targets reach. No promise is made about it.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

/// What `#[service]` writes. No promise is made about it.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use serde;

    pub use super::client::Handle;
    pub use super::service::{Answer, Call, Failure, Service, ServiceEntry, call_method, make_object};
}
