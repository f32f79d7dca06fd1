//! Processes that are killed at random instants while they send and receive: nothing is torn, nothing sticks, nothing is left.
//!
//! There are 300 kills, and 10 000 with `EXECUTOR_LONG_TESTS=1`. `EXECUTOR_STORM_SEED` repeats a storm.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod channels;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::os::fd::AsFd;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use channels::{Dice, close_stdin, eventually, is_long, kill, role, run, start_process};
use executor_ipc::{Blob, Duplex, Receiver, RecvError, SHARED_FROM_BYTES, Sender, duplex, pipe};
use serde::{Deserialize, Serialize};

const TESTS: &[(&str, fn())] = &[
    ("senders_are_killed", || storm(senders_are_killed)),
    ("receivers_are_killed", || storm(receivers_are_killed)),
    ("either_end_is_killed", || storm(either_end_is_killed)),
];

/// How many processes live at once.
const CREW: usize = 3;

fn main() {
    let Some((role, socket)) = role() else { return run(TESTS) };
    close_stdin();
    match &*role {
        "send" => send_all(&Duplex::try_from(socket).unwrap()),
        "take" => take_all(&Duplex::try_from(socket).unwrap()),
        role => unreachable!("{role}"),
    }
}

/// Kills in each of the three storms.
fn kills() -> u64 {
    if is_long() { 3334 } else { 100 }
}

/// Runs a storm, with a seed that is told if it fails.
fn storm(storm: fn(&mut Dice)) {
    let given = env::var("EXECUTOR_STORM_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = given.unwrap_or(now);
    println!("a storm with the seed {seed}");
    // What is kept to be used again is there after this.
    let (tx, rx) = pipe::<Record>().unwrap();
    tx.send(&Record::new(0, 0, 100_000, 0)).unwrap();
    rx.recv().unwrap();
    drop((tx, rx));
    let before = channels::descriptors();
    storm(&mut Dice::new(seed));
    eventually("no descriptor is left", || channels::descriptors() <= before);
}

/// A message that shows whether it is whole.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    by: u64,
    number: u64,
    text: String,
    blob: Blob,
    /// A descriptor on its way, now and then.
    end: Option<Sender<u64>>,
}

impl Record {
    fn new(by: u64, number: u64, len: usize, blob_len: usize) -> Record {
        let end = number.is_multiple_of(10).then(|| pipe().unwrap().0);
        let blob = Blob::with_len(blob_len, |bytes| bytes.fill(number as u8));
        Record { by, number, text: text(by, number, len), blob, end }
    }

    /// One of any size: most are short, some are about as long as a packet, some are in an arena.
    fn by_chance(dice: &mut Dice, by: u64, number: u64) -> Record {
        let len = match dice.below(20) {
            0 => 65_000 + dice.below(1000),
            1 => dice.below(300_000),
            _ => dice.below(200),
        };
        let blob_len = if dice.below(40) == 0 { SHARED_FROM_BYTES } else { 0 };
        Record::new(by, number, len as usize, blob_len)
    }

    fn is_whole(&self) -> bool {
        self.text == text(self.by, self.number, self.text.len())
            && self.blob.first().is_none_or(|&byte| byte == self.number as u8)
            && self.end.is_some() == self.number.is_multiple_of(10)
    }
}

fn text(by: u64, number: u64, len: usize) -> String {
    let part = format!("{by}/{number};");
    part.repeat(len / part.len() + 1)[..len].to_owned()
}

/// Who has sent something, and which number.
type Note = (u64, u64);

/// A process that sends.
#[derive(Debug, Serialize, Deserialize)]
struct SendAll {
    by: u64,
    seed: u64,
    records: Sender<Record>,
    /// What was sent for certain.
    notes: Option<Sender<Note>>,
}

/// A process that receives, and tells what.
#[derive(Debug, Serialize, Deserialize)]
struct TakeAll {
    records: Receiver<Record>,
    notes: Option<Sender<Note>>,
}

/// Sends until it is killed, or nobody receives.
fn send_all(control: &Duplex<(), SendAll>) {
    let SendAll { by, seed, records, notes } = control.recv().unwrap();
    let mut dice = Dice::new(seed);
    control.send(&()).unwrap();
    for number in 0.. {
        if records.send(&Record::by_chance(&mut dice, by, number)).is_err() {
            return;
        }
        if let Some(notes) = notes.as_ref().filter(|_| dice.below(8) == 0) {
            notes.send(&(by, number)).unwrap();
        }
    }
}

/// Receives until it is killed, or nobody sends.
fn take_all(control: &Duplex<(), TakeAll>) {
    let TakeAll { records, notes } = control.recv().unwrap();
    control.send(&()).unwrap();
    for record in &records {
        let record = record.unwrap();
        assert!(record.is_whole());
        if let Some(notes) = &notes {
            notes.send(&(record.by, record.number)).unwrap();
        }
    }
}

/// Starts a process for this order. It is at work when this returns.
fn start<T: Serialize + serde::de::DeserializeOwned>(role: &str, order: &T) -> Child {
    let (control, theirs) = duplex::<T, ()>().unwrap();
    let child = start_process(role, theirs.as_fd());
    drop(theirs);
    control.send(order).unwrap();
    control.recv().unwrap();
    child
}

fn pause(dice: &mut Dice) {
    thread::sleep(Duration::from_micros(dice.below(3000)));
}

/// Keeps a crew of processes, and kills one after the other.
fn rage(dice: &mut Dice, mut recruit: impl FnMut(&mut Dice, u64) -> Child) {
    let mut crew: Vec<Child> = Vec::new();
    for by in 0..kills() {
        crew.push(recruit(dice, by));
        if crew.len() == CREW {
            pause(dice);
            kill(crew.remove(dice.below(CREW as u64) as usize));
        }
    }
    crew.into_iter().for_each(kill);
}

/// What came of each sender is all that it sent up to some message, and no less than it knew of.
fn senders_are_killed(dice: &mut Dice) {
    let (records, received) = pipe::<Record>().unwrap();
    let (notes, noted) = pipe::<Note>().unwrap();
    let reading = thread::spawn(move || {
        let mut counts = BTreeMap::<u64, u64>::new();
        loop {
            match received.recv() {
                Ok(record) => {
                    let count = counts.entry(record.by).or_default();
                    assert!(record.is_whole() && record.number == *count, "{} after {count}", record.number);
                    *count += 1;
                }
                Err(error) => {
                    assert!(matches!(error, RecvError::Disconnected), "{error}");
                    return counts;
                }
            }
        }
    });
    let noting = thread::spawn(move || noted.iter().map(Result::unwrap).collect::<BTreeMap<u64, u64>>());
    rage(dice, |dice, by| {
        let (records, notes) = (records.clone(), Some(notes.clone()));
        start("send", &SendAll { by, seed: dice.below(u64::MAX >> 1), records, notes })
    });
    // All senders are dead, so that these are the last.
    drop((records, notes));
    let (counts, known) = (reading.join().unwrap(), noting.join().unwrap());
    println!("{} senders killed, {} messages", kills(), counts.values().sum::<u64>());
    assert!(known.len() > kills() as usize / 10, "a storm in which nothing was sent");
    for (by, number) in known {
        assert!(counts.get(&by).is_some_and(|&count| count > number), "{by} sent {number}, and it was not received");
    }
}

/// No message is received twice, and none is missing but what a receiver took with it.
fn receivers_are_killed(dice: &mut Dice) {
    let (records, received) = pipe::<Record>().unwrap();
    let (notes, noted) = pipe::<Note>().unwrap();
    let noting = thread::spawn(move || {
        let mut seen = BTreeSet::new();
        for note in &noted {
            let (_, number) = note.unwrap();
            assert!(seen.insert(number), "{number} was received twice");
        }
        seen
    });
    static OVER: AtomicBool = AtomicBool::new(false);
    OVER.store(false, Ordering::SeqCst);
    let mut fate = Dice::new(dice.below(u64::MAX >> 1));
    let sending = thread::spawn(move || {
        let mut sent = 0;
        while !OVER.load(Ordering::SeqCst) {
            records.send(&Record::by_chance(&mut fate, 0, sent)).unwrap();
            sent += 1;
        }
        sent
    });
    rage(dice, |_, _| start("take", &TakeAll { records: received.clone(), notes: Some(notes.clone()) }));
    OVER.store(true, Ordering::SeqCst);
    // What nobody took is still there.
    for record in &received {
        let record = record.unwrap();
        assert!(record.is_whole());
        notes.send(&(0, record.number)).unwrap();
    }
    drop(notes);
    let (sent, seen) = (sending.join().unwrap(), noting.join().unwrap());
    let lost = sent - seen.len() as u64;
    println!("{} receivers killed, {sent} messages, {lost} lost with them", kills());
    assert!(seen.last().is_none_or(|&last| last < sent));
    assert!(lost <= kills(), "{lost} messages lost to {} kills", kills());
    assert!(sent > kills(), "a storm in which nothing was sent");
}

/// Whoever is left ends by itself, at once.
fn either_end_is_killed(dice: &mut Dice) {
    for round in 0..kills() {
        let (records, received) = pipe::<Record>().unwrap();
        let seed = dice.below(u64::MAX >> 1);
        let sender = start("send", &SendAll { by: round, seed, records, notes: None });
        let taker = start("take", &TakeAll { records: received, notes: None });
        pause(dice);
        let (victim, mut other) = if dice.below(2) == 0 { (sender, taker) } else { (taker, sender) };
        kill(victim);
        assert!(other.wait().unwrap().success());
    }
}
