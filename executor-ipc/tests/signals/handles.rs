//! Handles: what they say, and where they go.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::thread::{self};

use executor_ipc::attach::{collect, supply};
use executor_ipc::sync::{Barrier, Condvar, Event, Semaphore};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::until;

#[test]
fn the_debug_texts_tell_the_state() {
    let semaphore = Semaphore::new(3).unwrap();
    assert_eq!(format!("{semaphore:?}"), "Semaphore { available_permits: 3, .. }");
    let bounded = Semaphore::bounded(3).unwrap();
    let permit = bounded.acquire();
    assert_eq!(format!("{bounded:?}"), "Semaphore { available_permits: 2, bound: 3, .. }");
    assert!(format!("{permit:?}").starts_with("SemaphorePermit { semaphore: Semaphore"));
    let event = Event::new().unwrap();
    assert_eq!(format!("{event:?}"), "Event { is_set: false, .. }");
    assert_eq!(format!("{:?}", Condvar::new().unwrap()), "Condvar { waiting: 0, .. }");
    let barrier = Barrier::new(2).unwrap();
    assert_eq!(format!("{barrier:?}"), "Barrier { parties: 2, waiting: 0, broken: None, .. }");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| barrier.wait());
        until("it waits", || format!("{barrier:?}").contains("waiting: 1"));
        barrier.abort();
        waiting.join().unwrap().unwrap_err();
    });
    assert_eq!(format!("{barrier:?}"), "Barrier { parties: 2, waiting: 0, broken: Some(Aborted), .. }");
}

#[test]
fn a_handle_of_another_kind_is_refused() {
    fn refusal<T: DeserializeOwned>(object: &impl Serialize) -> String {
        let (bytes, attachments) = collect(|| serde_json::to_string(object).unwrap());
        supply(attachments, || serde_json::from_str::<T>(&bytes).map(drop).unwrap_err().to_string())
    }
    let semaphore = Semaphore::new(1).unwrap();
    assert_eq!(refusal::<Event>(&semaphore), "this Event cannot be taken in: it was sent as Semaphore");
    assert_eq!(refusal::<Barrier>(&Condvar::new().unwrap()), "this Barrier cannot be taken in: it was sent as Condvar");
    let said = serde_json::to_string(&semaphore).unwrap_err().to_string();
    assert!(said.starts_with("this Semaphore cannot be written into bytes: send it as a job argument"), "{said}");
}

#[test]
fn handles_go_to_other_threads() {
    fn goes<T: Send + Sync + Clone + UnwindSafe + RefUnwindSafe>() {}
    goes::<Semaphore>();
    goes::<Condvar>();
    goes::<Event>();
    goes::<Barrier>();
    fn is_shared<T: Send + Sync>() {}
    is_shared::<executor_ipc::sync::SemaphorePermit<'_>>();
}
