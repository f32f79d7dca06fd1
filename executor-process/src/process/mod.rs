//! [`Process`]: one child process for one job.
//!
//! # The parts
//!
//! ```text
//!   Process ──► ProcessHandle ──► Life ◄── keeper: a thread with a Ward for each child
//!      └──► JobFuture ◄──────────────────────── Claim ┘    │ Starter, SocketLane
//!                                                          └══► the child: a worker that ends with its job
//! ```
//!
//! A child is a worker of the same kind as those of a pool, started in the same way and spoken to over the same wire. It
//! gets one setup, one job and the order to leave behind it, and exits with the code that says how the job ended.
//!
//! # The life of a child, step by step
//!
//! 1. The job is encoded on the thread that spawns it, by way of a backend that only keeps its parcel ([`intake`]).
//! 2. The same thread starts the process and waits until it is ready ([`birth`]). What fails up to here is the error of
//!    the spawn.
//! 3. The job and the order to leave wait in the lane, and the keeper takes over ([`keeper`], [`wards`], [`ward`]): it
//!    writes, reads, and learns of the end from the starter.
//! 4. When the process has ended, the lane is read to its end. Then [`Life`](life) says how it ended, which wakes those who
//!    join; and then the claim is completed, which wakes those who wait for the outcome. So whoever has the outcome finds
//!    the process ended and reaped.
//!
//! # What was feared
//!
//! * *The keeper ends by a fault of ours.* It drops its wards: each kills its child and tells that nobody knows how it
//!   ended, and its job is lost, so that nobody hangs. The next spawn has a new keeper.
//! * *The process ends between its start and the word that it is ready*: what the starter tells is kept in its order, so
//!   that an end which comes with the start is not missed.
//! * *The fork server ends with its last pool*, so that children one after another would each start a server. The keeper
//!   keeps the starter of the last child, and the server with it.
//! * *User code on the keeper*: wakers are called on a thread of their own, which begins with the first of them.

mod builder;
mod child;
mod handle;

mod birth;
mod intake;
mod life;

mod keeper;
mod ward;
mod wards;

mod current;
mod error;

pub use builder::ProcessBuilder;
pub use child::Process;
pub use current::{CurrentProcess, current_process};
pub use error::SpawnError;
pub use handle::{ProcessHandle, active_children};

pub(crate) use current::note_birth;
