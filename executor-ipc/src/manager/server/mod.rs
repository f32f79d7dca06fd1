//! The side that keeps the objects.
//!
//! ```text
//!   Server::run ─► porter: one thread, polls
//!                    │  doors      local clients hand in one end of a new connection each, and holds; so do the services that it keeps
//!                    │  listeners  remote clients connect
//!                    │  holds      end when no process has them any more
//!                    ▼
//!                  guest: a thread for each connection ─► Visit ─► Object::call
//! ```
//!
//! A thread for each connection answers a call with one read and one write, and a call that waits is in nobody's way: a client uses
//! another connection meanwhile. While it waits, the thread polls its bell and the connection, so that a client that dies stands in no line.
//!
//! # The races feared
//!
//! * *A client dies while it waits*: it leaves the line of its object, and whoever is behind it is called. It was handed nothing. See
//!   [`Visit::wait`](visit::Visit::wait).
//! * *A client dies after an item was taken for it and before it has it*: the item is on loan until the client nods, which it does when it
//!   has read the answer and before its caller sees it; otherwise the item goes back to the front of its queue.
//! * *A proxy is dropped by its sender before the receiver has its own*: a hold, the end of a socket that travels beside the bytes, refers to
//!   the object as long as any process, or message on its way, has a copy. The kernel counts, and tells the porter of the end.
//! * *A client dies with a lock*: it belongs to the session, which ends with the last connection.
//! * *A service has proxies*: they refer to their objects directly, and their calls come in as those of a client do, by a door of the services'
//!   own. The end of the clients' door is that of the server nevertheless. A service that calls itself uses up connections, and no stack. Its
//!   `Drop` may call too, so that it never runs on the porter's thread, which would have to open the door.

mod guest;
mod hall;
mod line;
mod object;
mod porter;
mod serve;
mod session;
mod value;
mod visit;

#[cfg(feature = "fuzzing")]
pub(crate) use guest::serve_bytes;
pub(crate) use hall::{Counts, Hall, Ref};
pub(crate) use line::{Line, Turns};
pub(crate) use object::Object;
pub use serve::Server;
pub(crate) use session::Hold;
pub(crate) use value::Value;
pub(crate) use visit::{Loan, Visit};
