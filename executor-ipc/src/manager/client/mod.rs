//! The side that calls.
//!
//! A [`Link`](link::Link) is what a process has of one server: its session, and a few connections that are used in turns. A
//! [`Handle`] is a proxy without types: a link, the number of an object, and what keeps the object alive. A call takes a connection that
//! is free, or opens one, and gives it back behind the answer; so a call that waits has a connection of its own.

mod connection;
mod handle;
mod link;
mod reply;
mod travel;
mod turn;

pub use handle::Handle;
pub(crate) use link::{Link, Reach};
pub(crate) use reply::Reply;
