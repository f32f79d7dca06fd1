//! Channels: typed messages between threads and processes alike.
//!
//! # The protocol
//!
//! A channel is a pair of connected sockets of the kind `SOCK_SEQPACKET` (`unix(7)`), and a handle is one of the two. The
//! kernel keeps each packet whole: one call sends it or does not, and one call takes it or does not. So any number of
//! threads and processes use one end without a lock, and one that is killed in the middle of anything tears nothing and
//! holds nobody up. All that this code adds is that *a message is one packet*, whatever its size:
//!
//! ```text
//! whole:       0  count             │ the message in postcard
//! in an arena: 1  count  length: u64│ ballast                       and with it: … memory, hold
//! ```
//!
//! `count` tells how many descriptors go with the packet. Those of the message come first, in the order in which it
//! [attaches](crate::attach) them. A message that is too long for a packet is in an arena, as a long
//! [`Blob`](crate::Blob) is, whose two descriptors come last.
//!
//! # What was feared
//!
//! * *A sender that outruns its receivers.* The buffer of a socket bounds what is on its way, but an arena is not in it. So a
//!   packet that stands for a long message carries ballast: zeros, a sixteenth as many as the message has bytes, up to a whole
//!   packet. The kernel counts them, and no one who is killed leaves the count wrong. See
//!   [`BUFFER_BYTES`](socket::BUFFER_BYTES).
//! * *Descriptors that do not arrive.* A process that has no room for more gets a packet without some of its descriptors. As
//!   the packet tells how many there were, that is an error of this message; those that came are closed.
//! * *Messages that are none.* What another process sends is checked before it is used, and what cannot be taken in is an
//!   error of that receive. The next message is whole, since its packet is.
//! * *A reset before the last messages.* When the other end is closed with messages in it that nobody took, the system says so
//!   once (`ECONNRESET`), and before what is still to be received here. A receive asks again then.
//! * *Blocking and not.* Whether a socket blocks is a property of what all its copies share, in all processes. It is left as it
//!   is: those calls that must not block say so each time (`MSG_DONTWAIT`), and the others wait again where somebody else has
//!   changed it.

mod duplex;
mod receiver;
mod sender;

mod error;
mod pair;

mod endpoint;
mod packet;
mod socket;
mod travel;

#[cfg(feature = "async")]
mod readiness;

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

pub use self::duplex::Duplex;
pub use self::error::{NoChannel, RecvError, SendError};
pub use self::pair::{MESSAGE_BYTES_MAX, duplex, pipe};
pub use self::receiver::{Messages, Receiver};
pub use self::sender::Sender;
