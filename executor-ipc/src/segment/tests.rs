use std::fs::File;
use std::sync::atomic::{AtomicU8, AtomicU32};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;
use serde::{Deserialize, Serialize};

use super::*;
use crate::attach::{ATTACHMENTS_MAX, Attachments, collect, supply};

/// An object of eight bytes.
#[derive(Debug)]
struct Pair(Segment);

const PAIR: Shape = Shape::new("Pair");

impl Pair {
    fn new() -> Pair {
        Pair(Segment::new(PAIR, 8).unwrap())
    }

    fn words(&self) -> &[AtomicU32; 2] {
        self.0.at(0)
    }
}

impl Serialize for Pair {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Segment::deserialize(deserializer, PAIR, 8).map(Pair)
    }
}

/// What is said of this descriptor when it comes as a Pair.
fn refusal(descriptor: impl Into<OwnedFd>) -> String {
    Segment::receive(Arc::new(descriptor.into()), PAIR, 8).unwrap_err()
}

fn memory(length: i64, seals: SealFlag) -> OwnedFd {
    let file = memfd_create(c"", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap();
    ftruncate(&file, length).unwrap();
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).unwrap();
    file
}

#[test]
fn it_is_zero_at_first_and_reached_by_atoms() {
    let segment = Segment::new(Shape::new("Row"), 100).unwrap();
    assert_eq!((segment.bytes(), segment.shape()), (100, Shape::new("Row")));
    let row: &[AtomicU8] = segment.row_at(0, 100);
    assert!(row.iter().all(|byte| byte.load(Ordering::Relaxed) == 0));
    segment.at::<AtomicU64>(8).store(u64::MAX, Ordering::Relaxed);
    let set = |byte: &AtomicU8| byte.load(Ordering::Relaxed) == 0xff;
    assert_eq!(row.iter().position(set), Some(8));
    assert_eq!(row.iter().filter(|byte| set(byte)).count(), 8);
    assert_eq!(segment.address(0, 100, PAGE_BYTES).addr().get() % PAGE_BYTES, 0);
}

#[test]
fn what_is_received_is_the_same_memory() {
    let sent = Pair::new();
    let (bytes, attachments) = collect(|| postcard::to_stdvec(&(&sent, &sent)).unwrap());
    assert_eq!((bytes.len(), attachments.len()), (2, 1));
    let (one, other): (Pair, Pair) = supply(attachments, || postcard::from_bytes(&bytes).unwrap());
    one.words()[1].store(7, Ordering::Relaxed);
    drop(one);
    for pair in [&sent, &other] {
        assert_eq!(pair.words().each_ref().map(|word| word.load(Ordering::Relaxed)), [0, 7]);
    }
    assert_eq!(sent.words().as_ptr(), other.words().as_ptr(), "it is mapped once");
}

#[test]
fn where_no_descriptors_travel_it_says_what_to_do() {
    let said = serde_json::to_string(&Pair::new()).unwrap_err().to_string();
    let expected = "this Pair cannot be written into bytes: send it as a job argument, or over a channel of this crate";
    assert_eq!(said, expected);
    let pairs: Vec<Pair> = (0..=ATTACHMENTS_MAX).map(|_| Pair::new()).collect();
    let (said, _) = collect(|| serde_json::to_string(&pairs).unwrap_err().to_string());
    assert!(said.starts_with("this Pair finds no room in its message, which has 251 descriptors"), "{said}");
    let said = serde_json::from_str::<Pair>("0").unwrap_err().to_string();
    assert!(
        said.starts_with("this Pair cannot be taken in: it was sent with descriptors, and they are not here"),
        "{said}"
    );
    let said = supply(Attachments::default(), || serde_json::from_str::<Pair>("0").unwrap_err().to_string());
    assert!(said.contains("names descriptor 0"), "{said}");
}

#[test]
fn another_object_is_refused() {
    let (bytes, attachments) = collect(|| {
        let other = Segment::new(Shape::of::<u32>("Mutex"), 8).unwrap();
        let mut bytes = Vec::new();
        other.serialize(&mut serde_json::Serializer::new(&mut bytes)).unwrap();
        bytes
    });
    let said = supply(attachments, || serde_json::from_slice::<Pair>(&bytes).unwrap_err().to_string());
    assert_eq!(said, "this Pair cannot be taken in: it was sent as Mutex");
}

#[test]
fn another_descriptor_is_refused() {
    let unsealed = "the descriptor that came is no memory whose size is sealed";
    assert_eq!(refusal(File::open("/dev/null").unwrap()), unsealed);
    assert_eq!(refusal(std::os::unix::net::UnixStream::pair().unwrap().0), unsealed);
    assert_eq!(refusal(memory(128, SealFlag::empty())), unsealed);
    assert_eq!(refusal(memory(128, SealFlag::F_SEAL_SHRINK)), unsealed);
    assert!(refusal(memory(0, seals())).ends_with("no trailer"));
    assert!(refusal(memory(63, seals())).ends_with("no trailer"));
    assert!(refusal(memory(128, seals())).contains("not of this crate"));
}

#[test]
fn a_trailer_that_claims_too_much_or_has_too_little_is_refused() {
    let claim = |bytes: u64| {
        let segment = Segment::new(PAIR, 8).unwrap();
        segment.inner.trailer()[4].store(bytes, Ordering::Relaxed);
        let file = Arc::clone(&segment.inner.file);
        // As long as it is there, it is known.
        assert_eq!(Segment::receive(Arc::clone(&file), PAIR, 8).map(|segment| segment.bytes()), Ok(8));
        drop(segment);
        Segment::receive(file, PAIR, 8).map(|segment| segment.bytes())
    };
    assert_eq!(claim(8), Ok(8));
    assert_eq!(claim(64), Ok(64));
    for bytes in [0, 7, 65, 128, 1 << 40, u64::MAX] {
        assert_eq!(claim(bytes), Err(format!("it says that it has {bytes} bytes, of 64 that came")));
    }
}

#[test]
fn its_size_is_sealed() {
    let segment = Segment::new(PAIR, 8).unwrap();
    ftruncate(&segment.inner.file, 0).unwrap_err();
    ftruncate(&segment.inner.file, 1 << 20).unwrap_err();
    fcntl(&segment.inner.file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE)).unwrap_err();
}

#[test]
fn a_size_beyond_all_memory_is_an_error() {
    for bytes in [usize::MAX, usize::MAX - 63, usize::MAX - 200, isize::MAX as usize - 4096] {
        Segment::new(PAIR, bytes).unwrap_err();
    }
    // Nothing is a size like any other.
    assert_eq!(Segment::new(PAIR, 0).unwrap().bytes(), 0);
}

#[test]
fn a_place_outside_is_a_panic() {
    let segment = Segment::new(PAIR, 8).unwrap();
    let panics = |reach: &dyn Fn()| {
        let reach = std::panic::AssertUnwindSafe(reach);
        assert!(std::panic::catch_unwind(reach).is_err());
    };
    panics(&|| _ = segment.at::<AtomicU32>(8));
    panics(&|| _ = segment.at::<AtomicU32>(2));
    panics(&|| _ = segment.at::<AtomicU32>(usize::MAX - 3));
    panics(&|| _ = segment.at::<[AtomicU64; 2]>(0));
    panics(&|| _ = segment.row_at::<AtomicU64>(0, usize::MAX / 8));
    panics(&|| _ = segment.row_at::<AtomicU64>(0, usize::MAX / 8 + 2));
    panics(&|| _ = segment.address(0, 0, 2 * PAGE_BYTES));
    assert_eq!(segment.row_at::<AtomicU64>(8, 0).len(), 0);
}
