//! [`sleep`]: waiting at a word that somebody else may die before he wakes us.
//!
//! Between the change of a word and the wake there is an instant in which whoever changed it can die; and a waiter can die
//! with the wake that it was given. The system makes good neither. So nobody relies on a wake alone: what is waited for
//! stands in shared memory, and who sleeps looks at it again after a while. Where nobody dies no wake is missed, and the while
//! does not matter.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::futex::{self, Deadline, Waited};

/// How long a death can delay others: a fifth of a second. A thread that waits for hours looks five times a second, for
/// some microseconds each time.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// As [`futex::wait`], and gives [`Waited::LookAgain`] after a while.
pub(crate) fn sleep(word: &AtomicU32, seen: u32, deadline: Option<Deadline>) -> Waited {
    let look = Deadline::after(LOOK_AGAIN);
    match deadline {
        Some(deadline) if look.is_none_or(|look| deadline <= look) => futex::wait(word, seen, Some(deadline)),
        _ => {
            let _ = futex::wait(word, seen, look);
            Waited::LookAgain
        }
    }
}
