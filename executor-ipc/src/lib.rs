#![cfg_attr(docsrs, feature(doc_cfg))]
//! What processes share, and threads just so:
//!
//! * [`Blob`]: immutable bytes that cross from one process to another without a copy on either side;
//! * [`pipe`] and [`duplex`]: channels, typed messages between threads and processes alike;
//! * [`sync`]: locks, which are free again when their holder dies, and what else threads wait for one another with;
//! * [`Queue`]: first in, first out, between any number of producers and consumers, whichever of them is killed;
//! * [`SharedValue`], [`SharedArray`], [`SharedBytes`]: plain data and atomics in memory that several processes write to;
//! * [`manager`]: a server that keeps objects for all, also for other machines.
//!
//! ```
//! use executor_ipc::Blob;
//!
//! let picture = Blob::with_len(8 << 20, |bytes| bytes.fill(0xff)); // filled where it stays
//! let stripe = picture.slice(0..1 << 20); // no copy
//! assert_eq!(stripe[9], 0xff);
//! ```
//!
//! ```
//! use executor_ipc::{SharedArray, sync::Mutex};
//!
//! let tally = Mutex::new([0_u64; 2])?; // to be cloned for threads, or sent to other processes
//! tally.lock().unwrap()[0] += 1;
//! let samples = SharedArray::<f32>::new(1_000_000)?; // zeros
//! samples.slice(..1000).lock().unwrap().fill(0.5);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! All of them are arguments and outputs of jobs like any other. Between threads they are shared as an [`Arc`](std::sync::Arc)
//! is. On their way to a worker process or back they leave their bytes where they are: what travels are descriptors, beside
//! the encoded job or output.
//!
//! ```
//! use executor_ipc::{Blob, pipe, wait_any};
//!
//! let (tx, rx) = pipe::<(u32, Blob)>()?;
//! std::thread::spawn(move || tx.send(&(1, Blob::from(*b"hello"))));
//! wait_any(&[&rx])?; // or any other receivers, sockets and processes
//! assert_eq!(rx.recv()?.1[..], *b"hello");
//! assert!(rx.recv().is_err()); // the only sender is gone
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The ends of a channel, [`Sender`], [`Receiver`] and [`Duplex`], are cloned to other threads, and go to other processes
//! as arguments and outputs of jobs or in messages of other channels, so that what is written with them runs on threads
//! and on processes unchanged.
//!
//! A [`manager`] is a server that keeps dictionaries, lists, queues, locks and objects of your own types, for threads, for processes and,
//! by an address and a key, for other machines; each is used through a typed proxy.
//!
//! # How Blobs work
//!
//! * An *arena* is memory without a name (a `memfd`), mapped for writing by the process that made it, and by no other: it
//!   is sealed, so that it can neither be cut, nor stretched, nor written to by whoever gets it. It is used again for the
//!   next Blob when nobody holds it any more. Fresh memory would cost about three times as much as a write to a socket.
//! * A *hold* is the write end of a pipe that nobody writes to. Whoever has the bytes of an arena has a copy of its hold.
//!   When the system says that no copy is left, nobody reads the bytes, also not one who died in the middle: holders are counted
//!   by the kernel, and not by those who may crash.
//! * A receiver keeps the mappings that it made, so that the next Blob in the same arena costs it no page faults.
//! * A *channel* is a pair of sockets that keep packets whole, and each message is one packet; one that is too long for a packet
//!   is in an arena. So any number of threads and processes share an end without a lock.
//!
//! # How what is written to works
//!
//! A lock or a shared value is in memory of its own, also a `memfd` that is sealed in its size, which everybody maps for writing. Locks
//! are the C library's robust ones: the system frees those of a thread that ends, and tells the next holder. Values are plain
//! data (`bytemuck`), for which any bytes are a value.
//!
//! # How it travels
//!
//! Descriptors cannot be written into bytes. So whoever sends a message encodes it inside [`attach::collect`], sends
//! the descriptors that this gives beside the bytes, and the other side decodes inside [`attach::supply`]. The backend
//! `executor-process` does so for every job and output.
//!
//! # Guarantees
//!
//! * *Bytes never change* while a Blob of them lives, as long as the process that filled them follows the rules of Rust.
//!   A stray write there is seen here, as it would be between threads.
//! * *What comes from outside is checked* before it is used: kind of the descriptor, seals, size, offset and length. No access
//!   faults, since the size is sealed.
//! * *Nothing is left behind.* All memory goes with the last process that holds it, however that ends.
//! * *It always works.* A Blob of small contents, of contents for which the system gives no arena, or one that is encoded
//!   where no descriptors can travel, is plain bytes. An end of a channel is a clear error there.
//! * *Messages are whole.* One is neither merged with another nor torn, and is received once, whoever is killed at whatever
//!   instant; those of one sender arrive in their order. A process that is killed takes with it what it has received, and
//!   nothing else.
//! * *The end is noticed at once.* When nobody has the other end any more, a receive and a send, also those that wait, end in an
//!   error of its own; what was sent before is received first.
//! * *Messages are bounded* in length, 1 GiB unless said otherwise, and in what is on its way: some 200 KiB, and up to four
//!   that are long. Beyond that a sender waits.
//! * *A lock or a shared value that is encoded where no descriptors can travel is an error*, as it cannot be in two places.
//! * *The death of a holder is an error* for whoever locks next, with the guard, and never a hang: see [`sync::OwnerDied`].
//!
//! # What it costs
//!
//! Constants of this crate say how many arenas and mappings a process keeps. A Blob in an arena takes up to three descriptors
//! in the process that made it, and one in each that holds it, besides one for each mapping that is kept. A lock or a shared value takes
//! one descriptor and at least one page in each process that has it.
//!
//! An end of a channel is one descriptor in each process that has it, and another one where it is awaited. A thread that
//! has received keeps 64 KiB to receive in.
//!
//! # Features
//!
//! * `async`: receives and sends that can be awaited, in any runtime. Brings `async-io` and its dependencies, and one thread,
//!   which begins with the first end that has to be awaited.
//!
//! # Platforms
//!
//! Linux 5.1 or newer, for the seal against later writes, with glibc 2.30 or newer, or musl, for locks with a time limit.

#[cfg(not(target_os = "linux"))]
compile_error!("`executor-ipc` shares memory by means of Linux, and has no other way yet");

mod blob;
mod blob_mut;
mod travel;

mod channel;
mod queue;
mod shared;
mod wait;

pub mod attach;
pub mod manager;
pub mod sync;

mod arena;
mod aside;
mod filled;
mod hold;
mod mapping;
mod pool;
mod received;

mod futex;
mod segment;

mod encode;
mod forks;

#[cfg(any(test, feature = "fuzzing"))]
mod overwritten;

/// What the fuzz targets reach. No promise is made about it.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::channel::fuzzing::packets;
    pub use crate::overwritten::objects;
    pub use crate::queue::fuzzing::queue;
}

pub use blob::{Blob, SHARED_FROM_BYTES};
pub use blob_mut::BlobMut;
pub use channel::{
    Duplex, MESSAGE_BYTES_MAX, Messages, NoChannel, Receiver, RecvError, SendError, Sender, duplex, pipe,
};
pub use pool::{ARENAS_MAX, IDLE_BYTES_MAX};
pub use queue::{GetError, JoinError, PutError, QUEUE_BYTES_MAX, Queue, TaskDoneError};
pub use received::{MAPPED_BYTES_MAX, MAPPINGS_MAX};
pub use segment::Atom;
pub use shared::{SharedArray, SharedBytes, SharedValue};
pub use wait::{wait_any, wait_any_timeout};
