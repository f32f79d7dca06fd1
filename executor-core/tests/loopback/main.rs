//! The seam for backends that run jobs elsewhere, proved by a backend whose workers are elsewhere in all but name.
//!
//! The workers of a [`Loopback`](pool::Loopback) are threads of this process, but they get only what a worker in another
//! process would get: the number of a job in the table, argument bytes, run options, and pipes of bytes. The law suite
//! runs on it, and [`seam`] looks at what only such a backend can see.
//!
//! | file | what it is |
//! |---|---|
//! | `pipe`, `wire` | what passes between the pool and a worker |
//! | `worker` | the other side |
//! | `pool`, `board`, `control`, `dispatcher` | this side: submitters, what is under the lock, futures, outcomes |

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod pipe;
mod wire;
mod worker;

mod board;
mod control;
mod dispatcher;
mod pool;

mod carried;
mod conformance;
mod parcels;
mod seam;
mod shelf;
