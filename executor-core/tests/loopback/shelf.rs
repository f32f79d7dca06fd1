//! [`Shelf`]: a backend that sends nothing. It keeps the parcels, so that a test can look at them, and run them as guests.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use executor_core::Stats;
use executor_core::backend::{
    Arrived, Backend, Capabilities, Carrier, Claim, Control, Guests, JobRef, Landed, Parcel, PoolId, Refused, Room,
    Shutdown, Slice, Tally, Task,
};

pub(crate) struct Shelf {
    id: PoolId,
    parcels: Mutex<VecDeque<Arc<Parcel>>>,
    /// What was accepted, as [`Task::jobs`] counts it.
    pub(crate) accepted: AtomicUsize,
    pub(crate) full: AtomicBool,
    control: Arc<dyn Control>,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        Shelf::with_control(Afar { carrier: None })
    }

    /// One whose jobs and outputs can have something beside their bytes.
    pub(crate) fn carrying(carrier: &'static dyn Carrier) -> Self {
        Shelf::with_control(Afar { carrier: Some(carrier) })
    }

    fn with_control(control: Afar) -> Self {
        Shelf {
            id: PoolId::new(),
            parcels: Mutex::default(),
            accepted: AtomicUsize::new(0),
            full: AtomicBool::new(false),
            control: Arc::new(control),
        }
    }

    /// Takes the first parcel.
    pub(crate) fn take(&self) -> Option<Arc<Parcel>> {
        self.parcels.lock().unwrap().pop_front()
    }
}

/// Runs the jobs of a parcel that nobody has withdrawn, and ends them; in between nobody is told.
pub(crate) fn run(parcel: &Parcel) -> Vec<Landed> {
    run_by(None, parcel)
}

/// [`run`], on a shelf that [carries](Shelf::carrying).
pub(crate) fn run_by(carrier: Option<&'static dyn Carrier>, parcel: &Parcel) -> Vec<Landed> {
    let first = parcel.job(0).id().as_u64();
    let guests = Guests::new(parcel.entry(), parcel.items(), first, parcel.options(), Arc::new(Afar { carrier }));
    let pending = (0..parcel.items()).filter(|&item| parcel.is_pending(item));
    let mut outputs = Vec::new();
    let ran: Vec<_> = pending
        .map(|item| {
            let begin = outputs.len();
            let ran = guests.receive().run(item, parcel.arguments(item), parcel.attachments(item), &mut outputs);
            assert!(ran.is_ok() || outputs.len() == begin, "a job without an output leaves no bytes");
            (item, begin..outputs.len(), ran)
        })
        .collect();
    let outputs = Arc::new(outputs);
    ran.into_iter()
        .map(|(item, range, ran)| {
            let outcome = match ran {
                Ok(returned) => {
                    let mut bytes = Slice::new(Arc::clone(&outputs), range);
                    if let Some((carrier, attachments)) = carrier.zip(returned.attachments) {
                        bytes = bytes.with_attachments(carrier, attachments);
                    }
                    Arrived::Output { bytes, failed: returned.failed }
                }
                Err(error) => Arrived::Failed(error),
            };
            claim(parcel, item).arrive(outcome, &Uncounted)
        })
        .collect()
}

/// Runs one attempt of a single job, of which `claim` is the right to end it if it is not the first.
pub(crate) fn attempt(carrier: &'static dyn Carrier, parcel: &Parcel, claim: Option<Claim>) -> Landed {
    let id = parcel.job(0).id().as_u64();
    let guests = Guests::new(parcel.entry(), 1, id, parcel.options(), Arc::new(Afar { carrier: Some(carrier) }));
    let mut output = Vec::new();
    let ran = guests.receive().run(0, parcel.arguments(0), parcel.attachments(0), &mut output).unwrap();
    let mut bytes = Slice::from(output);
    if let Some(attachments) = ran.attachments {
        bytes = bytes.with_attachments(carrier, attachments);
    }
    let claim = claim.unwrap_or_else(|| self::claim(parcel, 0));
    claim.arrive(Arrived::Output { bytes, failed: ran.failed }, &Uncounted)
}

pub(crate) fn claim(parcel: &Parcel, item: u32) -> Claim {
    parcel.job(item).claim().expect("nobody has begun the job")
}

/// Counts nothing.
pub(crate) struct Uncounted;

impl Tally for Uncounted {
    fn begun(&self) {
        panic!("no job begins in its cell");
    }

    fn ended(&self, _: bool) {}
}

struct Afar {
    carrier: Option<&'static dyn Carrier>,
}

impl Control for Afar {
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

    fn travels(&self) -> bool {
        true
    }

    fn carrier(&self) -> Option<&'static dyn Carrier> {
        self.carrier
    }

    fn is_stopping(&self) -> bool {
        false
    }
}

impl Backend for Shelf {
    fn id(&self) -> PoolId {
        self.id
    }

    fn control(&self) -> &Arc<dyn Control> {
        &self.control
    }

    fn accept(&self, task: Task, _: Room<'_>) -> Result<(), Refused> {
        if self.full.load(Ordering::SeqCst) {
            return Err(Refused::full(task));
        }
        self.accepted.fetch_add(task.jobs(), Ordering::SeqCst);
        let parcel = task.into_parcel().expect("the jobs of this backend travel");
        self.parcels.lock().unwrap().push_back(parcel);
        Ok(())
    }

    fn begin_shutdown(&self, _: Shutdown) {}

    fn wait_ended(&self, _: Option<Instant>) -> usize {
        0
    }

    fn snapshot(&self) -> Stats {
        let mut stats = Stats::default();
        stats.workers = 1;
        stats
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::in_process();
        capabilities.encodes = true;
        capabilities
    }
}
