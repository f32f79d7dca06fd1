//! The channels of `executor-ipc`.

use std::cell::OnceCell;
use std::os::fd::{AsFd, OwnedFd};

use executor_ipc::{Duplex, duplex};

use super::Ipc;
use crate::helper::Helper;
use crate::kernel;
use crate::outcome::Outcome;
use crate::peers::processes::Trips;
use crate::peers::{Open, Peer};

/// One helper that answers.
pub(crate) const PEER: Peer = Peer {
    name: super::OURS,
    package: "executor-ipc",
    how: "a Duplex to one process, blocking on both sides",
    open: Open::Ipc(|| Ok(Box::new(Ours { channel: OnceCell::new() }))),
};

struct Ours {
    channel: OnceCell<Channel>,
}

struct Channel {
    /// Dropped before the helper, which waits for that.
    end: Duplex<u64, u64>,
    _helper: Helper,
}

impl Ipc for Ours {
    fn ping_pong(&self, count: u64) -> Outcome<Trips> {
        if self.channel.get().is_none() {
            let (end, theirs) = duplex::<u64, u64>()?;
            let helper = Helper::start_on(&["channel"], theirs.as_fd().try_clone_to_owned()?)?;
            self.channel.get_or_init(|| Channel { end, _helper: helper });
        }
        let end = &self.channel.get().expect("it was set just now").end;
        Trips::measure(count, |n| {
            end.send(&n)?;
            Ok(end.recv()?)
        })
    }
}

/// In the helper: answers each number, until the other side is gone.
pub(crate) fn serve(socket: OwnedFd) -> Result<(), Box<dyn std::error::Error>> {
    let end = Duplex::<u64, u64>::try_from(socket)?;
    while let Ok(n) = end.recv() {
        end.send(&kernel::inc(n))?;
    }
    Ok(())
}
