//! What travels beside the bytes of jobs and outputs, seen on a [`Shelf`] whose carrier keeps notes.

use std::cell::RefCell;
use std::sync::Arc;

use executor_core::backend::{Attachments, Carrier};
use executor_core::{Executor, JobError, JobOptions, Retries, current, job};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::shelf::{Shelf, run, run_by};

thread_local! {
    /// One for each message that was begun, the innermost last.
    static LEAVING: RefCell<Vec<Vec<Arc<str>>>> = const { RefCell::new(Vec::new()) };
    static ARRIVED: RefCell<Option<Vec<Arc<str>>>> = const { RefCell::new(None) };
}

/// Carries notes, which cannot be written into bytes.
struct Notes;

static NOTES: &dyn Carrier = &Notes;

impl Carrier for Notes {
    fn open(&self) {
        LEAVING.with_borrow_mut(|messages| messages.push(Vec::new()));
    }

    fn close(&self) -> Option<Attachments> {
        let notes = LEAVING.with_borrow_mut(|messages| messages.pop()).expect("a message was begun");
        (!notes.is_empty()).then(|| Arc::new(notes) as Attachments)
    }

    fn supply(&self, attachments: &Attachments, decode: &mut dyn FnMut()) {
        let notes = attachments.downcast_ref::<Vec<Arc<str>>>().unwrap();
        let before = ARRIVED.replace(Some(notes.clone()));
        decode();
        ARRIVED.replace(before);
    }
}

/// A value that is encoded as the number of its note, and panics while it is encoded if there is nothing on it.
#[derive(Clone, Debug, PartialEq)]
struct Note(Arc<str>);

impl Note {
    fn new(text: &str) -> Self {
        Note(text.into())
    }
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = LEAVING.with_borrow_mut(|leaving| {
            let notes = leaving.last_mut()?;
            notes.push(Arc::clone(&self.0));
            Some(notes.len() as u32 - 1)
        });
        assert!(!self.0.is_empty(), "{} an empty note", executor_testkit::ON_PURPOSE);
        number.ok_or_else(|| serde::ser::Error::custom("nothing carries notes here"))?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Note {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        let note = ARRIVED.with_borrow(|arrived| arrived.as_ref()?.get(number as usize).cloned());
        note.map(Note).ok_or_else(|| D::Error::custom("no note came"))
    }
}

#[job]
fn sign(note: Note, name: &str) -> Note {
    // The job itself is outside: nothing is attached, and nothing found.
    assert!(LEAVING.with_borrow(Vec::is_empty) && ARRIVED.with_borrow(Option::is_none));
    Note::new(&format!("{} {name}", note.0))
}

#[job]
fn sign_at_last(note: Note) -> Result<Note, Note> {
    if current().attempt() < 3 { Err(note) } else { Ok(note) }
}

#[job]
fn length(bytes: Vec<u8>) -> usize {
    bytes.len()
}

#[test]
fn arguments_and_outputs_have_what_was_attached() {
    let shelf = Shelf::carrying(NOTES);
    let future = shelf.submit(sign::job(Note::new("read"), "me"));
    let parcel = shelf.take().unwrap();
    assert!(parcel.attachments(0).is_some() && parcel.attachments(1).is_none());
    drop(run_by(Some(NOTES), &parcel));
    assert_eq!(future.result().unwrap(), Note::new("read me"));
}

#[test]
fn what_attaches_nothing_travels_as_ever() {
    let shelf = Shelf::carrying(NOTES);
    let future = shelf.submit(length::job(vec![1; 40_000]));
    let parcel = shelf.take().unwrap();
    assert!(parcel.attachments(0).is_none());
    drop(run_by(Some(NOTES), &parcel));
    assert_eq!(future.result().unwrap(), 40_000);
}

#[test]
fn each_item_of_a_map_has_its_own() {
    let shelf = Shelf::carrying(NOTES);
    let texts = ["a", "", "b", "c"];
    let mut results = shelf.map_unordered(|text| sign::job(Note::new(text), "x"), texts);
    let mut parcels: Vec<_> = std::iter::from_fn(|| shelf.take()).collect();
    let items: u32 = parcels.iter().map(|parcel| parcel.items()).sum();
    assert!(items >= 3, "{items}");
    for parcel in &mut parcels {
        for item in 0..parcel.items() {
            // The one that could not be encoded has left nothing.
            assert_eq!(parcel.attachments(item).is_some(), parcel.is_pending(item));
        }
        drop(run_by(Some(NOTES), parcel));
    }
    let mut signed: Vec<String> = Vec::new();
    let mut failed = 0;
    for result in results.by_ref() {
        match result {
            Ok(note) => signed.push(note.0.to_string()),
            Err(JobError::Encode { .. }) => failed += 1,
            Err(error) => unreachable!("{error}"),
        }
    }
    signed.sort_unstable();
    assert_eq!((signed.join(","), failed), ("a x,b x,c x".to_owned(), 1));
}

#[test]
fn another_attempt_has_the_same_again() {
    let shelf = Shelf::carrying(NOTES);
    let options = JobOptions::new().retries(Retries::times(5));
    let note = Note::new("again");
    let future = shelf.submit_with(sign_at_last::job(note.clone()), options);
    let parcel = shelf.take().unwrap();
    let before = Arc::strong_count(&note.0);
    let mut claim = None;
    for _ in 0..3 {
        let landed = crate::shelf::attempt(NOTES, &parcel, claim.take());
        claim = landed.retry.map(executor_core::backend::Retry::into_claim);
    }
    assert!(claim.is_none() && Arc::strong_count(&note.0) >= before);
    assert_eq!(future.result().unwrap().unwrap(), note);
    drop(parcel);
    // With the parcel and the outcome all copies are gone.
    assert_eq!(Arc::strong_count(&note.0), 1);
}

#[test]
fn without_a_carrier_nothing_can_be_attached() {
    let shelf = Shelf::new();
    let error = shelf.submit(sign::job(Note::new("read"), "me")).result().unwrap_err();
    assert!(error.to_string().contains("sign"), "{error}");
    let future = shelf.submit(length::job(vec![1; 4]));
    drop(run(&shelf.take().unwrap()));
    assert_eq!(future.result().unwrap(), 4);
}
