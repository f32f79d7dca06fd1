//! [`Alarm`]: wakes the dispatcher at a moment, to the microsecond: a poll itself can wait only in whole ms.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// A descriptor that becomes readable at the moment for which it is set.
pub(super) struct Alarm {
    timer: TimerFd,
    set_for: Option<Instant>,
}

impl Alarm {
    /// An alarm that is not set.
    ///
    /// # Errors
    ///
    /// If the system refuses a descriptor.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        Ok(Alarm { timer: TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?, set_for: None })
    }

    /// Sets it for a moment to come; `false` if that has come.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn set(&mut self, until: Instant) -> io::Result<bool> {
        let left = until.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return Ok(false);
        }
        if self.set_for != Some(until) {
            self.timer.set(Expiration::OneShot(TimeSpec::from_duration(left)), TimerSetTimeFlags::empty())?;
            self.set_for = Some(until);
        }
        Ok(true)
    }

    /// It has woken somebody, and is not set any more.
    pub(super) fn answer(&mut self) {
        self.set_for = None;
        // It has become readable, and nobody else reads it.
        let _ = self.timer.wait();
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn waits(alarm: &Alarm, timeout: PollTimeout) -> bool {
        poll(&mut [PollFd::new(alarm.as_fd(), PollFlags::POLLIN)], timeout).unwrap() == 1
    }

    #[test]
    fn it_rings_once_and_not_too_early() {
        let mut alarm = Alarm::new().unwrap();
        for _ in 0..3 {
            let until = Instant::now() + Duration::from_micros(1500);
            assert!(alarm.set(until).unwrap());
            // Twice is once.
            assert!(alarm.set(until).is_ok());
            assert!(waits(&alarm, PollTimeout::from(30_000_u16)) && Instant::now() >= until);
            alarm.answer();
            assert!(!waits(&alarm, PollTimeout::ZERO));
            assert!(!alarm.set(until).unwrap(), "it has come");
        }
    }

    #[test]
    fn a_later_word_holds() {
        let mut alarm = Alarm::new().unwrap();
        assert!(alarm.set(Instant::now() + Duration::from_secs(3600)).unwrap());
        assert!(!waits(&alarm, PollTimeout::ZERO));
        assert!(alarm.set(Instant::now() + Duration::from_millis(1)).unwrap());
        assert!(waits(&alarm, PollTimeout::from(30_000_u16)));
    }
}
