//! Tests of the whole wire, and what the tests of its parts share.

#![allow(clippy::unwrap_used, reason = "what prepares a test is a test")]

use std::borrow::Cow;
use std::ops::Range;
use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt};

use crate::wire::{Assigned, AssignedRow, ItemOptions, Order, Outcome, Report, Setup};

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

/// The same orders one by one, with bytes of their own.
fn owned_orders(order: Order<'_>) -> Vec<Order<'static>> {
    vec![match order {
        Order::Row(row) => return assigned(row).into_iter().map(Order::Item).collect(),
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
    }]
}

/// The items of a row one by one.
fn assigned(row: AssignedRow<'_>) -> Vec<Assigned<'static>> {
    let AssignedRow { place, job, first, items, pieces, parts, options } = row;
    let options = std::iter::once(options).chain(std::iter::repeat_with(ItemOptions::default));
    let items = (first..).zip(parts).zip(options).map(|((item, part), options)| Assigned {
        place,
        job,
        item,
        items,
        argument: Cow::Owned(pieces[part.start as usize..part.end as usize].to_vec()),
        attachments: None,
        options,
    });
    items.collect()
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

/// The same reports one by one, with bytes of their own.
fn owned_reports(report: Report<'_>) -> Vec<Report<'static>> {
    vec![match report {
        Report::Ready { pid, version, digest, failure } => {
            Report::Ready { pid, version, digest, failure: failure.map(own_text) }
        }
        Report::Outputs { place, first, pieces, parts } => {
            let output = |part: &Range<u32>| Outcome::Output {
                failed: false,
                bytes: Cow::Owned(pieces[part.start as usize..part.end as usize].to_vec()),
                attachments: None,
            };
            let outcomes =
                (first..).zip(parts).map(|(item, part)| Report::Outcome { place, item, outcome: output(part) });
            return outcomes.collect();
        }
        Report::Outcome { place, item, outcome } => Report::Outcome { place, item, outcome: owned_outcome(outcome) },
        Report::Done { place, outcomes, busy_ns, passed } => Report::Done { place, outcomes, busy_ns, passed },
        Report::Progress { place, item, done, total } => Report::Progress { place, item, done, total },
    }]
}
