//! Whether this process has room for more descriptors.
//!
//! The system gives a new descriptor the lowest number that is free. So a number tells how many are open at least, and
//! nobody has to count.

use std::os::fd::{AsFd, AsRawFd};

use executor_ipc::attach::Attachments;
use nix::sys::resource::{Resource, getrlimit};

/// True if more than half of the descriptors that this process may have are open, or these did not all find room. The other
/// half is for the program, and for what is on its way already.
pub(crate) fn is_scarce_for(arrived: &Attachments) -> bool {
    arrived.iter().last().is_none_or(|last| is_high(&last))
}

/// True if it is so at this moment. Costs a copy of this descriptor.
pub(crate) fn is_scarce(any: &impl AsFd) -> bool {
    any.as_fd().try_clone_to_owned().as_ref().map_or(true, is_high)
}

fn is_high(descriptor: &impl AsFd) -> bool {
    let number = u64::try_from(descriptor.as_fd().as_raw_fd()).unwrap_or_default();
    getrlimit(Resource::RLIMIT_NOFILE).is_ok_and(|(limit, _)| number >= limit / 2)
}
