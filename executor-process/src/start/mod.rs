//! Starting worker processes, and learning how they ended.
//!
//! A pool has one [`Starter`], and so has a single [`Process`](crate::Process). It is asked for workers, and says through
//! one descriptor that an event loop can watch what became of each: [`Event`].
//!
//! # The processes
//!
//! ```text
//! owner ──► fork server ──► worker 0, worker 1, …      ForkServer; with Fork, the server is a copy of the owner
//! owner ──► worker 0, worker 1, …                      Spawn
//! ```
//!
//! The fork server is one process with one thread, started by the first pool that needs it and shared by all pools of
//! the owner that ask for the same environment. It ends with the last of them. The server of [`StartMethod::Fork`] is
//! forked when the pool is built, while the owner has one thread, and belongs to that pool; from there on both are the
//! same.
//!
//! # The protocol of the fork server
//!
//! All sockets here are `SOCK_SEQPACKET` pairs: a message arrives whole, with its descriptors, or not at all. The one
//! between owner and worker, which carries jobs, is a stream and is made by the owner.
//!
//! 1. The owner starts the server with one end of the *control* pair as standard input (see [`entry`](crate::entry)).
//! 2. For each pool the owner makes a *client* pair, and sends one end over the control socket.
//! 3. The owner sends an [`Order`](message::Order) over the client socket: number of the order (the *ticket*),
//!    settings, and as descriptors the worker's end of the channel, ends of pipes for output if asked for, and what
//!    else the worker gets.
//! 4. The server looks whether it still has one thread, and forks. The child closes all that is the server's, asks for
//!    a `SIGKILL` at the death of its parent, looks whether the parent is still there, applies the settings
//!    ([`settle`]) and becomes the worker.
//! 5. The server opens a descriptor of the child and sends [`Started`](message::Report::Started) with it. It can do so
//!    without a race, because only it reaps the child.
//! 6. When a child ends, the server reaps it and sends [`Ended`](message::Report::Ended).
//! 7. If a step fails, [`Failed`](message::Report::Failed) says why, from the server or from the child.
//! 8. When a client socket closes, the server kills the workers of that client. When the control socket closes or the
//!    owner ends, it kills and reaps all its workers, and ends.
//!
//! The owner never waits: it sends at most [`client::OPEN_MAX`] orders ahead of the answers, keeps the others, and sends
//! more with each answer. The server never waits for an owner either; what a client does not read is kept.
//!
//! # What was feared, and why it holds
//!
//! * *A number that means another process by now.* The owner signals through descriptors only. The server signals
//!   children that it has not reaped.
//! * *The worker says `Failed` before the server has said `Started`.* Each ticket gets at most one `Started`, and then
//!   exactly one of `Failed` and `Ended`; what comes for a ticket that is over is dropped.
//! * *The server is killed.* Its workers get `SIGKILL` from the system. The owner sees the end of the connection and of
//!   the process, kills through its own descriptors whatever is left, and reports each worker as ended when it has. The
//!   next order starts a new server.
//! * *The owner is killed.* The server has a descriptor of the owner in its loop, besides the sockets, which a forked
//!   copy of the owner might hold open. If the server was killed just before, its workers are gone already.
//! * *The owner ends before the server has looked.* The marker names the owner; a server whose parent is another ends
//!   at once.
//! * *The server ends between the fork and the child's request for a signal.* The child compares its parent after the
//!   request.
//! * *The signal of a dead parent is tied to a thread*: the server has only one, which ends with it. The owner has
//!   many, so that workers of `Spawn` have a thread that watches instead.
//! * *A lock that another thread held while it forked.* There is no other thread, in server or owner: counted just
//!   before.
//! * *`SIGCHLD` is ignored* in the owner, which a new process inherits: the server sets it to the default.
//! * *Ctrl-C* goes to the whole process group. Server and workers swallow it, so that the owner decides; a program that
//!   a job executes gets the default back, and no signal is blocked there, whatever the owner has blocked.

mod client;
mod events;
mod launch;
mod link;
mod message;
mod method;
mod order;
mod server;
mod server_handle;
mod settle;
mod spawn;
mod starter;

#[cfg(test)]
#[cfg(feature = "hook")]
mod tests;

pub use method::StartMethod;

pub(crate) use events::{Event, Worker};
pub(crate) use launch::{Launch, Stream};
pub(crate) use message::Ticket;
pub(crate) use server::serve;
pub(crate) use server_handle::is_copy_of_program;
pub(crate) use settle::die;
pub(crate) use spawn::begin as begin_spawned;
pub(crate) use starter::Starter;
