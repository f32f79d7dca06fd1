//! Queues in shared memory.
//!
//! A queue is a ring of records, of which each is one encoded item, between two cursors: the *tail*, behind the last item that was
//! put, and the *head*, at the first that was not got. A cursor is one word and counts items and words of the ring at once.
//! There are two locks, as in the two-lock queue of Michael and Scott (1996): the *put lock* for whoever moves the tail, and the
//! *get lock* for whoever moves the head. So a producer and a consumer do not wait for one another. Whoever needs both takes
//! the put lock first, or only tries for it. User code, which encodes and decodes, runs under neither.
//!
//! The locks are robust: where a holder dies, the next one gets its lock, at once. Nothing is ever to be repaired then:
//!
//! # A put, step by step
//!
//! | | step | who dies after it leaves |
//! |---|---|---|
//! | 1 | takes the put lock | a lock that the next one gets |
//! | 2 | looks at the head, and finds room; if the ring is too short, moves to a longer one (below) | the same |
//! | 3 | writes the record behind the tail | bytes that nobody looks at, since they lie behind the tail; the next one writes over them |
//! | 4 | if a consumer may sleep, rings and wakes one | a consumer that looks for nothing, and sleeps again |
//! | 5 | **stores the tail**: both counts, in one word | the item in the queue, and its consumer awake |
//! | 6 | releases the lock | |
//!
//! # A get, step by step
//!
//! | | step | who dies after it leaves |
//! |---|---|---|
//! | 1 | takes the get lock | a lock that the next one gets |
//! | 2 | looks at the tail, and finds an item | the same |
//! | 3 | copies the record | the item in the queue |
//! | 4 | counts it as open in its slot, with its number, in one word | the item in the queue; the number says that it is not to be counted |
//! | 5 | if a producer may sleep, rings and wakes one | a producer that finds no room, and sleeps again |
//! | 6 | **stores the head** | one item less, which went with the dead; whoever joins is told |
//! | 7 | releases the lock, decodes | the same |
//!
//! Each of the stores in bold is the only one that changes what others believe, and what it says is complete before it. A
//! process that dies does so between two instructions, and those before are done.
//!
//! # Sleeping, and who must not be forgotten
//!
//! Whoever finds nothing looks for a short while. Then a consumer takes the *put* lock, registers at its bell, looks once more,
//! releases the lock and sleeps, unless the bell has rung since. A producer that waits for room does the same under the *get* lock. As
//! a put is under the put lock too, the registration comes before the put, which then rings, or after it, and sees the item. For the
//! wake-up:
//!
//! * *It comes before the store.* So no death can come between an item and its wake-up. The one that is woken too early finds the
//!   lock taken, waits for it, and looks again.
//! * *It is one for each item*, and the system wakes those first who slept first. An item may be got by somebody who never slept; then
//!   the one who was woken finds nothing, and sleeps again. One whose time is over passes it on.
//! * *A bell counts nobody.* A sleeper that was killed would be counted for ever. There is a word instead that says that somebody
//!   may sleep. Whoever rings and wakes nobody clears it: all who register later have the lock later, and set it again.
//! * *One who was woken, and dies before it gets the item*, takes the wake-up along. The next put wakes another one, which passes it on if more
//!   is left than it gets; and as there may be no next put, all sleepers look by themselves twice a second. The same goes
//!   for one that was woken and is stopped, and for those who sleep at one of the locks.
//!
//! # Rings
//!
//! The first ring has 64 KiB. Where it is too short, a producer that has both locks copies what is in it to the next one that is long
//! enough, at the same places but for the longer way around, and **stores the new size**. Who dies before that leaves the old ring, and after it the
//! new one. The memory of the other is given back to the system. A ring above 1 MiB is left when it is empty.
//!
//! # Joining
//!
//! Everything is acknowledged when the queue is empty and no slot has an open item: see [`Consumer`](consumer::Consumer). Whoever joins looks at
//! that under the get lock, without which no count grows. The counts shrink without a lock: who brings the last of its own to 0
//! then looks whether somebody joins, and who joins first says so and then looks at the counts, in one order of all.
//!
//! # What is read is checked
//!
//! The cursors and heads of records are numbers in memory that other processes write to. The two cursors must have between them what
//! fits the ring, a record must lie within it, and its head has its length twice. Each place is wrapped into the ring. What is wrong all the
//! same is at worst an item that does not decode. The limits are looked at when a handle arrives, and never again.

mod error;
mod handle;

mod codec;
mod store;

mod bell;
mod consumer;
mod cursor;
mod memory;
mod ring;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;

use error::Overwritten;

pub use error::{GetError, JoinError, PutError, TaskDoneError};
pub use handle::{QUEUE_BYTES_MAX, Queue};

#[cfg(test)]
mod tests;
