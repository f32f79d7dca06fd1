//! Jobs that came from another process, run here.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backend::{Control, Tally};
use crate::carrier::{Attachments, Carrier, Supply, collected, supplied};
use crate::cell::{State, Ticket};
use crate::context::{self, Entered};
use crate::error::JobError;
use crate::initializer::run_once;
use crate::job::Job;
use crate::job_ref::{AnyCell, JobRef};
use crate::options::JobOptions;
use crate::panic::{catch, drop_quietly};
use crate::parcel::{Arrived, Callbacks, Landed, RunOptions};
use crate::payload::{JobPayload, Payload};
use crate::record::Record;
use crate::registry::JobEntry;
use crate::row::Row;
use crate::run::{Ran, perform};
use crate::state::JobId;
use crate::trace::around_guest;

/// What a guest returned, beside the bytes of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Returned {
    /// True if the job itself calls it a failure.
    pub failed: bool,
    /// What goes beside the bytes, if anything does.
    pub attachments: Option<Attachments>,
}

/// What travels beside the bytes of a guest.
#[derive(Clone, Copy, Default)]
pub(crate) struct Carriage<'a> {
    carrier: Option<&'static dyn Carrier>,
    /// What came with the arguments.
    arrived: Option<&'a Attachments>,
}

/// [`run`] of a type of job.
pub(crate) type Run = fn(&[u8], &mut Vec<u8>, Carriage<'_>) -> Result<Returned, JobError>;

/// Decodes the arguments, runs the job, and encodes what it returned behind what `output` holds. After an error `output` is
/// as it was.
pub(crate) fn run<J: Job>(
    arguments: &[u8],
    output: &mut Vec<u8>,
    carriage: Carriage<'_>,
) -> Result<Returned, JobError> {
    let Carriage { carrier, arrived } = carriage;
    let supply = carrier.zip(arrived).map(|(carrier, attachments)| Supply { carrier, attachments });
    let payload = supplied(supply, || JobPayload::<J>::decode(arguments))?;
    let name = || context::running().map_or_else(|| JobPayload::<J>::name().to_owned(), |job| job.name().to_owned());
    let (value, failed) = catch(name, || perform(payload))?;
    let (encoded, attachments) = collected(carrier, || JobPayload::<J>::encode_output_into(&value, output));
    drop_quietly(value);
    encoded.map(|()| Returned { failed, attachments })
}

/// Decodes an initializer and runs it.
pub(crate) fn initialize<J: Job>(arguments: &[u8]) -> Result<(), String> {
    let JobPayload(job) = JobPayload::<J>::decode(arguments).map_err(|error| error.to_string())?;
    run_once(job)
}

/// Some jobs of one type that came from another process, to be run on this thread, which is on its
/// [`Seat`](crate::backend::Seat).
#[derive(Clone)]
pub struct Guests {
    batch: Arc<Batch>,
}

struct Batch {
    record: Record,
    entry: &'static JobEntry,
    states: Box<[State]>,
    /// The number of the submitter's span, where the jobs came from.
    submitter_span: Option<u64>,
}

impl Guests {
    /// `items` jobs, of which `first` is the number of the first. `control` is asked whether they are to stop, and is
    /// told of their progress.
    #[must_use]
    pub fn new(
        entry: &'static JobEntry,
        items: u32,
        first: u64,
        options: Option<RunOptions<'_>>,
        control: Arc<dyn Control>,
    ) -> Self {
        let job_options = options.map(|run| {
            let mut options = JobOptions::new();
            options.name = run.name.map(str::to_owned);
            options.run_limit = run.run_limit;
            options
        });
        let attempt = options.map_or(1, |run| run.attempt);
        let record = Record::of_guests(JobId::from_u64(first), control, job_options, attempt);
        let states = (0..items).map(|_| State::pending()).collect();
        let submitter_span = options.and_then(|options| options.submitter_span);
        Guests { batch: Arc::new(Batch { record, entry, states, submitter_span }) }
    }

    /// One of the jobs.
    #[must_use]
    pub fn job(&self, item: u32) -> JobRef {
        JobRef::new(Arc::clone(&self.batch), item)
    }

    /// Runs job number `item` to its end, and puts its encoded output behind what `output` holds; true if that is a
    /// failure. Nothing travels beside the bytes.
    ///
    /// # Errors
    ///
    /// Why there is no output; the buffer is as it was.
    ///
    /// # Panics
    ///
    /// If there is no such item.
    pub fn run(&self, item: u32, arguments: &[u8], output: &mut Vec<u8>) -> Result<bool, JobError> {
        let returned = self.receive().run_by(item, arguments, output, Carriage::default());
        returned.map(|returned| returned.failed)
    }

    /// Makes the calling thread the one on which the jobs run, one after another.
    #[must_use]
    pub fn receive(&self) -> Reception {
        Reception { batch: Arc::clone(&self.batch), _entered: Entered::new(self.job(0)) }
    }
}

/// A thread on which [`Guests`] run. Until it is dropped, [`current`](crate::current) speaks of the latest of them there.
pub struct Reception {
    batch: Arc<Batch>,
    _entered: Entered,
}

impl Reception {
    /// [`run`](Guests::run), with what came beside the arguments, and with what is to go beside the output, by the
    /// [carrier](Control::carrier) of the guests' control.
    ///
    /// # Errors
    ///
    /// As [`run`](Guests::run).
    ///
    /// # Panics
    ///
    /// As [`run`](Guests::run).
    #[inline]
    pub fn run(
        &mut self,
        item: u32,
        arguments: &[u8],
        arrived: Option<&Attachments>,
        output: &mut Vec<u8>,
    ) -> Result<Returned, JobError> {
        let carrier = self.batch.record.control.carrier();
        self.run_by(item, arguments, output, Carriage { carrier, arrived })
    }

    fn run_by(
        &mut self,
        item: u32,
        arguments: &[u8],
        output: &mut Vec<u8>,
        carriage: Carriage<'_>,
    ) -> Result<Returned, JobError> {
        let before = output.len();
        let Batch { record, entry, states, submitter_span } = &*self.batch;
        let state = &states[item as usize];
        if !state.begin() {
            return Err(JobError::Lost { job: self.batch.name().to_owned() });
        }
        if let Some(details) = record.details() {
            details.begin_attempt();
        }
        context::turn_to(item);
        let ran = around_guest(&*self.batch, item, *submitter_span, || (entry.run)(arguments, output, carriage));
        let ran = match record.details().and_then(|details| Some((details.deadline()?, details.options.run_limit?))) {
            Some((deadline, limit)) if Instant::now() >= deadline => {
                output.truncate(before);
                Err(JobError::RunLimit { job: self.batch.name().to_owned(), limit })
            }
            _ => ran,
        };
        // What became of a guest is decided where it came from, so that its end here is never overruled. Those who wait
        // for it here got their handles from the job itself.
        if state.finish_even_killed(!matches!(ran, Ok(Returned { failed: false, .. }))) {
            JobRef::new(Arc::clone(&self.batch), item).ring();
        }
        ran
    }
}

impl fmt::Debug for Reception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reception").field("job", &self.batch.entry.name()).finish_non_exhaustive()
    }
}

impl AnyCell for Batch {
    fn record(&self) -> &Record {
        &self.record
    }

    fn state(&self, index: u32) -> &State {
        &self.states[index as usize]
    }

    fn type_name(&self) -> &'static str {
        self.entry.name()
    }

    /// Only [`Guests::run`] begins a guest; nobody else has a claim on it.
    fn begin(&self, _: u32) -> Option<Ticket> {
        None
    }

    fn run(self: Arc<Self>, _: u32, _: Ticket, _: &dyn Tally) -> Ran {
        Ran::Done
    }

    fn fail(self: Arc<Self>, _: u32, _: Ticket, _: JobError, _: Option<&dyn Tally>) -> Option<Callbacks> {
        None
    }

    fn arrive(self: Arc<Self>, _: u32, _: Ticket, _: Arrived, _: &dyn Tally) -> Landed {
        Landed { retry: None, callbacks: None }
    }

    fn arrive_row(&self, _: &Arc<dyn AnyCell>, _: Row<'_>, _: &dyn Tally) -> Vec<Callbacks> {
        Vec::new()
    }

    fn learn(&self, _: u32, _: Duration) {}

    fn give_up(self: Arc<Self>, _: u32, _: Ticket, _: &dyn Tally) -> Option<Callbacks> {
        None
    }

    /// A job that the worker has taken is begun, or about to be: only its owner withdraws it.
    fn withdraw(self: Arc<Self>, _: u32, _: &mut dyn FnMut()) -> bool {
        false
    }
}

impl fmt::Debug for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guests")
            .field("job", &self.batch.entry.name())
            .field("items", &self.batch.states.len())
            .finish_non_exhaustive()
    }
}
