//! Sample jobs: what the laws run, and what the author of a backend can run in tests of their own.
//!
//! Each is a function that can be called as it is, and a job: `jobs::echo(1)` gives 1, `jobs::echo::job(1)` can be
//! submitted. They are all jobs of one crate, so that a backend under test needs nothing but this crate linked in.

#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "to fail is what these jobs are for, and the one line that each of them has says how"
)]

mod failing;
mod held;
mod nested;
mod plain;
mod stopping;
mod travelling;
mod witness;
mod worker;

pub use failing::{
    DropBomb, Uncloned, blow_up, blow_up_async, blow_up_before, drop_bomb, fail, fail_before, fail_before_uncloned,
    fail_if, take_bomb, throw_bomb, throw_number,
};
pub use held::{note_pass, pass, pass_async, pass_then_blow_up, pass_then_fail, pass_then_note};
pub use nested::{
    Host, Hosted, await_sibling, await_siblings, cancel_inside, dig, drop_the_pool, fan_out, fib, fib_async,
    limit_inside, lock_and_wait, map_inside, numbers_around, retry_inside, retry_inside_async, shut_down_inside,
    streams_inside, submit_inside, submit_wait_inside, wait_briefly_inside, wait_for_first_inside, wait_inside,
};
pub use plain::{add, bytes_back, double_async, echo, echo_async, join_words, note};
pub use stopping::{note_should_stop, outlast, overrun, spin_until_stop, stopped_async, time_left};
pub use travelling::{Fault, Faulty, arrive_badly, return_badly, take_badly};
pub use witness::{DropCount, Witness, hold_witness, keep_witness, lose_witness, pass_witness};
pub use worker::{
    Plan, SetUp, WhoAmI, name_and_attempt, name_and_attempt_async, process_id, tell_progress, who_am_i, worker_mark,
};
