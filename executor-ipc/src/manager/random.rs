//! Numbers that nobody can guess.

use rustix::rand::{GetRandomFlags, getrandom};

/// So many random bytes.
///
/// # Panics
///
/// If the system has none to give, which Linux does not do once it has started.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(more) => filled += more,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("the system gives no random bytes: {error}"),
        }
    }
    bytes
}

pub(crate) fn number() -> u128 {
    u128::from_le_bytes(bytes())
}
