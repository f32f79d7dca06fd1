//! What goes over a connection: frames, and what is in them.
//!
//! A frame is its length, a `u64` in little endian, and so many bytes. What is in them is postcard. There is no code in
//! it and nothing that names code but the names of services and of their methods, which the server looks up among those it has.
//!
//! ```text
//!   client                                          server
//!   ──────                                          ──────
//!   Hello { version, session }               ──►
//!                                            ◄──    Welcome::Joined { … } or Welcome::Refused(why)
//!   CALL, object, arguments                  ──►
//!                                            ◄──    DONE, answer; or DONE_WITH, answer, references; or FAULT, fault
//!   RELEASE, object                          ──►    (no answer)
//!   NOD                                      ──►    (no answer: what was taken from a queue has arrived)
//!   UNHOLD, hold                             ──►    (no answer: a lock or permit that could not be given back by a call)
//! ```
//!
//! Answers come in the order of the calls, so that a client may send many before it reads the first answer.

mod fault;
mod incoming;
mod message;
mod outgoing;

pub(crate) use fault::Fault;
pub(crate) use incoming::Incoming;
pub(crate) use message::{
    Answered, CALL, DONE, DONE_WITH, FAULT, Hello, NOD, RELEASE, Refusal, Request, UNHOLD, VERSION, Welcome, WireValue,
    read_answer, read_request,
};
pub(crate) use outgoing::{begin_frame, end_frame, put_frame, put_references};

/// Bytes before those of a frame: its length.
pub(crate) const LENGTH_BYTES: usize = 8;
