//! Handles: as they travel, what they say, and on which threads they and their guards can be.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::thread;

use executor_ipc::attach::{collect, supply};
use executor_ipc::sync::{
    Mutex, MutexGuard, OwnerDied, ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{panics, sent};

/// Law 248.
#[test]
fn the_debug_text_names_who_has_it() {
    let (mutex, reentrant, rw_lock) = (Mutex::new(0_u8), ReentrantMutex::new(0_u8), RwLock::new(0_u8));
    let (mutex, reentrant, rw_lock) = (mutex.unwrap(), reentrant.unwrap(), rw_lock.unwrap());
    assert_eq!(format!("{mutex:?}"), "Mutex { holder: None, .. }");
    assert_eq!(format!("{reentrant:?}"), "ReentrantMutex { holder: None, depth: 0, .. }");
    assert_eq!(format!("{rw_lock:?}"), "RwLock { writer: None, readers: [], .. }");
    let holder = thread::Builder::new().name("the holder".into()).spawn(move || {
        let thread = rustix::thread::gettid().as_raw_nonzero();
        let me = format!("thread {thread} \"the holder\" of process {}", std::process::id());
        let held =
            (mutex.lock().unwrap(), reentrant.lock().unwrap(), reentrant.lock().unwrap(), rw_lock.read().unwrap());
        assert_eq!(format!("{mutex:?}"), format!("Mutex {{ holder: Some({me}), .. }}"));
        assert_eq!(format!("{reentrant:?}"), format!("ReentrantMutex {{ holder: Some({me}), depth: 2, .. }}"));
        assert_eq!(format!("{rw_lock:?}"), format!("RwLock {{ writer: None, readers: [{me}], .. }}"));
        drop(held);
        let written = rw_lock.write().unwrap();
        assert_eq!(format!("{rw_lock:?}"), format!("RwLock {{ writer: Some({me}), readers: [], .. }}"));
        drop(written);
    });
    holder.unwrap().join().unwrap();
}

#[test]
fn one_lock_that_came_twice_is_one_lock() {
    let mutex = Mutex::new(1).unwrap();
    let same = sent(&mutex);
    let guard = mutex.lock().unwrap();
    assert!(same.is_locked() && same.try_lock().is_err());
    assert!(panics(|| drop(same.lock())).contains("would wait for itself"));
    drop(guard);
    *same.lock().unwrap() += 1;
    drop(same);
    assert_eq!(*mutex.lock().unwrap(), 2);

    // The C library has the address of the first lock of a thread in its list, whichever handle gives it up.
    let other = Mutex::new(0).unwrap();
    for _ in 0..100 {
        let mutex = ReentrantMutex::new(1).unwrap();
        let (same, third) = (sent(&mutex), sent(&mutex));
        let first = mutex.lock().unwrap();
        let second = same.lock().unwrap();
        drop(first);
        drop(mutex);
        assert!(thread::scope(|scope| scope.spawn(|| third.try_lock().is_err()).join().unwrap()));
        *other.lock().unwrap() += 1;
        second.set(2);
        drop(second);
        assert_eq!(thread::scope(|scope| scope.spawn(|| third.try_lock().unwrap().get()).join().unwrap()), 2);
    }
}

#[test]
fn a_handle_of_another_kind_is_refused() {
    fn refusal<T: DeserializeOwned>(object: &impl Serialize) -> String {
        let (bytes, attachments) = collect(|| serde_json::to_string(object).unwrap());
        supply(attachments, || serde_json::from_str::<T>(&bytes).map(drop).unwrap_err().to_string())
    }
    let mutex = Mutex::new(0_u32).unwrap();
    let said = refusal::<ReentrantMutex<u32>>(&mutex);
    assert_eq!(said, "this ReentrantMutex<u32> cannot be taken in: it was sent as Mutex");
    let said = refusal::<Mutex<[u64; 4]>>(&mutex);
    assert_eq!(
        said,
        "this Mutex<[u64; 4]> cannot be taken in: it was sent as Mutex, with values of 4 bytes aligned to 4"
    );
    assert!(refusal::<Mutex<f32>>(&mutex).ends_with("with values of another type"));
    assert!(refusal::<Mutex<u32>>(&RwLock::new(0_u32).unwrap()).ends_with("it was sent as RwLock"));
    let said = postcard::to_stdvec(&mutex).map(drop).unwrap_err();
    assert_eq!(said, postcard::Error::SerdeSerCustom);
    let said = serde_json::to_string(&mutex).unwrap_err().to_string();
    assert!(said.starts_with("this Mutex cannot be written into bytes: send it as a job argument"), "{said}");
}

#[test]
fn values_may_want_any_alignment() {
    #[repr(C, align(4096))]
    #[derive(Clone, Copy, bytemuck::AnyBitPattern)]
    struct Page([u8; 4096]);
    let mutex = Mutex::new(Page([7; 4096])).unwrap();
    let same = sent(&mutex);
    let guard = same.lock().unwrap();
    assert!(guard.0 == [7; 4096] && (&raw const *guard).addr().is_multiple_of(4096));
    let nothing = Mutex::new(()).unwrap();
    drop(sent(&nothing).lock().unwrap());
}

#[test]
fn handles_go_to_other_threads_and_guards_do_not() {
    fn goes<T: Send + Sync + Clone + UnwindSafe + RefUnwindSafe>() {}
    goes::<Mutex<u8>>();
    goes::<ReentrantMutex<u8>>();
    goes::<RwLock<u8>>();
    fn is_shared<T: Sync>() {}
    is_shared::<MutexGuard<'_, u8>>();
    is_shared::<RwLockReadGuard<'_, u8>>();
    is_shared::<RwLockWriteGuard<'_, u8>>();
    is_shared::<OwnerDied<MutexGuard<'_, u8>>>();

    // For what goes to other threads it could be either of them, and would not compile.
    trait StaysIf<Why> {
        fn stays() {}
    }
    struct Goes;
    impl<T: ?Sized> StaysIf<()> for T {}
    impl<T: ?Sized + Send> StaysIf<Goes> for T {}
    <MutexGuard<'_, u8> as StaysIf<_>>::stays();
    <ReentrantMutexGuard<'_, u8> as StaysIf<_>>::stays();
    <RwLockReadGuard<'_, u8> as StaysIf<_>>::stays();
    <RwLockWriteGuard<'_, u8> as StaysIf<_>>::stays();
    <OwnerDied<MutexGuard<'_, u8>> as StaysIf<_>>::stays();
}
