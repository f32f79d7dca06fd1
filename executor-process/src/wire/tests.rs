//! Tests of the whole wire, and what the tests of its parts share.

#![allow(clippy::unwrap_used, reason = "what prepares a test is a test")]

use std::borrow::Cow;
use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt};

use crate::wire::{Assigned, Order, Outcome, Report, Setup};

mod attached;
mod frames;
mod hostile;
mod lanes;

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Marsaglia's xorshift of 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound
    }
}

/// Makes the socket hold so little that writes are cut.
pub(crate) fn narrow(socket: &impl AsFd) {
    setsockopt(socket, sockopt::SndBuf, &4096).expect("the buffer of a socket can be made smaller");
}

fn own(bytes: Cow<'_, [u8]>) -> Cow<'static, [u8]> {
    Cow::Owned(bytes.into_owned())
}

fn own_text(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

/// The same order, with bytes of its own.
fn owned_order(order: Order<'_>) -> Order<'static> {
    match order {
        Order::Setup(Setup { version, digest, frame_bytes_max, initializer }) => Order::Setup(Setup {
            version,
            digest,
            frame_bytes_max,
            initializer: initializer.map(|(job, argument)| (job, own(argument))),
        }),
        Order::Item(Assigned { place, job, item, items, argument, attachments, options }) => {
            Order::Item(Assigned { place, job, item, items, argument: own(argument), attachments, options })
        }
        Order::Stop(place, item) => Order::Stop(place, item),
        Order::StopAll => Order::StopAll,
        Order::Exit => Order::Exit,
    }
}

fn owned_outcome(outcome: Outcome<'_>) -> Outcome<'static> {
    match outcome {
        Outcome::Output { failed, bytes, attachments } => Outcome::Output { failed, bytes: own(bytes), attachments },
        Outcome::Panicked { message, location } => {
            Outcome::Panicked { message: own_text(message), location: location.map(own_text) }
        }
        Outcome::Error { kind, what, cause } => Outcome::Error { kind, what: own_text(what), cause: own_text(cause) },
        Outcome::RunLimit => Outcome::RunLimit,
    }
}

/// The same report, with bytes of its own.
fn owned_report(report: Report<'_>) -> Report<'static> {
    match report {
        Report::Ready { pid, version, digest, failure } => {
            Report::Ready { pid, version, digest, failure: failure.map(own_text) }
        }
        Report::Outcome { place, item, outcome } => Report::Outcome { place, item, outcome: owned_outcome(outcome) },
        Report::Done { place, outcomes, busy_ns, passed } => Report::Done { place, outcomes, busy_ns, passed },
        Report::Progress { place, item, done, total } => Report::Progress { place, item, done, total },
    }
}
