//! [`Loopback`]: the handle, and what a submitter does.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::Waker;
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use executor_core::backend::{
    Backend, Capabilities, Claim, Control, Initializer, Parcel, PoolId, Refused, Room, Shutdown, Tally, Task, prepare,
    table,
};
use executor_core::{BuildError, Job, JobEntry, JobError, Stats};

use crate::board::{Board, Item, Spot, Worker};
use crate::dispatcher::{Caller, dispatch, wake};
use crate::pipe::{Lane, Pipe};
use crate::wire::{News, Order, Report, frame};
use crate::worker::{Ends, Threads, start};

/// More workers than any test asks for.
const WORKERS_MAX: usize = 1024;

/// How a pool is to be.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) workers: usize,
    pub(crate) queue_capacity: Option<usize>,
    pub(crate) initializer: Option<(&'static JobEntry, Vec<u8>)>,
    /// True if a kill decides the outcome of a running job. The job itself runs on, because a thread cannot be killed.
    pub(crate) kills: bool,
}

impl Settings {
    pub(crate) fn new(workers: usize) -> Self {
        Settings { workers, ..Settings::default() }
    }

    pub(crate) fn initializer<J: Job + Sync>(mut self, job: J) -> Self {
        self.initializer = Some(Initializer::new(job).encode().expect("the initializer can be encoded"));
        self
    }
}

/// A handle; clones share the pool. Dropping the last one drains it.
#[derive(Clone)]
pub(crate) struct Loopback {
    owner: Arc<Owner>,
}

struct Owner {
    pool: Arc<Pool>,
    control: Arc<dyn Control>,
}

/// What the handles, the dispatcher and the futures share.
pub(crate) struct Pool {
    id: PoolId,
    pub(crate) settings: Settings,
    board: Mutex<Board>,
    /// Told of room, and of the end.
    pub(crate) changed: Condvar,
    pub(crate) stopping: AtomicBool,
    pub(crate) reports: Arc<Pipe>,
    pub(crate) caller: Caller,
    pub(crate) threads: Threads,
}

impl Loopback {
    pub(crate) fn build(settings: Settings) -> Result<Self, BuildError> {
        prepare()?;
        let invalid = |what: &str| Err(BuildError::Invalid { what: what.to_owned() });
        if settings.workers == 0 || settings.workers > WORKERS_MAX {
            return invalid("the number of workers must be from 1 to 1024");
        }
        if settings.queue_capacity == Some(0) {
            return invalid("a queue of no jobs never has room");
        }
        let pool = Arc::new(Pool {
            id: PoolId::new(),
            settings,
            board: Mutex::default(),
            changed: Condvar::new(),
            stopping: AtomicBool::new(false),
            reports: Arc::default(),
            caller: Caller::default(),
            threads: Threads::default(),
        });
        for worker in 0..pool.settings.workers {
            let cause = |cause| BuildError::Start { worker, cause };
            let orders = Arc::<Pipe>::default();
            let lane = Arc::<Lane>::default();
            let reports = Arc::clone(&pool.reports);
            let ends = Ends { worker, orders: Arc::clone(&orders), reports, lane: Arc::clone(&lane) };
            pool.threads.add(start(ends).map_err(cause)?);
            orders.send(pool.init());
            pool.lock().workers.push(Worker { orders, lane, ready: false, run: None });
        }
        let shared = Arc::clone(&pool);
        let dispatcher = Builder::new().name(DISPATCHER.to_owned()).spawn(move || dispatch(&shared));
        drop(dispatcher.map_err(|cause| BuildError::Start { worker: 0, cause })?);
        Ok(Loopback { owner: Arc::new(Owner { control: Arc::clone(&pool) as Arc<dyn Control>, pool }) })
    }
}

/// The name of the thread on which no code of the user's may run.
pub(crate) const DISPATCHER: &str = "loop-dispatch";

impl Drop for Owner {
    fn drop(&mut self) {
        self.pool.begin_shutdown(if thread::panicking() { Shutdown::CancelPending } else { Shutdown::Drain });
        let waits = !self.pool.lock().gave_up && !self.pool.caller.is_this_thread();
        if waits {
            self.pool.wait_ended(None);
        }
    }
}

impl Pool {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap()
    }

    fn init(&self) -> Vec<u8> {
        let initializer = self.settings.initializer.as_ref();
        let job = initializer.map(|(entry, _)| table().index_of(entry).expect("the initializer is in the table"));
        let mut frame = frame(&Order::Init { digest: table().digest(), initializer: job });
        frame.extend(initializer.iter().flat_map(|(_, arguments)| arguments));
        frame
    }

    /// Makes the dispatcher look around.
    pub(crate) fn kick(&self) {
        self.reports.send(frame(&Report { worker: usize::MAX, news: News::Kick }));
    }

    fn has_room(&self, board: &Board, jobs: usize) -> bool {
        let most = self.settings.queue_capacity.unwrap_or(usize::MAX);
        // A callback must not wait for room, because others wait for it.
        board.waiting.saturating_add(jobs) <= most || self.caller.is_this_thread()
    }

    /// Tells those who block for room; gives the wakers of those who await it, which are code of the user's.
    #[must_use]
    pub(crate) fn room_was_made(&self, board: &mut Board) -> Vec<Waker> {
        self.changed.notify_all();
        mem::take(&mut board.room_wakers).into_values().collect()
    }

    fn put_in(&self, parcel: Arc<Parcel>, job: u32, room: Room<'_>) -> Result<(), (Arc<Parcel>, JobError)> {
        let jobs = parcel.pending();
        let waker = if let Room::Notify(waker, ticket) = room { Some((ticket, waker.clone())) } else { None };
        let mut board = self.lock();
        loop {
            if let Some(cause) = board.broken.clone() {
                return Err((parcel, JobError::Broken { cause }));
            }
            if board.mode.is_some() {
                return Err((parcel, JobError::Rejected(executor_core::Rejection::ShutDown)));
            }
            if self.has_room(&board, jobs) {
                board.put_in(parcel, job, jobs);
                return Ok(());
            }
            board = match room {
                Room::Wait => self.changed.wait(board).unwrap(),
                Room::Until(deadline) if Instant::now() < deadline => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    self.changed.wait_timeout(board, left).unwrap().0
                }
                _ => {
                    board.room_wakers.extend(waker);
                    return Err((parcel, JobError::Rejected(executor_core::Rejection::QueueFull)));
                }
            };
        }
    }

    fn begin_shutdown(&self, mode: Shutdown) {
        let mut board = self.lock();
        let mode = board.mode.map_or(mode, |before| before.max(mode));
        board.mode = Some(mode);
        let wakers = self.room_was_made(&mut board);
        let (mut jobs, mut claims) = (Vec::new(), Vec::new());
        if mode != Shutdown::Drain {
            for spot in board.spots(|item| matches!(item, Item::Waiting | Item::Sent)) {
                jobs.extend(board.job(spot));
            }
            for spot in board.spots(|item| matches!(item, Item::Between(_))) {
                claims.extend(board.take_between(spot).map(|claim| (claim, spot)));
            }
        }
        if mode == Shutdown::Kill {
            self.stopping.store(true, Ordering::SeqCst);
            board.workers.iter().for_each(|worker| worker.orders.send(frame(&Order::StopAll)));
        }
        drop(board);
        for job in &jobs {
            self.cancel(job);
        }
        claims.into_iter().for_each(|(claim, spot)| self.give_up(claim, spot));
        wake(wakers);
        self.kick();
    }

    fn wait_ended(&self, deadline: Option<Instant>) -> usize {
        let mut board = self.lock();
        while !board.ended {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            board = match left {
                Some(Duration::ZERO) => {
                    board.gave_up = true;
                    return board.open() as usize;
                }
                Some(left) => self.changed.wait_timeout(board, left).unwrap().0,
                None => self.changed.wait(board).unwrap(),
            };
        }
        0
    }

    /// Ends a job between two attempts on this thread, which is the user's.
    pub(crate) fn give_up(&self, claim: Claim, spot: Spot) {
        claim.give_up(&Landing { pool: self, from: Was::Between });
        self.end_item(spot);
    }

    /// Counts an item as ended, and drops its parcel if it was the last.
    pub(crate) fn end_item(&self, spot: Spot) {
        let parcel = self.lock().end_item(spot);
        drop(parcel);
        self.kick();
    }
}

/// Counts the end of a job.
pub(crate) struct Landing<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) from: Was,
}

/// Where a job was when it ended.
#[derive(Clone, Copy)]
pub(crate) enum Was {
    /// With a worker.
    Worker(usize),
    /// Between two attempts.
    Between,
    /// In the queue, before its first attempt.
    Queue,
}

impl Tally for Landing<'_> {
    fn begun(&self) {
        panic!("no job begins in this process");
    }

    fn ended(&self, failed: bool) {
        let mut board = self.pool.lock();
        match self.from {
            Was::Worker(worker) => board.workers[worker].run = None,
            Was::Between => board.between -= 1,
            Was::Queue => board.waiting -= 1,
        }
        *(if failed { &mut board.failed } else { &mut board.finished }) += 1;
    }

    fn overruled(&self) {
        let mut board = self.pool.lock();
        board.finished -= 1;
        board.failed += 1;
    }
}

impl Backend for Loopback {
    fn id(&self) -> PoolId {
        self.owner.pool.id
    }

    fn control(&self) -> &Arc<dyn Control> {
        &self.owner.control
    }

    fn accept(&self, task: Task, room: Room<'_>) -> Result<(), Refused> {
        let parcel = match task.into_parcel() {
            Ok(parcel) => parcel,
            Err(task) => {
                let cause = "it stays in this process, and this executor runs jobs elsewhere".to_owned();
                return Err(Refused::new(task, JobError::Broken { cause }));
            }
        };
        let Some(job) = table().index_of(parcel.entry()) else {
            let name = parcel.entry().name().to_owned();
            return Err(Refused::new(Task::from_parcel(parcel), JobError::UnknownJob { name }));
        };
        let pool = &self.owner.pool;
        let put = pool.put_in(parcel, job, room);
        put.map_err(|(parcel, error)| Refused::new(Task::from_parcel(parcel), error))?;
        pool.kick();
        Ok(())
    }

    fn begin_shutdown(&self, mode: Shutdown) {
        self.owner.pool.begin_shutdown(mode);
    }

    fn wait_ended(&self, deadline: Option<Instant>) -> usize {
        self.owner.pool.wait_ended(deadline)
    }

    fn snapshot(&self) -> Stats {
        self.owner.pool.lock().stats()
    }

    fn capabilities(&self) -> Capabilities {
        let Settings { queue_capacity, kills, .. } = self.owner.pool.settings;
        let mut capabilities = Capabilities::in_process();
        capabilities.encodes = true;
        capabilities.queue_capacity = queue_capacity;
        capabilities.kill = kills;
        capabilities
    }
}
