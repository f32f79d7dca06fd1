//! Contents that go beside a message in memory of their own, for whoever encodes byte strings rather than a [`Blob`](crate::Blob).

use std::sync::Arc;

use crate::attach::{attach, attached, can_attach};
use crate::filled::Filled;
use crate::received::Received;
use crate::travel::Shared;

/// Attaches contents of `len` bytes to the message that this thread encodes: `fill` writes them, once, into memory that holds zeros or bytes
/// of earlier contents, and that other processes can map. Gives what names them in the message, some 20 bytes; `None`, and `fill` is not
/// called, where there is no room for descriptors, or no memory of the kind.
///
/// # Panics
///
/// As `fill`.
pub fn set_aside(len: usize, fill: impl FnOnce(&mut [u8])) -> Option<Vec<u8>> {
    if !can_attach(2) {
        return None;
    }
    let mut filled = Filled::new(len)?;
    let [memory, hold] = filled.descriptors().ok()?.map(Arc::clone);
    let shared = Shared { memory: attach(&memory)?, hold: attach(&hold)?, offset: 0, length: len as u64 };
    let name = postcard::to_stdvec(&shared).ok()?;
    fill(&mut filled.bytes_mut()[..len]);
    Some(name)
}

/// Calls `read` with contents that were [set aside](set_aside), where the descriptors of their message are
/// [supplied](crate::attach::supply). The name may come from anywhere.
///
/// # Errors
///
/// Why there are no such contents.
///
/// # Panics
///
/// As `read`.
pub fn fetch<R>(name: &[u8], read: impl FnOnce(&[u8]) -> R) -> Result<R, String> {
    let Shared { memory, hold, offset, length } = postcard::from_bytes(name).map_err(|error| error.to_string())?;
    let received = Received::new(attached(memory)?, attached(hold)?, offset, length);
    let (received, range) = received.map_err(|error| error.to_string())?;
    Ok(read(&received.bytes[range]))
}

#[cfg(test)]
mod tests {
    use crate::attach::{self, Attachments};

    use super::*;

    const BYTES: usize = 300_000;

    fn contents() -> Vec<u8> {
        (0..BYTES).map(|byte| (byte % 251) as u8).collect()
    }

    fn with_contents() -> (Vec<u8>, Attachments) {
        let (name, attachments) = attach::collect(|| set_aside(BYTES, |bytes| bytes.copy_from_slice(&contents())));
        (name.expect("there is room"), attachments)
    }

    #[test]
    fn they_are_fetched_where_their_descriptors_are() {
        let (name, attachments) = with_contents();
        assert!(name.len() < 32 && attachments.len() == 2);
        let fetched = attach::supply(attachments, || fetch(&name, <[u8]>::to_vec));
        assert_eq!(fetched, Ok(contents()));
    }

    #[test]
    fn without_a_message_there_is_nothing_to_attach_them_to() {
        assert_eq!(set_aside(BYTES, |_| unreachable!("there is nothing to fill")), None);
        let (name, _attachments) = with_contents();
        assert!(fetch(&name, |_| ()).is_err_and(|error| error.contains("only what received them")));
    }

    #[test]
    fn any_name_is_contents_or_an_error() {
        let (name, attachments) = with_contents();
        let fetch = |name: &[u8]| attach::supply(attachments.clone(), || fetch(name, <[u8]>::len));
        for cut in 0..name.len() {
            assert!(fetch(&name[..cut]).is_err());
        }
        for (memory, hold, offset, length) in [
            (1, 0, 0, BYTES as u64),
            (0, 0, 0, BYTES as u64),
            (0, 2, 0, BYTES as u64),
            (0, 1, 0, u64::MAX),
            (0, 1, u64::MAX, 2),
            (0, 1, 1 << 40, 1),
            (0, 1, 0, 0),
        ] {
            let name = postcard::to_stdvec(&Shared { memory, hold, offset, length }).expect("numbers can be encoded");
            let fetched = fetch(&name);
            assert!(fetched.is_err(), "{memory} {hold} {offset} {length}: {fetched:?}");
        }
        assert_eq!(fetch(&name), Ok(BYTES));
    }
}
