//! [`Report`]: what a worker tells the owner.
//!
//! | frame | pieces of its body |
//! |---|---|
//! | Done | the outcomes of some items of a frame that follow one another, in their order, of the kinds below |
//! | Ready | digest of the registry, and why the initializer failed |
//! | Progress | the two numbers |
//!
//! | kind of outcome | bytes |
//! |---|---|
//! | 0 output, 1 output that the job calls a failure | as they were encoded |
//! | 2 panic | two texts: message, location or nothing |
//! | 3 cannot encode, 4 cannot decode, 6 unknown job | two texts: what, cause |
//! | 5 run limit passed | none |
//!
//! Before an output that has descriptors a piece of kind 7 says how many they are, and they come with it.
//!
//! What a job prints is not sent here: that has to survive the worker, and goes through pipes of its own.

use std::borrow::Cow;
use std::ops::Range;

use executor_ipc::attach::Attachments;

use crate::wire::error::malformed;
use crate::wire::fd_queue::FdQueue;
use crate::wire::head::{FAILED, Head, Kind, PASSED};
use crate::wire::incoming::{Incoming, Part};
use crate::wire::options::take;
use crate::wire::outgoing::{Bytes, Outgoing};
use crate::wire::piece::{prefix_bytes, put_prefix, put_texts, texts, texts_bytes};
use crate::wire::{FrameError, Payload, Place};

/// A text that came in, or goes out.
pub(crate) type Text<'a> = Cow<'a, str>;

/// What went wrong with a job around its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// Its output cannot be encoded.
    Encode,
    /// Its argument cannot be decoded.
    Decode,
    /// The worker has no job of that index.
    UnknownJob,
}

/// What came of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome<'a> {
    /// It returned.
    Output {
        /// The job calls its output a failure.
        failed: bool,
        /// The output, encoded.
        bytes: Payload<'a>,
        /// What goes beside the bytes, or came beside them, if anything did.
        attachments: Option<Attachments>,
    },
    /// It panicked.
    Panicked {
        /// The message of the panic.
        message: Text<'a>,
        /// File, line and column, where known.
        location: Option<Text<'a>>,
    },
    /// It did not come to run, or its output did not come here.
    Error {
        /// Which of the two.
        kind: ErrorKind,
        /// What it happened to; empty for the output of the job, which the owner knows by name.
        what: Text<'a>,
        /// What the codec said.
        cause: Text<'a>,
    },
    /// It ended behind its run limit.
    RunLimit,
}

/// What a worker tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report<'a> {
    /// It has read the setup, and has run the initializer.
    Ready {
        pid: u32,
        version: u32,
        digest: u128,
        /// Why the initializer failed.
        failure: Option<Text<'a>>,
    },
    /// Items that follow one another have returned, and no job calls its output a failure. Nothing goes beside the bytes.
    Outputs {
        place: Place,
        first: u16,
        /// The outputs, each behind its prefix.
        pieces: &'a [u8],
        /// Where in `pieces` the bytes of each are.
        parts: &'a [Range<u32>],
    },
    /// An item has ended in another way.
    Outcome { place: Place, item: u16, outcome: Outcome<'a> },
    /// The outcomes of so many items have just been told.
    Done {
        place: Place,
        outcomes: u16,
        /// How long the worker was busy with them, at most 4.3 s; 0 if it did not look at the clock.
        busy_ns: u32,
        /// True if it has passed the frame: no more of it will begin, and its slot is free.
        passed: bool,
    },
    /// A running item tells how far it is.
    Progress { place: Place, item: u16, done: u64, total: u64 },
}

impl Report<'_> {
    /// Of how many items it tells the outcome.
    #[inline]
    pub(crate) fn outcomes(&self) -> usize {
        match self {
            Report::Outputs { parts, .. } => parts.len(),
            Report::Outcome { .. } => 1,
            Report::Ready { .. } | Report::Done { .. } | Report::Progress { .. } => 0,
        }
    }

    /// The same without the first of its outcomes, of which there are more.
    pub(crate) fn behind(self, outcomes: usize) -> Self {
        match self {
            Report::Outputs { place, first, pieces, parts } => {
                Report::Outputs { place, first: first + outcomes as u16, pieces, parts: &parts[outcomes..] }
            }
            other => other,
        }
    }
}

pub(crate) const OUTPUT: u8 = 0;
const FAILED_OUTPUT: u8 = 1;
const PANICKED: u8 = 2;
const ENCODE: u8 = 3;
const DECODE: u8 = 4;
const RUN_LIMIT: u8 = 5;
const UNKNOWN_JOB: u8 = 6;
/// How many descriptors go with the output that follows. They come with this piece.
const ATTACHED: u8 = 7;

impl ErrorKind {
    fn piece_kind(self) -> u8 {
        match self {
            ErrorKind::Encode => ENCODE,
            ErrorKind::Decode => DECODE,
            ErrorKind::UnknownJob => UNKNOWN_JOB,
        }
    }
}

impl Outcome<'_> {
    /// How much of the body of a frame it takes.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        let piece = |bytes: usize| (prefix_bytes(bytes as u64) + bytes) as u64;
        let bytes = match self {
            Outcome::Output { bytes, attachments: None, .. } => bytes.len(),
            Outcome::Output { bytes, attachments: Some(_), .. } => return piece(1) + piece(bytes.len()),
            Outcome::Panicked { message, location } => texts_bytes(message, location.as_deref().unwrap_or_default()),
            Outcome::Error { what, cause, .. } => texts_bytes(what, cause),
            Outcome::RunLimit => 0,
        };
        piece(bytes)
    }

    /// True if descriptors go beside it.
    #[inline]
    pub(crate) fn has_attachments(&self) -> bool {
        matches!(self, Outcome::Output { attachments: Some(_), .. })
    }

    /// Appends it to a frame that was begun.
    #[inline]
    pub(crate) fn put(self, outgoing: &mut Outgoing) {
        let mut put = |kind, first: &str, second: &str| {
            put_prefix(outgoing.buffer(), kind, texts_bytes(first, second) as u64);
            put_texts(outgoing.buffer(), first, second);
        };
        match self {
            Outcome::Output { failed, bytes, attachments } => {
                if let Some(attachments) = attachments {
                    outgoing.attach(&attachments);
                    // There are no more than a byte can say.
                    outgoing.put_piece(ATTACHED, Bytes::Copied(&[attachments.len() as u8]));
                }
                outgoing.put_piece(if failed { FAILED_OUTPUT } else { OUTPUT }, bytes.into());
            }
            Outcome::Panicked { message, location } => {
                put(PANICKED, &message, location.as_deref().unwrap_or_default());
            }
            Outcome::Error { kind, what, cause } => put(kind.piece_kind(), &what, &cause),
            Outcome::RunLimit => put_prefix(outgoing.buffer(), RUN_LIMIT, 0),
        }
    }

    #[inline]
    fn read(kind: u8, bytes: Payload<'_>, attachments: Option<Attachments>) -> Result<Outcome<'_>, FrameError> {
        let error = |kind, bytes| {
            let (what, cause) = texts(bytes)?;
            Ok(Outcome::Error { kind, what, cause })
        };
        match kind {
            OUTPUT | FAILED_OUTPUT => Ok(Outcome::Output { failed: kind == FAILED_OUTPUT, bytes, attachments }),
            _ if attachments.is_some() => malformed("only an output has descriptors"),
            PANICKED => {
                let (message, location) = texts(bytes)?;
                Ok(Outcome::Panicked { message, location: Some(location).filter(|location| !location.is_empty()) })
            }
            ENCODE => error(ErrorKind::Encode, bytes),
            DECODE => error(ErrorKind::Decode, bytes),
            UNKNOWN_JOB => error(ErrorKind::UnknownJob, bytes),
            RUN_LIMIT if bytes.is_empty() => Ok(Outcome::RunLimit),
            _ => malformed("there is no outcome of its kind"),
        }
    }
}

/// Appends the frame by which a worker says that it is ready, or why not.
pub(crate) fn put_ready(outgoing: &mut Outgoing, pid: u32, version: u32, digest: u128, failure: Option<&str>) {
    let flags = if failure.is_some() { FAILED } else { 0 };
    let bytes = 16 + failure.unwrap_or_default().len();
    let body_bytes = (prefix_bytes(bytes as u64) + bytes) as u64;
    let head = Head { body_bytes, flags, first: pid, second: version, ..Head::of(Kind::Ready) };
    let buffer = outgoing.buffer();
    buffer.extend_from_slice(&head.to_bytes());
    put_prefix(buffer, OUTPUT, bytes as u64);
    buffer.extend_from_slice(&digest.to_le_bytes());
    buffer.extend_from_slice(failure.unwrap_or_default().as_bytes());
}

/// Appends the frame by which a running item tells how far it is.
pub(crate) fn put_progress(outgoing: &mut Outgoing, place: Place, item: u16, done: u64, total: u64) {
    let head = Head { body_bytes: 18, place, first: u32::from(item), ..Head::of(Kind::Progress) };
    outgoing.buffer().extend_from_slice(&head.to_bytes());
    let mut numbers = [0; 16];
    numbers[..8].copy_from_slice(&done.to_le_bytes());
    numbers[8..].copy_from_slice(&total.to_le_bytes());
    // A piece of 16 bytes has a prefix of two.
    outgoing.put_piece(OUTPUT, Bytes::Copied(&numbers));
}

/// The head of outcomes that follow one another.
pub(crate) fn done_head(place: Place, first: u16, outcomes: u16, body_bytes: u64, busy_ns: u32, passed: bool) -> Head {
    Head {
        body_bytes,
        flags: if passed { PASSED } else { 0 },
        place,
        first: u32::from(outcomes) << 16 | u32::from(first),
        second: busy_ns,
        ..Head::of(Kind::Done)
    }
}

/// Reports, out of the bytes that came in.
#[derive(Debug)]
pub(crate) struct Reports {
    pub(crate) incoming: Incoming,
    /// The descriptors of outputs that were read and not given out.
    pub(crate) descriptors: FdQueue,
    /// The frame in which the last piece was.
    head: Head,
    /// How many outcomes of it have been given out.
    given: u16,
    /// What came beside the output that comes next.
    attachments: Option<Attachments>,
    /// Where the outputs are that were read together.
    parts: Vec<Range<u32>>,
    /// True if its end is still to be told.
    ends: bool,
}

impl Reports {
    pub(crate) fn new(frame_bytes_max: u64) -> Self {
        Reports {
            incoming: Incoming::new(frame_bytes_max),
            descriptors: FdQueue::default(),
            head: Head::of(Kind::Done),
            given: 0,
            attachments: None,
            parts: Vec::new(),
            ends: false,
        }
    }

    /// The next report; `None` if it has not been read yet. Behind an error nothing can be read.
    ///
    /// # Errors
    ///
    /// If the bytes are no report.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Report<'_>>, FrameError> {
        if self.ends {
            self.ends = false;
            return Ok(Some(self.done()));
        }
        loop {
            if self.head.kind == Kind::Done && self.attachments.is_none() {
                let most = self.outcomes() - self.given;
                if let Some(last) = self.incoming.next_row(OUTPUT, most, &mut self.parts) {
                    return self.outputs(last).map(Some);
                }
            }
            let Some(part) = self.incoming.next()? else {
                return Ok(None);
            };
            match part {
                Part::Head(head) => {
                    (self.head, self.given) = (head, 0);
                    self.check()?;
                    if head.body_bytes == 0 {
                        return Ok(Some(self.done()));
                    }
                }
                Part::Piece { kind: ATTACHED, last } => self.attached(last)?,
                Part::Piece { kind, last } => {
                    return match self.head.kind {
                        Kind::Done => self.outcome(kind, last).map(Some),
                        _ => self.numbers(kind, last).map(Some),
                    };
                }
            }
        }
    }

    fn outcomes(&self) -> u16 {
        (self.head.first >> 16) as u16
    }

    fn done(&self) -> Report<'static> {
        let Head { place, second: busy_ns, flags, .. } = self.head;
        Report::Done { place, outcomes: self.outcomes(), busy_ns, passed: flags & PASSED != 0 }
    }

    /// Looks at the head of a frame.
    #[inline]
    fn check(&mut self) -> Result<(), FrameError> {
        let head = self.head;
        let good = match head.kind {
            Kind::Done => {
                let first = head.first as u16;
                (head.body_bytes == 0) == (self.outcomes() == 0) && first.checked_add(self.outcomes()).is_some()
            }
            Kind::Ready => head.body_bytes > 0,
            Kind::Progress => head.body_bytes > 0 && head.first <= u32::from(u16::MAX),
            _ => false,
        };
        if good { Ok(()) } else { malformed("its head is not that of a report") }
    }

    /// Takes the descriptors that came before an output.
    fn attached(&mut self, last: bool) -> Result<(), FrameError> {
        let is_in_place = !last && self.head.kind == Kind::Done && self.attachments.is_none();
        if !is_in_place {
            return malformed("a number of descriptors is out of place");
        }
        self.attachments = Some(self.descriptors.of_piece(&self.incoming.piece())?);
        Ok(())
    }

    /// Tells of outputs that were read together.
    fn outputs(&mut self, last: bool) -> Result<Report<'_>, FrameError> {
        let first = self.take_outcomes(self.parts.len() as u16, last)?;
        let Cow::Borrowed(pieces) = self.incoming.piece() else {
            return malformed("small outputs are in the buffer");
        };
        Ok(Report::Outputs { place: self.head.place, first, pieces, parts: &self.parts })
    }

    /// Counts outcomes that were read, and gives the item of the first.
    #[inline]
    fn take_outcomes(&mut self, outcomes: u16, last: bool) -> Result<u16, FrameError> {
        // `check` has seen that the sum fits, and that there is an outcome at all.
        let left = self.outcomes() - self.given;
        if outcomes > left || last != (outcomes == left) {
            return malformed("it has another number of outcomes than it says");
        }
        let item = self.head.first as u16 + self.given;
        self.given += outcomes;
        self.ends = last;
        Ok(item)
    }

    #[inline]
    fn outcome(&mut self, kind: u8, last: bool) -> Result<Report<'_>, FrameError> {
        let item = self.take_outcomes(1, last)?;
        let outcome = Outcome::read(kind, self.incoming.piece(), self.attachments.take())?;
        Ok(Report::Outcome { place: self.head.place, item, outcome })
    }

    /// A report of one piece that begins with numbers.
    fn numbers(&mut self, kind: u8, last: bool) -> Result<Report<'_>, FrameError> {
        let head = self.head;
        if kind != OUTPUT || !last {
            return malformed("it has more to say than it can");
        }
        let piece = self.incoming.piece();
        let mut rest = &piece[..];
        let Some(&numbers) = take::<16>(&mut rest) else {
            return malformed("its numbers are cut");
        };
        if head.kind == Kind::Ready {
            let text = String::from_utf8_lossy(rest).into_owned();
            let failure = (head.flags & FAILED != 0).then_some(Cow::Owned(text));
            let digest = u128::from_le_bytes(numbers);
            return Ok(Report::Ready { pid: head.first, version: head.second, digest, failure });
        }
        let both = u128::from_le_bytes(numbers);
        let (done, total) = (both as u64, (both >> 64) as u64);
        Ok(Report::Progress { place: head.place, item: head.first as u16, done, total })
    }
}
