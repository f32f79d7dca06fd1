//! What a Blob is to the program that has one, in one process.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use executor_ipc::attach::{Attachments, collect, supply};
use executor_ipc::{Blob, BlobMut, SHARED_FROM_BYTES};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;
use proptest::prelude::*;
use serde::de::value;
use serde::de::{DeserializeSeed, EnumAccess, IntoDeserializer, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, forward_to_deserialize_any};

fn pattern(len: usize, salt: usize) -> Vec<u8> {
    (0..len).map(|place| (place.wrapping_mul(31) ^ (place >> 8) ^ salt) as u8).collect()
}

fn encode(value: &impl Serialize) -> (Vec<u8>, Attachments) {
    let (encoded, attachments) = collect(|| postcard::to_stdvec(value));
    (encoded.unwrap(), attachments)
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8], attachments: Attachments) -> Result<T, postcard::Error> {
    supply(attachments, || postcard::from_bytes(bytes))
}

#[test]
fn it_is_its_bytes_whatever_their_number() {
    for len in [0, 1, 100, SHARED_FROM_BYTES - 1, SHARED_FROM_BYTES, SHARED_FROM_BYTES + 1, (3 << 20) + 5] {
        let bytes = pattern(len, 7);
        let blob = Blob::from(bytes.clone());
        assert_eq!((blob.len(), &blob[..]), (len, &bytes[..]));
        assert_eq!(blob.is_shared(), len >= SHARED_FROM_BYTES, "{len}");
        assert_eq!(blob, Blob::from(&bytes[..]));
        assert_eq!(HashSet::from([blob.clone(), Blob::from(bytes)]).len(), 1);
        assert_eq!(blob.clone().as_ptr(), blob.as_ptr());
    }
    assert!(Blob::default().is_empty());
}

#[test]
fn it_is_filled_where_it_stays() {
    for len in [100, 1 << 20] {
        let mut at = std::ptr::null();
        let blob = Blob::with_len(len, |bytes| {
            bytes.copy_from_slice(&pattern(len, 3));
            at = bytes.as_ptr();
        });
        assert_eq!((blob.as_ptr(), &blob[..]), (at, &pattern(len, 3)[..]));
        let mut file = File::open("/dev/zero").unwrap();
        let mut buffer = BlobMut::with_len(len);
        buffer.fill(1);
        file.read_exact(&mut buffer).unwrap();
        assert!(buffer.freeze().iter().all(|&byte| byte == 0));
    }
}

#[test]
fn a_slice_is_of_the_same_memory() {
    for len in [1000, 2 << 20] {
        let blob = Blob::from(pattern(len, 1));
        let half = blob.slice(len / 2..);
        assert_eq!(half.as_ptr(), blob[len / 2..].as_ptr());
        let inner = half.slice(10..=19);
        assert_eq!((inner.len(), &inner[..]), (10, &blob[len / 2 + 10..len / 2 + 20]));
        assert!(blob.slice(len..).is_empty() && blob.slice(..) == blob);
        for (begin, end) in [(0, len + 1), (len + 1, len + 1), (5, 4), (0, usize::MAX)] {
            catch_unwind(AssertUnwindSafe(|| blob.slice(begin..end))).unwrap_err();
        }
        drop(blob);
        assert_eq!(&half[..], &pattern(len, 1)[len / 2..]);
    }
}

#[test]
fn large_contents_are_attached_and_small_ones_are_not() {
    let large = Blob::from(pattern(1 << 20, 5));
    let (bytes, attachments) = encode(&large);
    assert!(bytes.len() < 32);
    assert_eq!(attachments.len(), 2);
    assert_eq!(decode::<Blob>(&bytes, attachments).unwrap(), large);
    let (bytes, attachments) = encode(&large.slice(..100));
    assert!(bytes.len() < 110 && attachments.is_empty());
    assert_eq!(decode::<Blob>(&bytes, attachments).unwrap(), large.slice(..100));
}

#[test]
fn one_arena_is_attached_once() {
    let blob = Blob::from(pattern(1 << 20, 6));
    let parts: Vec<Blob> = (0..3).map(|part| blob.slice(part * 300_000..(part + 1) * 300_000)).collect();
    let (bytes, attachments) = encode(&(&blob, &parts, &blob));
    assert_eq!(attachments.len(), 2);
    let (one, arrived, other): (Blob, Vec<Blob>, Blob) = decode(&bytes, attachments).unwrap();
    assert!(one == blob && other == blob && arrived == parts);
    // What arrived can be sent on, with the descriptors that it came with.
    let (bytes, attachments) = encode(&arrived);
    assert_eq!(attachments.len(), 2);
    assert_eq!(decode::<Vec<Blob>>(&bytes, attachments).unwrap(), parts);
}

#[test]
fn elsewhere_it_is_plain_bytes() {
    let blob = Blob::from(pattern(300_000, 8));
    let bytes = postcard::to_stdvec(&blob).unwrap();
    assert!(bytes.len() > 300_000);
    let plain: Blob = postcard::from_bytes(&bytes).unwrap();
    assert!(plain == blob && !plain.is_shared());
    // A format for people has no use for numbers of descriptors, also where some could be attached.
    let (text, attachments) = collect(|| serde_json::to_string(&blob.slice(..3)).unwrap());
    assert!(attachments.is_empty());
    assert_eq!(text, format!("[{},{},{}]", blob[0], blob[1], blob[2]));
    assert_eq!(serde_json::from_str::<Blob>(&text).unwrap(), blob.slice(..3));
    let (text, attachments) = collect(|| serde_json::to_string(&blob).unwrap());
    assert!(attachments.is_empty());
    assert_eq!(serde_json::from_str::<Blob>(&text).unwrap(), blob);
}

/// Why a Blob that says this of itself is refused. Postcard keeps no text of an error, so that serde's own format for tests
/// of this kind is asked.
fn refusal(descriptors: Vec<OwnedFd>, [memory, hold]: [u32; 2], offset: u64, length: u64) -> String {
    supply(descriptors.into_iter().collect(), || {
        Blob::deserialize(Crafted { memory, hold, offset, length }).expect_err("it cannot be taken in").to_string()
    })
}

fn arena(len: usize) -> (OwnedFd, OwnedFd) {
    let (_, attachments) = encode(&Blob::with_len(len, |bytes| bytes.fill(1)));
    let mut copies = attachments.iter().map(|descriptor| descriptor.try_clone_to_owned().unwrap());
    (copies.next().unwrap(), copies.next().unwrap())
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let (read_end, write_end) = io::pipe().unwrap();
    (read_end.into(), write_end.into())
}

fn memfd(len: i64, seals: SealFlag) -> OwnedFd {
    let file = memfd_create(c"", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap();
    ftruncate(&file, len).unwrap();
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).unwrap();
    file
}

#[test]
fn wrong_memory_is_refused() {
    let no_memory: [(OwnedFd, &str); 6] = [
        (pipe().0, "not sealed"),
        (File::open("/dev/zero").unwrap().into(), "not sealed"),
        (File::open("/proc/self/exe").unwrap().into(), "not sealed"),
        (memfd(1 << 20, SealFlag::empty()), "not sealed"),
        (memfd(1 << 20, SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW), "not sealed against writes"),
        (memfd(1 << 20, SealFlag::F_SEAL_GROW), "size is not sealed"),
    ];
    for (memory, why) in no_memory {
        let text = refusal(vec![memory, pipe().1], [0, 1], 0, 300_000);
        assert!(text.contains("a Blob cannot be taken in") && text.contains(why), "{text}");
    }
    let every = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    let every = every | SealFlag::from_bits_retain(libc::F_SEAL_FUTURE_WRITE);
    let text = refusal(vec![memfd(0, every), pipe().1], [0, 1], 0, 1);
    assert!(text.contains("empty"), "{text}");
    // The file is longer than any process has addresses.
    let text = refusal(vec![memfd(i64::MAX & !4095, every), pipe().1], [0, 1], 0, 1);
    assert!(text.contains("cannot be mapped"), "{text}");
    // It is shorter than was said.
    let text = refusal(vec![memfd(4096, every), pipe().1], [0, 1], 0, 4097);
    assert!(text.contains("4097 bytes from byte 0 on are not within the 4096"), "{text}");
}

#[test]
fn a_wrong_hold_is_refused() {
    let (memory, _) = arena(1 << 20);
    let text = refusal(vec![memory, File::open("/dev/zero").unwrap().into()], [0, 1], 0, 10);
    assert!(text.contains("no pipe"), "{text}");
}

#[test]
fn places_outside_of_the_memory_are_refused() {
    let bytes: u64 = 1 << 20;
    for (offset, length) in
        [(0, 0), (0, bytes + 1), (bytes, 1), (1, bytes), (u64::MAX, 1), (u64::MAX, u64::MAX), (1, u64::MAX)]
    {
        let (memory, hold) = arena(1 << 20);
        let text = refusal(vec![memory, hold], [0, 1], offset, length);
        assert!(text.contains("not within the 1048576"), "{offset} {length}: {text}");
    }
}

#[test]
fn numbers_of_no_descriptor_are_refused() {
    for numbers in [[0, 2], [2, 1], [u32::MAX, 0]] {
        let (memory, hold) = arena(1 << 20);
        let text = refusal(vec![memory, hold], numbers, 0, 300_000);
        assert!(text.contains("of its message, with which 2 came"), "{text}");
    }
    let (bytes, _) = encode(&Blob::with_len(1 << 20, |bytes| bytes.fill(1)));
    postcard::from_bytes::<Blob>(&bytes).unwrap_err();
}

#[test]
fn any_bytes_are_an_error_or_a_value() {
    let (memory, hold) = arena(1 << 20);
    let descriptors: Attachments = [memory, hold].into_iter().collect();
    let (whole, _) = encode(&Blob::with_len(1 << 20, |bytes| bytes.fill(1)));
    for cut in 0..whole.len() {
        decode::<Blob>(&whole[..cut], descriptors.clone()).unwrap_err();
    }
    for place in 0..whole.len() {
        for byte in 0..=u8::MAX {
            let mut bytes = whole.clone();
            bytes[place] = byte;
            if let Ok(blob) = decode::<Blob>(&bytes, descriptors.clone()) {
                assert!(blob.iter().all(|&byte| byte == 1 || byte == 0));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_with_blobs_come_back_as_they_were(
        lens in prop::collection::vec(prop_oneof![0..2000_usize, SHARED_FROM_BYTES - 2..SHARED_FROM_BYTES * 3], 0..5),
        cut in 0.0..1.0_f64,
        salt in 0..256_usize,
    ) {
        let blobs: Vec<Blob> = lens.iter().map(|&len| Blob::from(pattern(len, salt))).collect();
        let slices: Vec<Blob> = blobs.iter().map(|blob| blob.slice((blob.len() as f64 * cut) as usize..)).collect();
        let value = (blobs, salt, slices);
        let (bytes, attachments) = encode(&value);
        prop_assert_eq!(&decode::<(Vec<Blob>, usize, Vec<Blob>)>(&bytes, attachments).unwrap(), &value);
        let plain = postcard::to_stdvec(&value).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<(Vec<Blob>, usize, Vec<Blob>)>(&plain).unwrap(), &value);
    }
}

#[test]
fn its_traits_are_those_of_shared_bytes() {
    fn is<T: Clone + Send + Sync + Unpin + Eq + std::hash::Hash + std::fmt::Debug + Default + AsRef<[u8]>>() {}
    is::<Blob>();
    fn travels<T: Serialize + serde::de::DeserializeOwned + 'static>() {}
    travels::<Blob>();
    fn moves<T: Send + Sync + std::fmt::Debug>() {}
    moves::<BlobMut>();
    moves::<Attachments>();
    let text = format!("{:?}", Blob::from(vec![7; 5]));
    assert!(text.contains('5') && !text.contains("7, 7"), "{text}");
    io::sink().write_all(&Blob::default()).unwrap();
}

/// A Blob that says of itself that it came with descriptors.
struct Crafted {
    memory: u32,
    hold: u32,
    offset: u64,
    length: u64,
}

impl<'de> Deserializer<'de> for Crafted {
    type Error = value::Error;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Crafted {
    type Error = value::Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), value::Error> {
        Ok((seed.deserialize("Shared".into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for Crafted {
    type Error = value::Error;

    fn unit_variant(self) -> Result<(), value::Error> {
        unreachable!("it has contents")
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, value::Error> {
        let Crafted { memory, hold, offset, length } = self;
        let parts = [u64::from(memory), u64::from(hold), offset, length];
        seed.deserialize(value::SeqDeserializer::new(parts.into_iter()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, value::Error> {
        unreachable!("it has one part")
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, value::Error> {
        unreachable!("it has one part")
    }
}
