//! Ends of channels as arguments and outputs of jobs.
//!
//! Descriptors are those of the whole process, so that one test runs after another.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod common;

use std::error::Error;
use std::time::Duration;

use common::{THREADED_METHODS, descriptors, named, watched};
use executor_core::{Executor, InlineExecutor, JobError, JobOptions, Retries, current, job};
use executor_ipc::{Duplex, Receiver, RecvError, SendError, Sender, duplex, pipe, wait_any, wait_any_timeout};
use executor_process::Process;
use executor_testkit::{Gate, Pass, eventually};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const TESTS: [(&str, fn()); 12] = [
    ("a_job_hears_the_end_of_a_stream_of_another_job", a_job_hears_the_end_of_a_stream_of_another_job),
    ("jobs_send_and_receive", jobs_send_and_receive),
    ("an_end_comes_back_as_an_output", an_end_comes_back_as_an_output),
    ("a_job_makes_a_channel_and_gives_an_end", a_job_makes_a_channel_and_gives_an_end),
    ("items_of_a_map_share_an_end", items_of_a_map_share_an_end),
    ("an_async_job_awaits_a_channel", an_async_job_awaits_a_channel),
    ("the_death_of_a_job_ends_its_stream", the_death_of_a_job_ends_its_stream),
    ("a_cancelled_job_closes_its_end", a_cancelled_job_closes_its_end),
    ("each_attempt_has_the_same_channel", each_attempt_has_the_same_channel),
    ("children_are_waited_for_beside_channels", children_are_waited_for_beside_channels),
    ("where_no_descriptors_go_it_is_a_clear_error", where_no_descriptors_go_it_is_a_clear_error),
    ("nothing_is_left_behind", nothing_is_left_behind),
];

fn main() {
    executor_process::init();
    let filter = std::env::args().nth(1).filter(|filter| !filter.starts_with('-')).unwrap_or_default();
    for (name, test) in TESTS.into_iter().filter(|(name, _)| name.contains(&filter)) {
        let watched = watched();
        test();
        drop(watched);
        println!("test {name} ... ok");
    }
}

/// Sends the numbers below `count`, and gives the end back.
#[job]
fn count(tx: Sender<u64>, count: u64) -> Result<Sender<u64>, String> {
    (0..count).try_for_each(|number| tx.send(&number)).map_err(|error| error.to_string())?;
    Ok(tx)
}

/// The sum of all numbers up to the end of the stream.
#[job]
fn total(rx: Receiver<u64>) -> Result<u64, String> {
    rx.iter().sum::<Result<u64, RecvError>>().map_err(|error| error.to_string())
}

/// The sum of as many numbers.
#[job]
fn total_of(rx: Receiver<u64>, count: usize) -> Result<u64, String> {
    rx.iter().take(count).sum::<Result<u64, RecvError>>().map_err(|error| error.to_string())
}

/// Sends one number.
#[job]
fn send_one(tx: Sender<u64>, number: u64) -> bool {
    tx.send(&number).is_ok()
}

/// Answers each number with its text, up to the end.
#[job]
fn answer(end: Duplex<String, u64>) -> u64 {
    let mut answered = 0;
    while let Ok(number) = end.recv() {
        end.send(&number.to_string()).unwrap();
        answered += 1;
    }
    answered
}

/// Makes a channel, and gives one end of it back when all is in it.
#[job]
fn counted(count: u64) -> Receiver<u64> {
    let (tx, rx) = pipe().unwrap();
    (0..count).for_each(|number| tx.send(&number).unwrap());
    rx
}

#[job]
async fn total_async(rx: Receiver<u64>, tx: Sender<u64>) {
    let mut total = 0;
    while let Ok(number) = rx.recv_async().await {
        total += number;
    }
    tx.send_async(&total).await.unwrap();
}

#[job]
fn hold(tx: Sender<u64>, pass: Pass) -> u64 {
    pass.go();
    u64::from(tx.send(&1).is_ok())
}

/// Sends the number of the attempt, and dies before the third.
#[job]
fn attempt(tx: Sender<u64>) -> u64 {
    let attempt = current().attempt();
    tx.send(&u64::from(attempt)).unwrap();
    if attempt < 3 {
        std::process::abort();
    }
    u64::from(attempt)
}

#[job]
fn descriptors_here() -> usize {
    descriptors()
}

/// The same on every backend: this one is where the jobs share the memory of the program.
fn talk(pool: &impl Executor) {
    let (tx, rx) = pipe().unwrap();
    let counting = pool.submit(count::job(tx, 100));
    assert_eq!(rx.iter().take(100).map(Result::unwrap).sum::<u64>(), 4950);
    drop(counting.result().unwrap().unwrap());
    assert!(matches!(rx.recv(), Err(RecvError::Disconnected)));
    let (tx, rx) = pipe().unwrap();
    (0..100).for_each(|number| tx.send(&number).unwrap());
    drop(tx);
    assert_eq!(pool.submit(total::job(rx)).result().unwrap(), Ok(4950));
}

fn jobs_send_and_receive() {
    talk(&InlineExecutor::new());
    for method in THREADED_METHODS {
        let pool = named("chan-talk", 2).start_method(method).build().unwrap();
        talk(&pool);
        // One job to another. The first is told how many come: while it runs, the job that sends may wait behind it for another
        // worker to take it, and with it a copy of its end.
        let (tx, rx) = pipe().unwrap();
        let adding = pool.submit(total_of::job(rx, 10_000));
        let counting = pool.submit(count::job(tx, 10_000));
        assert_eq!(adding.result().unwrap(), Ok((0..10_000).sum()));
        assert!(counting.result().unwrap().is_ok());
        let (here, there) = duplex().unwrap();
        let answering = pool.submit(answer::job(there));
        for number in 0..100 {
            here.send(&number).unwrap();
            assert_eq!(here.recv().unwrap(), number.to_string());
        }
        drop(here);
        assert_eq!(answering.result().unwrap(), 100);
    }
}

fn a_job_hears_the_end_of_a_stream_of_another_job() {
    for method in THREADED_METHODS {
        let pool = named("chan-end", 2).start_method(method).build().unwrap();
        for _ in 0..20 {
            let (tx, rx) = pipe().unwrap();
            let adding = pool.submit(total::job(rx));
            let counting = pool.submit(count::job(tx, 1000));
            drop(counting.result().unwrap().unwrap());
            assert_eq!(adding.result().unwrap(), Ok((0..1000).sum()));
        }
    }
}

fn an_end_comes_back_as_an_output() {
    let pool = named("chan-back", 1).build().unwrap();
    let (tx, rx) = pipe().unwrap();
    let mut tx = pool.submit(count::job(tx, 1)).result().unwrap().unwrap();
    for _ in 0..20 {
        tx = pool.submit(count::job(tx, 1)).result().unwrap().unwrap();
    }
    tx.send(&7).unwrap();
    drop(tx);
    let all: Vec<u64> = rx.iter().map(Result::unwrap).collect();
    assert_eq!((all.len(), all[..21].iter().sum::<u64>(), all[21]), (22, 0, 7));
}

fn a_job_makes_a_channel_and_gives_an_end() {
    let pool = named("chan-make", 1).build().unwrap();
    let rx = pool.submit(counted::job(50)).result().unwrap();
    // What is in the channel outlives those who sent it.
    drop(pool);
    assert_eq!(rx.iter().map(Result::unwrap).collect::<Vec<u64>>(), (0..50).collect::<Vec<u64>>());
}

fn items_of_a_map_share_an_end() {
    let pool = named("chan-map", 2).build().unwrap();
    let (tx, rx) = pipe().unwrap();
    let adding = std::thread::spawn(move || rx.iter().map(Result::unwrap).sum::<u64>());
    let sent = pool.map(|number| send_one::job(tx.clone(), number), 0..1000);
    assert!(sent.into_iter().all(|sent| sent.unwrap()));
    drop(tx);
    assert_eq!(adding.join().unwrap(), (0..1000).sum::<u64>());
}

fn an_async_job_awaits_a_channel() {
    let pool = named("chan-async", 1).build().unwrap();
    let (tx, rx) = pipe().unwrap();
    let (answer, sum) = pipe().unwrap();
    let adding = pool.submit(total_async::job(rx, answer));
    (0..2000).for_each(|number| tx.send(&number).unwrap());
    drop(tx);
    assert_eq!(sum.recv().unwrap(), (0..2000).sum());
    adding.result().unwrap();
}

fn the_death_of_a_job_ends_its_stream() {
    let pool = named("chan-kill", 1).build().unwrap();
    for _ in 0..5 {
        let gate = Gate::new();
        let (tx, rx) = pipe().unwrap();
        let future = pool.submit(hold::job(tx, gate.pass()));
        gate.wait_for(1);
        assert!(matches!(rx.try_recv(), Err(RecvError::Empty)));
        assert!(future.kill());
        assert!(matches!(rx.recv(), Err(RecvError::Disconnected)));
        assert!(matches!(future.result(), Err(JobError::Killed)));
        // Whoever sends hears of it too.
        let (tx, rx) = pipe().unwrap();
        let adding = pool.submit(total::job(rx));
        tx.send(&1).unwrap();
        eventually("the job begins", || adding.is_running());
        assert!(adding.kill());
        let refused = (0..1_000_000).find_map(|number| tx.send(&number).err());
        assert!(matches!(refused, Some(SendError::Disconnected)));
    }
}

fn a_cancelled_job_closes_its_end() {
    let pool = named("chan-cancel", 1).build().unwrap();
    let gate = Gate::new();
    let (first, _first_rx) = pipe().unwrap();
    let busy = pool.submit(hold::job(first, gate.pass()));
    gate.wait_for(1);
    let (tx, rx) = pipe().unwrap();
    // The first of them were sent to the worker, which has not begun them.
    let waiting: Vec<_> = (0..50).map(|number| pool.submit(send_one::job(tx.clone(), number))).collect();
    drop(tx);
    assert!(waiting.iter().all(|future| future.cancel()));
    drop(waiting);
    gate.open();
    assert_eq!(busy.result().unwrap(), 1);
    assert!(matches!(rx.recv(), Err(RecvError::Disconnected)));
}

fn each_attempt_has_the_same_channel() {
    let pool = named("chan-retry", 1).build().unwrap();
    let (tx, rx) = pipe().unwrap();
    let options = JobOptions::new().retries(Retries::times(5));
    assert_eq!(pool.submit_with(attempt::job(tx), options).result().unwrap(), 3);
    assert_eq!(rx.iter().map(Result::unwrap).collect::<Vec<u64>>(), [1, 2, 3]);
}

fn children_are_waited_for_beside_channels() {
    let ((news, paper), (end, rest)) = (pipe().unwrap(), pipe::<u64>().unwrap());
    let [(tx, child), (other_tx, other)] = [(); 2].map(|()| {
        let (tx, rx) = pipe().unwrap();
        (tx, Process::spawn(total::job(rx)).unwrap())
    });
    let handle = child.handle();
    let ready = || wait_any(&[&paper, &rest, &handle, &other]).unwrap();
    assert!(wait_any_timeout(&[&paper, &rest, &handle, &other], Duration::ZERO).unwrap().is_empty());
    tx.send(&3).unwrap();
    drop(tx);
    assert_eq!(ready(), [2]);
    news.send(&5_u64).unwrap();
    assert_eq!(ready(), [0, 2]);
    assert_eq!(child.result().unwrap(), Ok(3));
    // One that was killed has ended just so.
    assert!(other.kill().unwrap());
    other.join();
    drop(end);
    assert_eq!(ready(), [0, 1, 2, 3]);
    assert!(other.result().is_err());
    drop(other_tx);
}

fn where_no_descriptors_go_it_is_a_clear_error() {
    fn text(error: &JobError) -> String {
        assert!(matches!(error, JobError::Encode { .. }), "{error:?}");
        error.source().map(ToString::to_string).unwrap_or_default()
    }
    let why = "an end of a channel goes only where descriptors go";
    // An output has nothing that goes beside its bytes, where its owner has little room for descriptors.
    let pool = named("chan-scarce", 1).build().unwrap();
    let (tx, rx) = pipe().unwrap();
    let tx = pool.submit(count::job(tx, 1)).result().unwrap().unwrap();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // Half of it is a few more than there are.
    setrlimit(Resource::RLIMIT_NOFILE, 2 * descriptors() as u64 + 20, hard).unwrap();
    let mut kept = Vec::new();
    let error = loop {
        match pool.submit(count::job(tx.clone(), 0)).result() {
            Ok(end) => kept.push(end),
            Err(error) => break error,
        }
    };
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    drop(kept);
    assert!(text(&error).contains(why), "{}", text(&error));
    eventually("there is room again", || pool.submit(count::job(tx.clone(), 0)).result().is_ok());
    assert_eq!(rx.recv().unwrap(), 0);
}

fn nothing_is_left_behind() {
    let pool = named("chan-left", 1).build().unwrap();
    let round = || {
        talk(&pool);
        let unread: Vec<_> = (0..5).map(|_| pool.submit(counted::job(3))).collect();
        unread.iter().for_each(|future| future.wait());
    };
    round();
    let there = || pool.submit(descriptors_here::job()).result().unwrap();
    let (here, before) = (descriptors(), there());
    (0..50).for_each(|_| round());
    eventually("the worker has no more descriptors than before", || there() <= before);
    eventually("the owner has no more descriptors than before", || descriptors() <= here);
}
