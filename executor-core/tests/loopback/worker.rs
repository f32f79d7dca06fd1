//! The other side: a worker that knows nothing of the pool but two pipes and a lane.
//!
//! It has two threads, as a worker process would: one takes the orders in, so that a request to stop arrives while a job
//! runs, and one is on the seat and runs the jobs.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

use executor_core::backend::{Control, Guests, Initializer, JobRef, PoolId, Seat, table};

use crate::pipe::{Lane, Pipe};
use crate::wire::{News, Options, Order, Report, frame, open};

/// What a worker has of the world.
#[derive(Clone)]
pub(crate) struct Ends {
    pub(crate) worker: usize,
    pub(crate) orders: Arc<Pipe>,
    pub(crate) reports: Arc<Pipe>,
    pub(crate) lane: Arc<Lane>,
}

impl Ends {
    fn report(&self, news: News) {
        self.reports.send(frame(&Report { worker: self.worker, news }));
    }
}

/// One run that arrived: the guest, and its arguments within the frame.
struct Run {
    number: u64,
    guests: Arc<Guests>,
    frame: Vec<u8>,
    arguments: usize,
}

/// Starts both threads of a worker.
pub(crate) fn start(ends: Ends) -> io::Result<[JoinHandle<()>; 2]> {
    let (to_runner, runs) = channel();
    let reader = ends.clone();
    Ok([
        Builder::new().name(format!("loop-read-{}", ends.worker)).spawn(move || read(&reader, &to_runner))?,
        Builder::new().name(format!("loop-work-{}", ends.worker)).spawn(move || work(&ends, &runs))?,
    ])
}

/// What the reader hands on to the runner.
enum Step {
    Init { frame: Vec<u8>, initializer: Option<u32>, arguments: usize },
    Run(Run),
}

fn read(ends: &Ends, to_runner: &Sender<Step>) {
    let stopping = Arc::new(AtomicBool::new(false));
    let mut current: Option<(u64, Arc<Guests>)> = None;
    loop {
        let frame = ends.orders.receive();
        let (order, rest) = open(&frame);
        let step = match order {
            Order::Init { digest, initializer } => {
                assert_eq!(digest, table().digest(), "both sides have the same table");
                Step::Init { frame, initializer, arguments: rest }
            }
            Order::Run { number, job, id, stop, options } => {
                let entry = table().entry(job).expect("the pool numbers jobs by the same table");
                let control = Elsewhere { ends: ends.clone(), number, stopping: Arc::clone(&stopping) };
                let options = options.as_ref().map(Options::borrow);
                let guests = Arc::new(Guests::new(entry, 1, id, options, Arc::new(control)));
                if stop {
                    guests.job(0).request_stop();
                }
                current = Some((number, Arc::clone(&guests)));
                Step::Run(Run { number, guests, frame, arguments: rest })
            }
            Order::Stop { number } => {
                if let Some((_, guests)) = current.as_ref().filter(|(running, _)| *running == number) {
                    guests.job(0).request_stop();
                }
                continue;
            }
            Order::StopAll => {
                stopping.store(true, Ordering::SeqCst);
                if let Some((_, guests)) = &current {
                    guests.job(0).request_stop();
                }
                continue;
            }
            Order::End => return,
        };
        // The runner goes on to the end of what it was given, and outlives this thread.
        to_runner.send(step).expect("the runner takes what comes");
    }
}

fn work(ends: &Ends, steps: &Receiver<Step>) {
    let _seat = Seat::new(PoolId::new(), ends.worker).take();
    for step in steps {
        match step {
            Step::Init { frame, initializer, arguments } => {
                let ran = initializer.map_or(Ok(()), |job| {
                    let entry = table().entry(job).expect("the initializer is in the table");
                    Initializer::run_encoded(entry, &frame[arguments..])
                });
                ends.report(ran.map_or_else(News::Broken, |()| News::Ready));
            }
            Step::Run(run) => perform(ends, run),
        }
    }
}

fn perform(ends: &Ends, Run { number, guests, frame: order, arguments }: Run) {
    if !ends.lane.begin(number) {
        return ends.report(News::Skipped { number });
    }
    let mut output = frame(&Report { worker: ends.worker, news: News::Output { number } });
    let ran = guests.run(0, &order[arguments..], &mut output);
    drop((order, guests));
    match ran {
        Ok(failed) => {
            output.push(u8::from(failed));
            ends.reports.send(output);
        }
        Err(error) => ends.report(News::Failed { number, why: error.into() }),
    }
}

/// The control of a guest.
struct Elsewhere {
    ends: Ends,
    number: u64,
    stopping: Arc<AtomicBool>,
}

impl Control for Elsewhere {
    fn is_own_worker(&self) -> bool {
        false
    }

    fn help(&self, _: &JobRef) -> bool {
        false
    }

    fn withdrawn(&self, _: &JobRef) {}

    fn kill(&self, _: &JobRef) -> bool {
        false
    }

    fn stop_requested(&self, _: &JobRef) {}

    fn progressed(&self, _: &JobRef, done: u64, total: u64) {
        self.ends.report(News::Progress { number: self.number, done, total });
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// Threads that were started, to be joined once.
#[derive(Default)]
pub(crate) struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Threads {
    pub(crate) fn add(&self, threads: impl IntoIterator<Item = JoinHandle<()>>) {
        self.0.lock().unwrap().extend(threads);
    }

    pub(crate) fn join(&self) {
        let threads = std::mem::take(&mut *self.0.lock().unwrap());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
