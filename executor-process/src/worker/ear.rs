//! The ear: a thread that serves the owner while a job runs.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::station::Station;
use crate::bell::Ring;

/// How long an outcome may be kept back by a job that runs after it, in ms.
const KEPT_MS: u16 = 1;

/// The ear needs little of its stack; the wakers that it calls are those of the jobs.
const STACK_BYTES: usize = 256 * 1024;

/// Whether outcomes are kept back, so that the ear is to look after them.
pub(super) struct Ear {
    station: Arc<Station>,
    keeps: Arc<AtomicBool>,
}

impl Ear {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub(super) fn start(station: &Arc<Station>) -> io::Result<Ear> {
        let keeps = Arc::new(AtomicBool::new(false));
        let (theirs, flag) = (Arc::clone(station), Arc::clone(&keeps));
        thread::Builder::new()
            .name("executor-ear".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || listen(&theirs, &flag))?;
        Ok(Ear { station: Arc::clone(station), keeps })
    }

    /// Says that outcomes are kept back for others to go with them. Costs a system call, and that only where the ear is not at
    /// it already.
    pub(super) fn keep(&self) {
        if !self.keeps.load(Ordering::Relaxed) && !self.keeps.swap(true, Ordering::AcqRel) {
            self.station.ear.ring(Ring::Itself);
        }
    }
}

fn listen(station: &Station, keeps: &AtomicBool) {
    loop {
        let timeout = if keeps.load(Ordering::Acquire) { PollTimeout::from(KEPT_MS) } else { PollTimeout::NONE };
        let mut fds = [PollFd::new(station.ear.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            // Nobody rang, and outcomes may have waited for as long as they may.
            Ok(0) => {
                keeps.store(false, Ordering::Release);
                tell(station);
            }
            Ok(_) => {
                // The worker itself rings to start the time of what it keeps back.
                if station.ear.answer() == Ring::Owner {
                    tell(station);
                    wake_stopped(station);
                }
            }
            Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Tells what is kept back.
fn tell(station: &Station) {
    // If the owner is gone, the worker learns it when it reads.
    let _ = station.writer().flush();
}

/// Wakes the job that runs, if it was asked to stop.
fn wake_stopped(station: &Station) {
    let Some((place, item)) = station.running() else { return };
    if station.page.stop_asked(place, item)
        && let Some(guests) = station.guests()
    {
        guests.job(u32::from(item)).request_stop();
    }
}
