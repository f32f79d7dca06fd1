//! The loop of a worker: orders in, jobs run, outcomes out.

use std::borrow::Cow;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use executor_core::JobError;
use executor_core::backend::{
    Attachments, Control, Guests, Initializer, PoolId, Reception, Returned, RunOptions, Seat, SeatGuard, table,
};
use nix::time::{ClockId, clock_gettime};

use super::ear::Ear;
use super::pace::Pace;
use super::prints::{self, Prints};
use super::station::Station;
use super::{Role, WorkerStart};
use crate::bell::Bell;
use crate::carrier::descriptors;
use crate::start::is_copy_of_program;
use crate::sys;
use crate::wire::{
    Assigned, AssignedRow, ErrorKind, FRAME_BYTES_MAX, ItemOptions, Journal, Order, Outcome, Page, Place, PortReader,
    Region, Setup, VERSION, open_port,
};

/// The code with which a worker exits that does not understand its owner.
const BEGIN_EXIT: i32 = 114;

/// The code with which a process exits whose one job is a failure, as of a program whose `main` returns an error.
const FAILED_EXIT: i32 = 1;

/// The code with which it exits if the job panicked, as of a program whose `main` does.
const PANICKED_EXIT: i32 = 101;

/// Runs jobs until the owner says that it is over, or is gone.
pub(super) fn serve(start: WorkerStart) -> ! {
    // A job may replace the hook later; what it wants to know of a panic is noted first.
    let _ = executor_core::backend::prepare();
    let (index, role) = (start.index, start.role);
    let (reader, station, prints) = match begin(start) {
        Ok(begun) => begun,
        Err(error) => {
            crate::start::die(&format!("worker {index} cannot begin: {error}"));
        }
    };
    #[cfg(feature = "tokio")]
    let surroundings = Some(super::runtime::surroundings());
    #[cfg(not(feature = "tokio"))]
    let surroundings = None;
    let seat = Seat::surrounded(PoolId::new(), index, surroundings).take();
    let mut worker = Worker::new(station, prints);
    let end = worker.serve(reader);
    match (end, role) {
        (End::Dismissed, Role::Process { exit_handlers }) => end_process(worker.job_code, exit_handlers),
        (End::Dismissed, _) => leave(seat),
        (End::Forsaken(code), _) => sys::exit_now(code),
    }
}

/// Ends a process as its one job has ended.
fn end_process(code: i32, exit_handlers: bool) -> ! {
    if exit_handlers {
        std::process::exit(code);
    }
    // Nobody is left to whom it could matter that standard output is closed.
    let _ = std::io::stdout().flush();
    sys::exit_now(code)
}

/// How the loop of a worker ends.
enum End {
    /// The owner has said so.
    Dismissed,
    /// The owner is gone, or tells nonsense: the code of the process.
    Forsaken(i32),
}

/// Ends the process as programs end: what jobs have left on this thread is dropped, and exit handlers run. The owner waits for
/// it, and not for ever.
fn leave(seat: SeatGuard) -> ! {
    // The state of the worker goes with its seat. It is the user's, and may panic.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(seat)));
    prints::flush();
    if is_copy_of_program() { sys::exit_now(0) } else { std::process::exit(0) }
}

fn begin(start: WorkerStart) -> std::io::Result<(PortReader, Arc<Station>, Prints)> {
    let mut fds = start.fds.into_iter();
    let mut next = || fds.next().ok_or_else(|| std::io::Error::other("a descriptor is missing"));
    let page = Arc::new(Page::new(Region::map(next()?)?));
    let ear = Bell::from_fd(next()?);
    let (reader, writer) =
        open_port(UnixStream::from(start.channel), Journal::new(Arc::clone(&page)), FRAME_BYTES_MAX)?;
    Ok((reader, Arc::new(Station::new(page, writer, ear)), Prints::new(start.pipes)))
}

/// What all items of a frame have in common.
#[derive(Clone, Copy)]
struct FrameHead {
    place: Place,
    job: u32,
    items: u16,
}

/// The frame whose items run.
struct Frame {
    place: Place,
    /// Its items, and this thread as the one on which they run; `None` if there is no such job.
    guests: Option<(Guests, Reception)>,
    /// The worker has told that it passed the frame.
    passed: bool,
}

struct Worker {
    station: Arc<Station>,
    ear: Option<Ear>,
    frame: Option<Frame>,
    pace: Pace,
    output: Vec<u8>,
    /// The code that says how the last job ended.
    job_code: i32,
    prints: Prints,
}

/// An output buffer that has grown beyond this is not kept.
const KEPT_BYTES: usize = 1 << 20;

impl Worker {
    fn new(station: Arc<Station>, prints: Prints) -> Self {
        // Without an ear, outcomes are told at once, and an async job sees a request when it looks.
        let ear = Ear::start(&station).ok();
        Worker { station, ear, frame: None, pace: Pace::new(), output: Vec::new(), prints, job_code: 0 }
    }

    fn serve(&mut self, mut reader: PortReader) -> End {
        loop {
            match reader.next() {
                Ok(Some(Order::Row(row))) => self.row(&row),
                Ok(Some(Order::Item(assigned))) => {
                    let Assigned { place, job, item, items, argument, attachments, options } = assigned;
                    let frame = FrameHead { place, job, items };
                    self.item(frame, item, &argument, attachments, &options);
                }
                Ok(Some(Order::Setup(setup))) => {
                    let frame_bytes_max = setup.frame_bytes_max;
                    self.set_up(&setup);
                    self.station.writer().set_frame_bytes_max(frame_bytes_max);
                    reader.set_frame_bytes_max(frame_bytes_max);
                }
                // The page says it too, and at once.
                Ok(Some(Order::Stop(..) | Order::StopAll)) => {}
                Ok(Some(Order::Exit)) => {
                    let _ = self.station.writer().flush();
                    return End::Dismissed;
                }
                Ok(None) => {
                    if self.station.writer().flush().is_err() || !reader.fill().unwrap_or(false) {
                        return End::Forsaken(0);
                    }
                    self.pace.begin();
                }
                // The owner is this executable too, so that it tells no nonsense, unless a job wrote to the socket.
                Err(_) => return End::Forsaken(BEGIN_EXIT),
            }
        }
    }

    fn set_up(&self, setup: &Setup<'_>) {
        let digest = u128::from(table().digest());
        let failure = if setup.version != VERSION || setup.digest != digest {
            Some("the executable was replaced while the program runs, and the new one has other jobs".to_owned())
        } else {
            setup.initializer.as_ref().and_then(|(job, arguments)| self.initialize(*job, arguments).err())
        };
        self.station.writer().ready(digest, failure.as_deref());
    }

    fn initialize(&self, job: u32, arguments: &[u8]) -> Result<(), String> {
        let entry = table().entry(job).ok_or("the initializer is not in the table of jobs")?;
        self.station.page.enter_start();
        let ran = Initializer::run_encoded(entry, arguments);
        self.prints.settle();
        self.station.page.leave_start();
        ran
    }

    fn row(&mut self, row: &AssignedRow<'_>) {
        let &AssignedRow { place, job, first, items, pieces, parts, ref options } = row;
        let plain = ItemOptions::default();
        let frame = FrameHead { place, job, items };
        for (item, part) in (first..).zip(parts) {
            let argument = &pieces[part.start as usize..part.end as usize];
            self.item(frame, item, argument, None, if item == first { options } else { &plain });
        }
    }

    fn item(
        &mut self,
        head: FrameHead,
        item: u16,
        argument: &[u8],
        attachments: Option<executor_ipc::attach::Attachments>,
        options: &ItemOptions,
    ) {
        let FrameHead { place, job, items } = head;
        if self.frame.as_ref().is_none_or(|frame| frame.place != place) {
            self.enter_frame(head, options);
        }
        let Some(frame) = self.frame.as_mut().filter(|frame| !frame.passed) else { return };
        if !self.pace.is_short(job) && self.ear.is_some() {
            // If the owner is gone, the read that follows tells.
            let _ = self.station.writer().flush();
            self.pace.has_told();
        }
        let since_ns = if options.run_limit_ns.is_some() { now_ns() } else { 0 };
        if !self.station.page.begin(place, item, since_ns) {
            frame.passed = true;
            self.station.writer().passed(place);
            return;
        }
        if let Some((guests, _)) = frame.guests.as_ref().filter(|_| options.stop) {
            guests.job(u32::from(item)).request_stop();
        }
        self.output.clear();
        let ran = match &mut frame.guests {
            Some((_, reception)) => {
                let arrived = attachments.map(|attachments| Arc::new(attachments) as Attachments);
                reception.run(u32::from(item), argument, arrived.as_ref(), &mut self.output)
            }
            None => Err(JobError::UnknownJob { name: format!("number {job} of the table of jobs") }),
        };
        self.station.page.leave(place, item);
        self.job_code = code_of(&ran);
        self.prints.settle();
        let busy_ns = self.pace.lap(job);
        let mut writer = self.station.writer();
        match ran {
            Ok(Returned { failed: false, attachments: None, .. }) if self.output.len() <= KEPT_BYTES => {
                writer.output(place, item, &self.output, busy_ns);
            }
            Ok(Returned { failed, attachments, .. }) => {
                let attachments = attachments.as_ref().and_then(descriptors).cloned();
                let bytes = if self.output.len() > KEPT_BYTES {
                    Cow::Owned(std::mem::take(&mut self.output))
                } else {
                    Cow::Borrowed(&self.output[..])
                };
                writer.outcome(place, item, Outcome::Output { failed, bytes, attachments }, busy_ns);
            }
            Err(error) => writer.outcome(place, item, outcome_of(error), busy_ns),
        }
        if item + 1 == items {
            frame.passed = true;
            writer.passed(place);
        }
        match &self.ear {
            Some(ear) if !writer.is_full() && !self.pace.is_time_to_tell() => ear.keep(),
            _ => {
                // If the owner is gone, the read that follows tells.
                let _ = writer.flush();
                self.pace.has_told();
            }
        }
    }

    fn enter_frame(&mut self, head: FrameHead, options: &ItemOptions) {
        let FrameHead { place, job, items } = head;
        let limit = options.run_limit_ns.map(Duration::from_nanos);
        let attempt = options.attempts_before.saturating_add(1);
        let plain = options.name.is_none() && limit.is_none() && attempt == 1 && options.submitter_span.is_none();
        let run = RunOptions::new(options.name.as_deref(), attempt, limit).from_span(options.submitter_span);
        let control = Arc::clone(&self.station) as Arc<dyn Control>;
        let guests = table().entry(job).map(|entry| {
            Guests::new(entry, u32::from(items), options.id.unwrap_or_default(), (!plain).then_some(run), control)
        });
        // The context of the frame before ends first.
        self.frame = None;
        let guests = guests.map(|guests| {
            self.station.enter_frame(guests.clone());
            let reception = guests.receive();
            (guests, reception)
        });
        self.frame = Some(Frame { place, guests, passed: false });
    }
}

fn code_of(ran: &Result<Returned, JobError>) -> i32 {
    match ran {
        Ok(Returned { failed: false, .. }) => 0,
        Err(JobError::Panicked { .. }) => PANICKED_EXIT,
        Ok(_) | Err(_) => FAILED_EXIT,
    }
}

/// The time by a clock that all processes share, in ns.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// What is told of a job that has no output.
fn outcome_of(error: JobError) -> Outcome<'static> {
    let with_cause =
        |kind, what: String, cause: String| Outcome::Error { kind, what: what.into(), cause: cause.into() };
    match error {
        JobError::Panicked { message, location, .. } => {
            Outcome::Panicked { message: message.into(), location: location.map(Into::into) }
        }
        JobError::RunLimit { .. } => Outcome::RunLimit,
        JobError::Encode { what, cause } => with_cause(ErrorKind::Encode, what, cause.to_string()),
        JobError::Decode { what, cause } => with_cause(ErrorKind::Decode, what, cause.to_string()),
        JobError::UnknownJob { name } => with_cause(ErrorKind::UnknownJob, name, String::new()),
        other => with_cause(ErrorKind::Encode, "what came of the job".to_owned(), other.to_string()),
    }
}
