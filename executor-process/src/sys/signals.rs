#![expect(unsafe_code, reason = "a signal handler runs in the middle of anything")]
//! What a process does with a signal.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// What to do with a signal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disposition {
    /// What the system does by default.
    Default,
    /// Nothing; programs that this one executes ignore it as well.
    Ignore,
    /// Nothing in this process; programs that it executes have the default. Calls that were interrupted go on.
    Swallow,
}

extern "C" fn swallow(_: libc::c_int) {}

/// Sets what this process does with `signal`.
pub(crate) fn set_disposition(signal: Signal, disposition: Disposition) {
    let handler = match disposition {
        Disposition::Default => SigHandler::SigDfl,
        Disposition::Ignore => SigHandler::SigIgn,
        Disposition::Swallow => SigHandler::Handler(swallow),
    };
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the one handler that is ever set has an empty body, which may run in the middle of anything.
    let set = unsafe { sigaction(signal, &action) };
    set.expect("each of the signals that are set here can be");
}
