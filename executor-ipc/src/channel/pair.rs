//! [`pipe`] and [`duplex`]: new channels.

use std::io;

use super::duplex::Duplex;
use super::endpoint::Endpoint;
use super::receiver::Receiver;
use super::sender::Sender;

/// How long a message may be, in bytes, where nothing else is said: 1 GiB, since the whole of it is in memory on both
/// sides.
pub const MESSAGE_BYTES_MAX: u64 = 1 << 30;

/// A channel that goes one way.
///
/// It has room for some 200 KiB of messages, counting each as 0.8 KiB at least and a long one as 64 KiB at most; a send
/// waits while there is none. Each message is received once, by one of those who have a [`Receiver`]. Messages of one
/// sender arrive in the order in which they were sent.
///
/// # Errors
///
/// Those of the system, when descriptors have run out. The channel takes two.
///
/// # Examples
///
/// ```
/// use executor_ipc::{RecvError, pipe};
///
/// let (tx, rx) = pipe::<(u32, String)>()?;
/// std::thread::spawn(move || {
///     tx.send(&(1, "one".to_owned()))?;
///     tx.send(&(2, "two".to_owned()))
/// });
/// assert_eq!(rx.recv()?, (1, "one".to_owned()));
/// assert_eq!(rx.recv()?, (2, "two".to_owned()));
/// // The thread has ended, and with it the only sender.
/// assert!(matches!(rx.recv(), Err(RecvError::Disconnected)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn pipe<T>() -> io::Result<(Sender<T>, Receiver<T>)> {
    let (ours, theirs) = Endpoint::pair()?;
    Ok((Sender::of(ours), Receiver::of(theirs)))
}

/// A channel that goes both ways: one end sends `A` and receives `B`, the other sends `B` and receives `A`.
///
/// Each way has room of its own, as that of a [`pipe`] has. Two sides that both send more than that and do not receive
/// wait for each other for ever.
///
/// # Errors
///
/// Those of the system, when descriptors have run out. The channel takes two.
///
/// # Examples
///
/// ```
/// use executor_ipc::duplex;
///
/// let (asks, answers) = duplex::<u64, String>()?;
/// std::thread::spawn(move || {
///     while let Ok(number) = answers.recv() {
///         answers.send(&format!("{number} squared is {}", number * number))?;
///     }
///     Ok::<(), executor_ipc::SendError>(())
/// });
/// asks.send(&12)?;
/// assert_eq!(asks.recv()?, "12 squared is 144");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn duplex<A, B>() -> io::Result<(Duplex<A, B>, Duplex<B, A>)> {
    let (ours, theirs) = Endpoint::pair()?;
    Ok((Duplex::of(ours), Duplex::of(theirs)))
}
