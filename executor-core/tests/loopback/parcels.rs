//! What a parcel is and what becomes of its jobs, seen on a [`Shelf`].

use std::cell::Cell;
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use executor_core::backend::{Arrived, Callbacks, Parcel, Tally, table};
use executor_core::{
    AnyJob, Executor, JobError, JobHandle, JobOptions, JobState, MapOptions, Retries, current, job, on_unread_failure,
};
use executor_testkit::jobs::{self, DropCount, Fault, Faulty};
use executor_testkit::{Log, Pen, check};

use crate::conformance::Loop;
use crate::shelf::{Shelf, Uncounted, claim, run};

/// Runs `test` in its turn among the laws, because there is one hook for the program.
fn alone(name: &'static str, test: impl FnOnce()) {
    let verdict = check::<Loop>(name, |_| {
        test();
        Ok(())
    });
    verdict.unwrap();
}

/// What the hook is told from now on.
fn listen() -> Arc<Mutex<Vec<String>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    on_unread_failure(move |failure| tell.lock().unwrap().push(failure.to_string()));
    told
}

/// A callback that says so when it is called.
fn called(handle: &JobHandle) -> Receiver<JobState> {
    let (tx, rx) = channel();
    handle.on_done(move |job| tx.send(job.state()).unwrap());
    rx
}

#[test]
fn what_a_job_captured_is_dropped_before_the_submit_returns() {
    let shelf = Shelf::new();
    let drops = DropCount::new();
    let future = shelf.submit(jobs::hold_witness::job(drops.witness()));
    assert_eq!((drops.get(), future.state()), (1, JobState::Pending));
    drop(shelf.map(jobs::hold_witness::job, [drops.witness()]));
    assert_eq!(drops.get(), 2);
    drop(shelf.map_unordered(jobs::hold_witness::job, [drops.witness()]));
    assert_eq!(drops.get(), 3);
    drop(shelf.submit_wait(jobs::hold_witness::job(drops.witness())));
    assert_eq!(drops.get(), 4);
}

#[test]
fn a_job_that_cannot_be_encoded_is_not_sent() {
    let shelf = Shelf::new();
    let bad = || jobs::take_badly::job(Faulty(Fault::EncodeError));
    assert!(matches!(shelf.submit(bad()).result(), Err(JobError::Encode { .. })));
    assert!(matches!(shelf.try_submit(bad()).unwrap().result(), Err(JobError::Encode { .. })));
    let named = shelf.submit_with(bad(), JobOptions::new().name("bad"));
    assert!(matches!(named.result(), Err(JobError::Encode { .. })));
    let one = [Faulty(Fault::EncodeError)];
    assert!(matches!(shelf.map(jobs::take_badly::job, one).next(), Some(Err(JobError::Encode { .. }))));
    assert!(matches!(shelf.map_unordered(jobs::take_badly::job, one).next(), Some(Err(JobError::Encode { .. }))));
    assert!(shelf.take().is_none(), "a job was sent that could not be encoded");
}

#[test]
fn a_job_that_was_given_back_is_whole_and_nobody_hears_of_a_failure() {
    alone("a_job_that_was_given_back_is_whole", || {
        let told = listen();
        let shelf = Shelf::new();
        shelf.full.store(true, Ordering::SeqCst);
        let drops = DropCount::new();
        let refused = shelf.try_submit(jobs::hold_witness::job(drops.witness())).unwrap_err();
        assert!(refused.is_full());
        assert_eq!(drops.get(), 0);
        drop(refused.into_job());
        assert_eq!(drops.get(), 1);
        assert_eq!(*told.lock().unwrap(), [""; 0]);
    });
}

#[test]
fn a_submit_that_is_given_up_is_no_failure() {
    alone("a_submit_that_is_given_up_is_no_failure", || {
        let told = listen();
        let shelf = Shelf::new();
        drop(shelf.submit_wait(jobs::echo::job(1)));
        shelf.full.store(true, Ordering::SeqCst);
        {
            let mut waits = pin!(shelf.submit_wait(jobs::echo::job(2)));
            assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        let inline = executor_core::InlineExecutor::new();
        drop(inline.submit_wait(jobs::echo::job(3)));
        assert_eq!(*told.lock().unwrap(), [""; 0]);
    });
}

#[test]
fn a_dropped_parcel_loses_its_jobs() {
    let shelf = Shelf::new();
    let future = shelf.submit(jobs::echo::job(1));
    let parcel = shelf.take().unwrap();
    let rx = called(&future.handle());
    drop(parcel);
    assert_eq!(rx.try_recv(), Ok(JobState::Finished));
    assert!(matches!(future.result(), Err(JobError::Lost { .. })));
    let mut map = shelf.map_with(jobs::echo::job, 0..3, MapOptions::new().window(3)).unwrap();
    while let Some(parcel) = shelf.take() {
        drop(parcel);
    }
    assert!(map.all(|outcome| matches!(outcome, Err(JobError::Lost { .. }))));
}

#[test]
fn an_item_that_cannot_be_encoded_fails_alone_in_its_chunk() {
    let shelf = Shelf::new();
    let fault = |index: u32| if index % 10 == 7 { Fault::EncodePanic } else { Fault::None };
    let options = MapOptions::new().window(64);
    let read = AtomicBool::new(false);
    let (longest, incomplete) = thread::scope(|scope| {
        // Runs what comes, as long as the map is read.
        let serves = scope.spawn(|| {
            let (mut longest, mut incomplete) = (0, 0);
            while !read.load(Ordering::SeqCst) {
                let Some(parcel) = shelf.take() else {
                    thread::yield_now();
                    continue;
                };
                // Short items come in long chunks.
                parcel.learn(1000, Duration::from_micros(1));
                longest = longest.max(parcel.items());
                incomplete += u32::from(parcel.pending() < parcel.items() as usize);
                drop(run(&parcel));
            }
            (longest, incomplete)
        });
        let map = shelf.map_with(|index| jobs::arrive_badly::job(Faulty(fault(index))), 0..300, options).unwrap();
        let outcomes: Vec<_> = map.collect();
        read.store(true, Ordering::SeqCst);
        assert_eq!(outcomes.len(), 300);
        for (index, outcome) in (0..).zip(outcomes) {
            match outcome {
                Ok(value) => assert_eq!((value, fault(index)), (Faulty(Fault::None), Fault::None)),
                Err(error) => assert!(matches!(error, JobError::Encode { .. }) && fault(index) != Fault::None),
            }
        }
        serves.join().unwrap()
    });
    assert!(longest > 1 && incomplete > 0, "no chunk had several items: {longest}, {incomplete}");
    assert_eq!(shelf.accepted.load(Ordering::SeqCst), 270, "what cannot be encoded is counted");
}

#[test]
fn code_of_the_users_is_left_to_the_caller() {
    let arrives = |parcel: &Parcel| run(parcel).pop().and_then(|landed| landed.callbacks);
    let fails = |parcel: &Parcel| {
        let error = JobError::Broken { cause: "a test".to_owned() };
        claim(parcel, 0).fail_quietly(error, Some(&Uncounted))
    };
    let ends: [fn(&Parcel) -> Option<Callbacks>; 2] = [arrives, fails];
    // They are called, or dropped, which calls them too.
    let calls: [fn(Callbacks); 2] = [Callbacks::call, drop];
    let shelf = Shelf::new();
    for (end, call) in ends.into_iter().zip(calls) {
        let future = shelf.submit(jobs::echo::job(1));
        let rx = called(&future.handle());
        let callbacks = end(&shelf.take().unwrap()).expect("there is a callback");
        assert!(future.is_done() && rx.try_recv().is_err());
        call(callbacks);
        assert_eq!(rx.try_recv(), Ok(JobState::Finished));
        drop(future.result());
    }
}

#[test]
fn a_retry_has_the_bytes_of_the_first_attempt() {
    let shelf = Shelf::new();
    let log = Log::new();
    let options = JobOptions::new().name("again").retries(Retries::times(5));
    let future = shelf.submit_with(jobs::fail_before::job(log.pen(), 3), options.clone());
    let parcel = shelf.take().unwrap();
    let sent = parcel.arguments(0).to_vec();
    let retry = run(&parcel).pop().unwrap().retry.unwrap();
    assert_eq!(future.state(), JobState::Running);
    assert_eq!((parcel.arguments(0), parcel.pending()), (&*sent, 0));
    let told = parcel.options().unwrap();
    assert_eq!((told.name, told.attempt), (Some("again"), 2));
    let rx = called(&future.handle());
    let callbacks = retry.into_claim().give_up_quietly(&Uncounted).unwrap();
    drop(parcel);
    assert!(rx.try_recv().is_err());
    callbacks.call();
    assert_eq!((rx.try_recv(), future.result().unwrap()), (Ok(JobState::Finished), Err(1)));
}

#[test]
fn a_kill_that_was_decided_overrules_what_arrives() {
    let shelf = Shelf::new();
    let future = shelf.submit_with(jobs::echo::job(1), JobOptions::new().retries(Retries::times(3)));
    let parcel = shelf.take().unwrap();
    assert!(!parcel.job(0).decide_kill(), "it has not begun");
    let claim = claim(&parcel, 0);
    assert!(parcel.job(0).decide_kill());
    assert_eq!(future.state(), JobState::Running);
    let lost = Arrived::Failed(JobError::Lost { job: "echo".to_owned() });
    assert!(claim.arrive(lost, &Uncounted).retry.is_none(), "a killed job is tried again");
    assert!(matches!(future.result(), Err(JobError::Killed)));
}

#[test]
fn a_request_to_stop_and_progress_are_passed_on() {
    let shelf = Shelf::new();
    let future = shelf.submit(jobs::echo::job(1));
    future.request_stop();
    let parcel = shelf.take().unwrap();
    assert!(parcel.job(0).stop_requested());
    parcel.job(0).set_progress(3, 4);
    assert_eq!(future.handle().progress(), Some((3, 4)));
    drop(run(&parcel));
    assert_eq!(future.handle().progress(), Some((3, 4)));
    assert_eq!(future.result().unwrap(), 1);
}

/// Hangs a callback on itself, which writes 1 if it is told of a failure and 2 if not.
#[job]
fn watch_itself(pen: Pen, fail: bool) -> Result<(), ()> {
    let handle = current().handle().ok_or(())?;
    handle.on_done(move |job| {
        pen.write(if job.is_failed() { 1 } else { 2 });
    });
    if fail { Err(()) } else { Ok(()) }
}

#[test]
fn who_waits_for_a_guest_where_it_runs_is_told() {
    let shelf = Shelf::new();
    let log = Log::new();
    let futures = [true, false].map(|fail| shelf.submit(watch_itself::job(log.pen(), fail)));
    while let Some(parcel) = shelf.take() {
        drop(run(&parcel));
    }
    assert_eq!(log.entries(), [1, 2]);
    assert_eq!(futures.map(|future| future.result().unwrap()), [Err(()), Ok(())]);
}

#[job(name = "loopback.double")]
fn double(value: u64) -> u64 {
    2 * value
}

#[test]
fn every_job_has_its_number_in_the_table() {
    let shelf = Shelf::new();
    let future = shelf.submit(double::job(4));
    let other = shelf.submit(jobs::echo::job(4));
    let any: Box<dyn AnyJob> = Box::new(double::job(5));
    let any = shelf.submit(any);
    let numbers: Vec<_> = std::iter::from_fn(|| shelf.take())
        .map(|parcel| {
            let number = table().index_of(parcel.entry()).expect("the job is registered");
            assert!(std::ptr::eq(table().entry(number).unwrap(), parcel.entry()));
            drop(run(&parcel));
            number
        })
        .collect();
    assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2] && numbers[0] != numbers[2]);
    assert_eq!((future.result().unwrap(), other.result().unwrap()), (8, 4));
    assert_eq!(any.result().unwrap().get::<u64>().unwrap(), 10);
    assert!(table().entry(u32::MAX).is_none());
}

/// Counts the jobs that failed behind their counting.
#[derive(Default)]
struct Recount(Cell<u32>);

impl Tally for Recount {
    fn begun(&self) {
        panic!("no job begins in its cell");
    }

    fn ended(&self, _: bool) {
        panic!("a row is counted before it ends");
    }

    fn overruled(&self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Numbers one behind the other, as the codec has them, and where each is.
fn encoded(numbers: impl IntoIterator<Item = u8>) -> (Arc<Vec<u8>>, Vec<Range<u32>>) {
    let bytes: Vec<u8> = numbers.into_iter().inspect(|number| assert!(*number < 0x80)).collect();
    let parts = (0..bytes.len() as u32).map(|at| at..at + 1).collect();
    (Arc::new(bytes), parts)
}

#[test]
fn a_row_of_outputs_ends_its_jobs() {
    let shelf = Shelf::new();
    let mut map = shelf.map(jobs::echo::job, 0..3_u64);
    let mut futures = vec![shelf.submit(jobs::echo::job(7))];
    let mut parcels: Vec<Arc<Parcel>> = std::iter::from_fn(|| shelf.take()).collect();
    let one = parcels.pop().unwrap();
    let mut expected = Vec::new();
    for parcel in parcels.drain(..) {
        let row = parcel.claim_row(0, parcel.items());
        assert!((0..parcel.items()).all(|item| parcel.job(item).claim().is_none()), "the row has them");
        let (buffer, parts) = encoded((0..parcel.items()).map(|item| expected.len() as u8 + item as u8 + 1));
        expected.extend(buffer.iter().map(|&byte| u64::from(byte)));
        assert!(row.arrive(&buffer, &parts, &Recount::default()).is_empty());
    }
    while expected.len() < 3 {
        // A map sends its later items once it has room.
        let Some(Ok(value)) = map.next() else { panic!("the first have arrived") };
        assert_eq!(value, expected.remove(0));
        let Some(parcel) = shelf.take() else { break };
        let row = parcel.claim_row(0, parcel.items());
        let (buffer, parts) = encoded((0..parcel.items()).map(|item| 100 + item as u8));
        expected.extend(buffer.iter().map(|&byte| u64::from(byte)));
        drop(row.arrive(&buffer, &parts, &Recount::default()));
    }
    for value in expected {
        assert_eq!(map.next().unwrap().unwrap(), value);
    }
    let called = called(&futures[0].handle());
    let row = one.claim_row(0, 1);
    assert_eq!(futures[0].state(), JobState::Running);
    let (buffer, parts) = encoded([99, 70]);
    let callbacks = row.arrive(&buffer, &parts[1..], &Recount::default());
    assert_eq!(futures[0].state(), JobState::Finished);
    assert!(called.try_recv().is_err(), "callbacks are left to the backend");
    callbacks.into_iter().for_each(Callbacks::call);
    assert_eq!(called.recv().unwrap(), JobState::Finished);
    assert_eq!(futures.pop().unwrap().result().unwrap(), 70);
}

#[test]
fn a_row_leaves_alone_what_others_have_ended() {
    let shelf = Shelf::new();
    let cancelled = shelf.submit(jobs::echo::job(1));
    let parcel = shelf.take().unwrap();
    assert!(parcel.job(0).withdraw(|| {}));
    let row = parcel.claim_row(0, 1);
    let (buffer, parts) = encoded([5]);
    assert!(row.arrive(&buffer, &parts, &Recount::default()).is_empty());
    assert!(matches!(cancelled.result(), Err(JobError::Cancelled)));
}

#[test]
fn a_job_that_is_killed_in_the_last_moment_is_counted_anew() {
    let shelf = Shelf::new();
    let future = shelf.submit(jobs::echo::job(1));
    let parcel = shelf.take().unwrap();
    let row = parcel.claim_row(0, 1);
    assert!(parcel.job(0).decide_kill());
    let (buffer, parts) = encoded([5]);
    let recount = Recount::default();
    drop(row.arrive(&buffer, &parts, &recount));
    assert_eq!(recount.0.get(), 1);
    assert!(matches!(future.result(), Err(JobError::Killed)));
}

#[test]
fn a_dropped_row_loses_its_jobs() {
    let shelf = Shelf::new();
    let mut map = shelf.map(jobs::echo::job, 0..4_u64);
    while let Some(parcel) = shelf.take() {
        drop(parcel.claim_row(0, parcel.items()));
    }
    assert!(matches!(map.next(), Some(Err(JobError::Lost { .. }))));
}
