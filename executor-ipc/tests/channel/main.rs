//! Channels between threads and between processes: each law is checked in both places.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "../channels/mod.rs"]
mod channels;

mod descriptors;
mod ends;
mod messages;
mod waiting;

use channels::{close_stdin, role, run, serve};
use executor_ipc::Duplex;

fn main() {
    if let Some((_, socket)) = role() {
        close_stdin();
        return serve(&Duplex::try_from(socket).unwrap());
    }
    run(&[messages::TESTS, ends::TESTS, descriptors::TESTS, waiting::TESTS].concat());
}
