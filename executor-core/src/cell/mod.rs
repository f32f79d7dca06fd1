//! The cell: where one job waits, runs and leaves its outcome.
//!
//! A cell has two ends. The *task* end belongs to the backend, which begins the job and finishes it; the *future* end
//! belongs to the user, who may cancel the job before it begins and takes the outcome after it ended. Handles see the
//! state and may ask for a stop. All of them meet in one word, [`State`], and in the [`Stage`] that it guards.
//!
//! # States
//!
//! ```text
//!              begin                    finish                 take
//!   PENDING ───────────► RUNNING ─────────────────► FINISHED ─────────► TAKEN
//!      │
//!      │ withdraw                   settle
//!      └───────────► WITHDRAWN ───────────────► CANCELLED
//! ```
//!
//! FINISHED, TAKEN and CANCELLED are *done*: nothing but `take` changes them. Flags stand beside the phase:
//!
//! | flag | set by | meaning |
//! |---|---|---|
//! | WAITED | a waiter, while not done | whoever makes the job done rings the bells |
//! | STOP | `request_stop` | the job was asked to stop |
//! | KILLED | `kill`, while RUNNING | the outcome is `Killed`, whatever the job still returns |
//! | FAILED | `finish` | the outcome is an error, or an output that the job calls a failure |
//!
//! # Who may touch the stage
//!
//! | phase | owner of the stage | holds |
//! |---|---|---|
//! | PENDING | nobody; it is only moved out of by the winner of `begin` or `withdraw` | the job, or nothing if that is encoded and to run elsewhere |
//! | RUNNING | the holder of the [`Ticket`] that `begin` gave out, once | the job, then nothing, or between two polls the future that it started, then the outcome |
//! | WITHDRAWN | the winner of `withdraw` | the job, then nothing |
//! | FINISHED | nobody; it is only moved out of by the winner of `take` | the outcome |
//! | CANCELLED, TAKEN | nobody | nothing |
//!
//! Each arrow is one compare-and-swap on the word, so each has one winner.
//!
//! # What happens before what
//!
//! * What the submitter did before `submit` happens before the job's body: the queue of the backend hands the cell
//!   over, and `begin` acquires.
//! * The job's body, the drop of everything it captured, and the write of its outcome happen before the future is seen
//!   to be done: `finish` releases, and every reader that sees FINISHED acquires.
//! * A cancelled job's captures are dropped before the future is seen to be done: `settle` releases.
//! * Whoever makes the job done rings the bells afterwards; so a waiter that was rung sees the outcome.
//!
//! # Races that were feared
//!
//! * *Waiter against finisher.* The waiter puts itself among the bells, then sets WAITED with a read-modify-write; the
//!   finisher reads WAITED with the compare-and-swap that makes the job done. Both act on one word, so one is first: either the waiter sees that the job is done
//!   and does not sleep, or the finisher sees WAITED and rings, after taking the lock under which the waiter put itself in.
//! * *Kill against finish.* `kill` sets its flag only in RUNNING; `finish` looks at the flag in the word that it
//!   replaces, and if the swap fails because the flag came, it puts `Killed` in the stage and tries again.
//! * *Cancel against begin.* Both leave PENDING by compare-and-swap; one loses, and does nothing.
//! * *Two cancels.* The second sees WITHDRAWN and answers true: the job will never run. The first may still be
//!   dropping the captures, and only then is the future done.

mod slot;
mod stage;
mod state;

pub(crate) use slot::{Cell, Ticket};
pub(crate) use stage::{Again, Begun, Outcome, Short, Spare, Stage, Started};
pub(crate) use state::{State, Withdraw};
