//! Jobs whose arguments and outputs are handles of `executor-ipc`, passed through the codec in this process: what a unit test of
//! such a job does, without a worker.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::sync::atomic::{AtomicU64, Ordering};

use executor_core::{Executor, InlineExecutor, JobOptions, Retries, job};
use executor_ipc::sync::{Barrier, Condvar, Event, Mutex, ReentrantMutex, RwLock, Semaphore};
use executor_ipc::{Blob, Duplex, Queue, Receiver, Sender, SharedArray, SharedValue, duplex, pipe};
// It carries descriptors, once it is linked.
use executor_process as _;
use executor_testkit::assert_travels;

fn inline() -> InlineExecutor {
    InlineExecutor::builder().encode(true).build().unwrap()
}

/// Sends the numbers on, each raised by one.
#[job]
fn relay(from: Receiver<u64>, to: Sender<u64>) -> u64 {
    from.iter().map(|number| to.send(&(number.unwrap() + 1)).unwrap()).count() as u64
}

#[job]
fn put_all(queue: Queue<u64>, numbers: Vec<u64>) {
    numbers.iter().for_each(|number| queue.put(number).unwrap());
}

#[job]
fn raise(mutex: Mutex<u64>, value: SharedValue<AtomicU64>, elements: SharedArray<u32>) -> SharedArray<u32> {
    *mutex.lock().unwrap() += 1;
    value.fetch_add(2, Ordering::Relaxed);
    elements.lock().unwrap().iter_mut().for_each(|element| *element += 3);
    elements.slice(1..)
}

#[job]
fn use_locks(locks: (ReentrantMutex<u8>, RwLock<u8>), waits: (Semaphore, Condvar, Event, Barrier)) {
    locks.0.lock().unwrap().set(1);
    *locks.1.write().unwrap() = 2;
    waits.0.release().unwrap();
    waits.1.notify_one();
    waits.2.set();
    waits.3.abort();
}

#[job]
fn answer(end: Duplex<Blob, u64>) -> Blob {
    let length = end.recv().unwrap();
    let blob = Blob::with_len(length as usize, |bytes| bytes.fill(7));
    end.send(&blob).unwrap();
    blob
}

/// Fails at first, and then has its handle still.
#[job]
fn retried(mutex: Mutex<u64>) -> Result<u64, String> {
    let mut times = mutex.lock().unwrap();
    *times += 1;
    if *times < 3 { Err(format!("try {times}")) } else { Ok(*times) }
}

#[test]
fn channels_pass() {
    let ((tx, from), (to, rx)) = (pipe().unwrap(), pipe().unwrap());
    (0..3).for_each(|number| tx.send(&number).unwrap());
    drop(tx);
    assert_eq!(inline().submit(relay::job(from, to)).result().unwrap(), 3);
    // The job has dropped the only sender.
    assert_eq!(rx.iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn queues_pass() {
    let queue = Queue::unbounded().unwrap();
    inline().submit(put_all::job(queue.clone(), vec![1, 2])).result().unwrap();
    assert_eq!([queue.get().unwrap(), queue.get().unwrap()], [1, 2]);
}

#[test]
fn locks_and_shared_values_pass_and_come_back() {
    let (mutex, value) = (Mutex::new(0).unwrap(), SharedValue::new(AtomicU64::new(0)).unwrap());
    let elements = SharedArray::from_slice(&[1, 2, 3]).unwrap();
    let pool = inline();
    let jobs = (0..5).map(|_| raise::job(mutex.clone(), value.clone(), elements.clone()));
    for back in pool.map(|job| job, jobs) {
        let back = back.unwrap();
        assert_eq!(back.len(), 2);
        back.lock().unwrap()[1] += 1;
    }
    assert_eq!((*mutex.lock().unwrap(), value.load(Ordering::Relaxed)), (5, 10));
    assert_eq!(elements.lock().unwrap()[..], [16, 17, 23]);
    let locks = (ReentrantMutex::new(0).unwrap(), RwLock::new(0).unwrap());
    let waits = (Semaphore::new(0).unwrap(), Condvar::new().unwrap(), Event::new().unwrap(), Barrier::new(2).unwrap());
    pool.submit(use_locks::job(locks.clone(), waits.clone())).result().unwrap();
    assert_eq!((locks.0.lock().unwrap().get(), *locks.1.read().unwrap()), (1, 2));
    assert!(waits.0.try_acquire().is_some() && waits.2.is_set() && waits.3.is_broken());
}

#[test]
fn blobs_pass_and_messages_of_them() {
    let (asks, answers) = duplex::<u64, Blob>().unwrap();
    asks.send(&(1 << 20)).unwrap();
    let output = inline().submit(answer::job(answers)).result().unwrap();
    assert_eq!(output.len(), 1 << 20);
    assert!(output.is_shared() && output == asks.recv().unwrap());
}

#[test]
fn another_attempt_has_its_handles() {
    let mutex = Mutex::new(0).unwrap();
    let options = JobOptions::default().retries(Retries::times(2));
    let future = inline().submit_with(retried::job(mutex.clone()), options);
    assert_eq!(future.result().unwrap(), Ok(3));
}

#[test]
fn such_jobs_travel() {
    let ((tx, from), (to, rx)) = (pipe().unwrap(), pipe().unwrap());
    assert_travels(relay::job(from, to));
    drop((tx, rx));
    assert_travels(put_all::job(Queue::bounded(1).unwrap(), vec![]));
    let elements = SharedArray::new(9).unwrap().slice(3..);
    assert_travels(raise::job(Mutex::new(0).unwrap(), SharedValue::new(AtomicU64::new(0)).unwrap(), elements));
}
