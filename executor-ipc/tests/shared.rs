//! Shared values within one process.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicI16, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bytemuck::{AnyBitPattern, Pod, Zeroable};
use executor_ipc::attach::{collect, supply};
use executor_ipc::sync::{LockTimeoutError, TryLockError};
use executor_ipc::{SharedArray, SharedBytes, SharedValue};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The same object, as if it had come from another process.
fn sent<T: Serialize + DeserializeOwned>(object: &T) -> T {
    let (bytes, attachments) = collect(|| postcard::to_stdvec(object).unwrap());
    supply(attachments, || postcard::from_bytes(&bytes).unwrap())
}

fn refusal<T: DeserializeOwned>(object: &impl Serialize) -> String {
    let (text, attachments) = collect(|| serde_json::to_string(object).unwrap());
    supply(attachments, || serde_json::from_str::<T>(&text).map(drop).unwrap_err().to_string())
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
struct Point {
    x: f64,
    y: f64,
}

/// With room between its fields.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, AnyBitPattern)]
struct Loose {
    kind: u8,
    size: u64,
}

/// Law 255.
#[test]
fn values_of_every_kind_are_shared() {
    fn check<T: AnyBitPattern + PartialEq + std::fmt::Debug>(first: T, second: T) {
        let value = SharedValue::new(first).unwrap();
        let same = sent(&value);
        assert_eq!(same.get().unwrap(), first);
        same.set(second);
        assert_eq!(value.get().unwrap(), second);
        *value.lock().unwrap() = first;
        assert_eq!(*same.lock_timeout(Duration::MAX).unwrap(), first);
        assert_eq!(SharedArray::from_slice(&[first, second]).unwrap().lock().unwrap()[1], second);
    }
    check(1_i8, -1);
    check(1_i16, i16::MIN);
    check(1_i32, i32::MAX);
    check(1_i64, i64::MIN);
    check(1_u128, u128::MAX);
    check(0.5_f32, -0.25);
    check(0.5_f64, f64::MAX);
    check(b'x', b'y');
    check([[1_u16; 3]; 5], [[2; 3]; 5]);
    check(Point { x: 1.0, y: 2.0 }, Point { x: 3.0, y: 4.0 });
    check(Loose { kind: 1, size: 2 }, Loose { kind: 3, size: 4 });
}

/// Law 255.
#[test]
fn atomics_need_no_lock() {
    let count = SharedValue::new(AtomicU64::new(5)).unwrap();
    let row = SharedArray::<AtomicU32>::new(3).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (count, row) = (sent(&count), sent(&row));
            scope.spawn(move || {
                for turn in 0..3000 {
                    count.fetch_add(1, Ordering::Relaxed);
                    row[turn % 3].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(count.load(Ordering::Relaxed), 12_005);
    assert_eq!(row.iter().map(|element| element.load(Ordering::Relaxed)).collect::<Vec<_>>(), [4000; 3]);
    assert_eq!(SharedValue::new([const { AtomicI16::new(-1) }; 4]).unwrap()[3].load(Ordering::Relaxed), -1);
}

/// Law 256.
#[test]
fn what_is_fresh_is_zero() {
    for _ in 0..20 {
        let array = SharedArray::<u64>::new(10_000).unwrap();
        let mut elements = array.lock().unwrap();
        assert!(elements.iter().all(|&element| element == 0));
        elements.fill(u64::MAX);
    }
}

/// Law 257.
#[test]
fn a_copy_is_independent() {
    let points = SharedArray::from_slice(&[Point { x: 1.0, y: 2.0 }; 3]).unwrap();
    let copy = points.lock().unwrap().to_vec();
    points.lock().unwrap()[1].x = 9.0;
    assert_eq!(copy, [Point { x: 1.0, y: 2.0 }; 3]);
    let again = SharedArray::from_slice(&copy).unwrap();
    again.lock().unwrap()[0].y = 7.0;
    let (points, again) = (points.lock().unwrap(), again.lock().unwrap());
    assert_eq!((points[0].y, points[1].x, again[0].y, again[1].x), (2.0, 9.0, 7.0, 1.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Law 258.
    #[test]
    fn no_two_overlap(lens in proptest::collection::vec(0_usize..20_000, 1..12)) {
        let all: Vec<SharedBytes> = lens.iter().map(|&len| SharedBytes::new(len).unwrap()).collect();
        for (array, byte) in all.iter().zip(1_u8..) {
            array.lock().unwrap().fill(byte);
        }
        for ((array, byte), len) in all.iter().zip(1_u8..).zip(lens) {
            let bytes = array.lock().unwrap();
            prop_assert!(bytes.len() == len && bytes.iter().all(|&found| found == byte));
        }
    }

    /// Law 278.
    #[test]
    fn a_slice_is_the_same_elements(len in 0_usize..100, cuts in proptest::collection::vec((0_usize..100, 0_usize..100), 1..5)) {
        let whole = SharedArray::from_slice(&(0..len as u32).collect::<Vec<_>>()).unwrap();
        let mut slice = whole.clone();
        let mut expected: Vec<u32> = (0..len as u32).collect();
        for (start, end) in cuts {
            let start = start.min(expected.len());
            let end = end.clamp(start, expected.len().max(start));
            slice = sent(&slice.slice(start..end));
            expected = expected[start..end].to_vec();
            prop_assert_eq!(&*slice.lock().unwrap(), &*expected);
            prop_assert!(slice.len() == expected.len() && slice.is_empty() == expected.is_empty());
        }
        slice.lock().unwrap().fill(1000);
        let changed = whole.lock().unwrap().iter().filter(|&&element| element == 1000).count();
        prop_assert_eq!(changed, expected.len());
    }
}

#[test]
fn ranges_are_as_in_slices() {
    let row = SharedArray::<AtomicU8>::new(10).unwrap();
    for (place, element) in (0..).zip(row.iter()) {
        element.store(place, Ordering::Relaxed);
    }
    let bytes =
        |slice: SharedArray<AtomicU8>| slice.iter().map(|byte| byte.load(Ordering::Relaxed)).collect::<Vec<_>>();
    assert_eq!(bytes(row.slice(..)), (0..10).collect::<Vec<_>>());
    assert_eq!(bytes(row.slice(7..)), [7, 8, 9]);
    assert_eq!(bytes(row.slice(..=1)), [0, 1]);
    assert_eq!(bytes(row.slice(3..5).slice(1..)), [4]);
    assert!(row.slice(10..).is_empty() && row.slice(3..3).is_empty());
    for outside in [(0, 11), (11, 11), (usize::MAX, usize::MAX)] {
        let panic = catch_unwind(|| row.slice(outside.0..outside.1).len()).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("is not within 10 elements"));
    }
    #[expect(clippy::reversed_empty_ranges, reason = "it is to be refused")]
    catch_unwind(|| row.slice(3..2).len()).unwrap_err();
    catch_unwind(|| row.slice(..=usize::MAX).len()).unwrap_err();
}

/// Law 255.
#[test]
fn one_lock_is_for_the_whole_array() {
    let array = SharedArray::<u8>::new(10).unwrap();
    let (front, back) = (array.slice(..5), sent(&array.slice(5..)));
    let guard = front.lock().unwrap();
    assert_eq!(guard.len(), 5);
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(matches!(back.try_lock(), Err(TryLockError::WouldBlock)));
            assert!(matches!(back.lock_timeout(Duration::from_millis(5)), Err(LockTimeoutError::Timeout)));
        });
    });
    drop(guard);
    assert!(back.try_lock().is_ok());
    let value = SharedValue::new(1_u8).unwrap();
    let guard = value.try_lock().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(matches!(value.try_lock(), Err(TryLockError::WouldBlock)));
            assert!(matches!(value.lock_timeout(Duration::ZERO), Err(LockTimeoutError::Timeout)));
        });
    });
    drop(guard);
}

#[test]
fn what_a_panic_left_is_told_and_replaced() {
    let value = SharedValue::new([1_u8, 1]).unwrap();
    let array = SharedArray::<u8>::new(2).unwrap();
    let half = std::panic::AssertUnwindSafe(|| {
        let (mut guard, mut elements) = (value.lock().unwrap(), array.lock().unwrap());
        (guard[0], elements[0]) = (2, 2);
        panic!("in the middle");
    });
    assert!(catch_unwind(half).is_err());
    let died = value.get().unwrap_err();
    assert!(died.panicked());
    assert_eq!(*died.into_inner(), [2, 1]);
    value.set([3, 3]);
    assert_eq!(value.get().unwrap(), [3, 3]);
    drop(array.slice(1..).lock().unwrap_err().repair(|rest| rest[0] = 2));
    assert_eq!(*array.lock().unwrap(), [2, 2]);
}

/// Law 276.
#[test]
fn sizes_that_cannot_be_are_errors() {
    for len in [usize::MAX, usize::MAX / 8, isize::MAX as usize / 8] {
        SharedArray::<u64>::new(len).unwrap_err();
        SharedArray::<u64>::in_huge_pages(len).unwrap_err();
    }
    // None at all is a size.
    let empty = SharedArray::<u64>::new(0).unwrap();
    assert!(empty.is_empty() && sent(&empty).lock().unwrap().is_empty());
}

/// Law 276, 278.
#[test]
fn what_came_is_checked() {
    let array = SharedArray::<u32>::new(10).unwrap();
    assert!(refusal::<SharedArray<[u32; 2]>>(&array).contains("with values of 4 bytes aligned to 4"));
    assert!(refusal::<SharedArray<f32>>(&array).contains("with values of another type"));
    assert!(refusal::<SharedValue<u32>>(&SharedValue::new(0_i32).unwrap()).contains("with values of another type"));
    let (text, attachments) = collect(|| serde_json::to_string(&array).unwrap());
    assert_eq!(text, r#"{"whole":0,"start":0,"len":10}"#);
    for (start, len) in [(0, 11), (10, 1), (11, 0), (u64::MAX, 1), (1, u64::MAX)] {
        let text = format!(r#"{{"whole":0,"start":{start},"len":{len}}}"#);
        let refused = supply(attachments.clone(), || serde_json::from_str::<SharedArray<u32>>(&text).unwrap_err());
        let expected = format!("{len} elements from {start} on are not within its 10");
        assert!(refused.to_string().contains(&expected), "{refused}");
    }
    let said = serde_json::to_string(&array).unwrap_err().to_string();
    assert!(said.starts_with("this SharedArray cannot be written into bytes"), "{said}");
}

#[test]
fn an_array_may_be_in_huge_pages() {
    // As much as there is without: a machine without any says so.
    let array = match SharedArray::<u64>::in_huge_pages(1 << 20) {
        Ok(array) => array,
        Err(error) => {
            assert!(error.to_string().starts_with("the system gives no huge pages"), "{error}");
            eprintln!("{error}");
            return;
        }
    };
    let same = sent(&array);
    for (place, element) in (0..).zip(array.lock().unwrap().iter_mut()) {
        *element = place;
    }
    assert!((0..).zip(same.lock().unwrap().iter()).all(|(place, &element)| place == element));
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let huge = |line: &&str| line.starts_with("ShmemPmdMapped:") && !line.ends_with(" 0 kB");
    assert!(smaps.lines().any(|line| huge(&line)), "{smaps}");
}

#[test]
fn handles_go_to_other_threads() {
    fn goes<T: Send + Sync + Clone + std::fmt::Debug>(_: &T) {}
    goes(&SharedValue::new(0_u8).unwrap());
    goes(&SharedArray::<AtomicU8>::new(0).unwrap());
    assert_eq!(format!("{:?}", SharedBytes::new(3).unwrap()), r#"SharedArray { type: "u8", len: 3, .. }"#);
}
