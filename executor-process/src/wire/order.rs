//! [`Order`]: what the owner tells a worker.
//!
//! | frame | pieces of its body |
//! |---|---|
//! | Run | for each item: its options (kind 1) and its number of descriptors (kind 2), if it has any; its argument (kind 0) |
//! | Setup | digest of the registry and longest frame (kind 1); the argument of the initializer, if there is one (kind 0) |
//! | Stop, StopAll, Exit | none |
//!
//! A frame of jobs is not collected before it is looked at: each item is an order of its own, so that the first can run
//! while the last is still on its way.

use std::borrow::Cow;
use std::ops::Range;

use executor_ipc::attach::Attachments;

use crate::wire::error::malformed;
use crate::wire::fd_queue::FdQueue;
use crate::wire::head::{Head, Kind};
use crate::wire::incoming::{Incoming, Part};
use crate::wire::options::{ItemOptions, take};
use crate::wire::outgoing::{Bytes, Outgoing};
use crate::wire::piece::{PIECE_BYTES_MAX, prefix_bytes, put_prefix};
use crate::wire::{FrameError, Payload, Place, PushError};

/// The argument of a job, or of the initializer.
const ARGUMENT: u8 = 0;
/// What else is said about the job that follows, or about the pool.
const DETAILS: u8 = 1;
/// How many descriptors go with the argument that follows. They come with this piece.
const ATTACHED: u8 = 2;

/// A digest of 128 bits, and a length.
const SETTINGS_BYTES: usize = 24;

/// A job that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Item<'a> {
    pub(crate) argument: Bytes<'a>,
    pub(crate) options: Option<&'a ItemOptions>,
    /// What goes beside the argument, if anything does.
    pub(crate) attachments: Option<&'a Attachments>,
}

/// Plain jobs in a row that are to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    /// The index of their type in the table of jobs.
    pub(crate) job: u32,
    pub(crate) items: u16,
    /// Their arguments, each a piece of kind 0.
    pub(crate) pieces: &'a [u8],
    /// Those of the first.
    pub(crate) options: &'a ItemOptions,
}

impl Item<'_> {
    fn options(&self) -> Option<&ItemOptions> {
        self.options.filter(|options| !options.is_plain())
    }

    /// How much of the body of a frame it takes.
    fn bytes(&self) -> u64 {
        let piece = |bytes: usize| (prefix_bytes(bytes as u64) + bytes) as u64;
        piece(self.argument.as_slice().len())
            + self.options().map_or(0, |options| piece(options.bytes()))
            + self.attachments.map_or(0, |_| piece(1))
    }
}

/// What a worker is told once, before its first job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setup<'a> {
    /// The version of the frames.
    pub(crate) version: u32,
    /// The digest of the table of jobs, which must be the worker's too.
    pub(crate) digest: u128,
    /// The longest body of a frame, both ways.
    pub(crate) frame_bytes_max: u64,
    /// The index of the initializer in the table of jobs, and its argument.
    pub(crate) initializer: Option<(u32, Payload<'a>)>,
}

/// Plain items of a frame of jobs that follow one another, as the worker gets them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AssignedRow<'a> {
    pub(crate) place: Place,
    /// The index of the job in the table that both sides have.
    pub(crate) job: u32,
    /// Which item of the frame the first is.
    pub(crate) first: u16,
    /// How many items the frame has.
    pub(crate) items: u16,
    /// The arguments, each behind its prefix.
    pub(crate) pieces: &'a [u8],
    /// Where in `pieces` the bytes of each are.
    pub(crate) parts: &'a [Range<u32>],
    /// Those of the first item; the others have none.
    pub(crate) options: ItemOptions,
}

/// An item of a frame of jobs, as the worker gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assigned<'a> {
    pub(crate) place: Place,
    /// The index of the job in the table that both sides have.
    pub(crate) job: u32,
    /// Which item of the frame it is.
    pub(crate) item: u16,
    /// How many items the frame has.
    pub(crate) items: u16,
    pub(crate) argument: Payload<'a>,
    /// What came beside the argument, if anything did.
    pub(crate) attachments: Option<Attachments>,
    pub(crate) options: ItemOptions,
}

/// What a worker is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order<'a> {
    /// How the pool is. The worker answers with [`Report::Ready`](crate::wire::Report::Ready).
    Setup(Setup<'a>),
    /// Items of a frame of jobs that came together: run each, if the page lets it begin.
    Row(AssignedRow<'a>),
    /// An item of a frame of jobs that is large, or has descriptors.
    Item(Assigned<'a>),
    /// A running item was asked to stop. The page says so too, and at once; this wakes a worker that waits.
    Stop(Place, u16),
    /// All jobs, also those to come, were asked to stop.
    StopAll,
    /// Run what was sent, report it, and end.
    Exit,
}

/// Appends a frame of jobs, whose length and number [`run_bytes`] has found to be in order.
pub(crate) fn put_run(outgoing: &mut Outgoing, place: Place, job: u32, items: &[Item<'_>], body_bytes: u64) {
    let head = Head { body_bytes, place, first: job, second: items.len() as u32, ..Head::of(Kind::Run) };
    outgoing.buffer().extend_from_slice(&head.to_bytes());
    for item in items {
        if let Some(options) = item.options() {
            put_prefix(outgoing.buffer(), DETAILS, options.bytes() as u64);
            options.put(outgoing.buffer());
        }
        if let Some(attachments) = item.attachments {
            outgoing.attach(attachments);
            // There are no more than a byte can say.
            outgoing.put_piece(ATTACHED, Bytes::Copied(&[attachments.len() as u8]));
        }
        outgoing.put_piece(ARGUMENT, item.argument.clone());
    }
}

const _: () = assert!(executor_ipc::attach::ATTACHMENTS_MAX <= u8::MAX as usize);

/// Appends a frame of jobs whose arguments are pieces already, with the options of the first.
///
/// # Errors
///
/// If it is longer than a frame may be. Nothing is appended then.
pub(crate) fn put_row(
    outgoing: &mut Outgoing,
    place: Place,
    row: Row<'_>,
    frame_bytes_max: u64,
) -> Result<(), PushError> {
    let Row { job, items, pieces, options } = row;
    let options = Some(options).filter(|options| !options.is_plain());
    let options_bytes = options.map_or(0, |options| prefix_bytes(options.bytes() as u64) + options.bytes());
    let body_bytes = (options_bytes + pieces.len()) as u64;
    within(body_bytes, frame_bytes_max)?;
    let head = Head { body_bytes, place, first: job, second: items.into(), ..Head::of(Kind::Run) };
    let buffer = outgoing.buffer();
    buffer.extend_from_slice(&head.to_bytes());
    if let Some(options) = options {
        put_prefix(buffer, DETAILS, options.bytes() as u64);
        options.put(buffer);
    }
    buffer.extend_from_slice(pieces);
    Ok(())
}

/// How many items a frame of these jobs has, and how long its body is.
///
/// # Errors
///
/// If it is longer than a frame may be, or there are too few or too many items.
pub(crate) fn run_bytes(items: &[Item<'_>], frame_bytes_max: u64) -> Result<(u16, u64), PushError> {
    let count = u16::try_from(items.len()).ok().filter(|&count| count > 0);
    let count = count.ok_or(PushError::Items { items: items.len() })?;
    let bytes = items.iter().fold(0_u64, |bytes, item| bytes.saturating_add(item.bytes()));
    within(bytes, frame_bytes_max)?;
    Ok((count, bytes))
}

/// Appends a frame that is not one of jobs; an item is no such frame, and nothing is appended for it.
///
/// # Errors
///
/// If the argument of the initializer is too long. Nothing is appended then.
pub(crate) fn put_order(outgoing: &mut Outgoing, order: Order<'_>, frame_bytes_max: u64) -> Result<(), PushError> {
    let head = match order {
        Order::Setup(setup) => return put_setup(outgoing, setup, frame_bytes_max),
        Order::Stop(place, item) => Head { place, first: u32::from(item), ..Head::of(Kind::Stop) },
        Order::StopAll => Head::of(Kind::StopAll),
        Order::Exit => Head::of(Kind::Exit),
        Order::Row(_) | Order::Item(_) => return Err(PushError::Items { items: 0 }),
    };
    outgoing.buffer().extend_from_slice(&head.to_bytes());
    Ok(())
}

fn put_setup(outgoing: &mut Outgoing, setup: Setup<'_>, frame_bytes_max: u64) -> Result<(), PushError> {
    let mut settings = [0; SETTINGS_BYTES];
    settings[..16].copy_from_slice(&setup.digest.to_le_bytes());
    settings[16..].copy_from_slice(&setup.frame_bytes_max.to_le_bytes());
    let argument = setup.initializer.as_ref().map(|(_, argument)| argument.len());
    let piece_bytes = |bytes: usize| (prefix_bytes(bytes as u64) + bytes) as u64;
    let body_bytes = piece_bytes(SETTINGS_BYTES) + argument.map_or(0, piece_bytes);
    within(body_bytes, frame_bytes_max)?;
    let job = setup.initializer.as_ref().map_or(0, |(job, _)| *job);
    let head = Head { body_bytes, first: job, second: setup.version, ..Head::of(Kind::Setup) };
    outgoing.buffer().extend_from_slice(&head.to_bytes());
    outgoing.put_piece(DETAILS, Bytes::Copied(&settings));
    if let Some((_, argument)) = setup.initializer {
        outgoing.put_piece(ARGUMENT, argument.into());
    }
    Ok(())
}

fn within(bytes: u64, frame_bytes_max: u64) -> Result<(), PushError> {
    let limit = frame_bytes_max.min(PIECE_BYTES_MAX);
    if bytes > limit { Err(PushError::TooLong { bytes, limit }) } else { Ok(()) }
}

/// Orders, out of the bytes that came in.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) incoming: Incoming,
    /// The descriptors of items that were read and not given out.
    pub(crate) descriptors: FdQueue,
    /// The frame in which the last piece was.
    head: Head,
    /// How many of its items have been given out.
    given: u16,
    /// What was said about the item that comes next.
    options: Option<ItemOptions>,
    /// What came beside the argument of the item that comes next.
    attachments: Option<Attachments>,
    /// Where the arguments are that were read together.
    parts: Vec<Range<u32>>,
    /// What a setup has said so far.
    settings: Option<(u128, u64)>,
}

impl Orders {
    pub(crate) fn new(frame_bytes_max: u64) -> Self {
        Orders {
            incoming: Incoming::new(frame_bytes_max),
            descriptors: FdQueue::default(),
            head: Head::of(Kind::Exit),
            given: 0,
            options: None,
            attachments: None,
            parts: Vec::new(),
            settings: None,
        }
    }

    /// The next order; `None` if it has not been read yet. Behind an error nothing can be read.
    ///
    /// # Errors
    ///
    /// If the bytes are no order.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Order<'_>>, FrameError> {
        loop {
            if self.head.kind == Kind::Run && self.attachments.is_none() {
                let most = self.head.second as u16 - self.given;
                if let Some(last) = self.incoming.next_row(ARGUMENT, most, &mut self.parts) {
                    return self.row(last).map(Some);
                }
            }
            let Some(part) = self.incoming.next()? else {
                return Ok(None);
            };
            match part {
                Part::Head(head) => {
                    if let Some(order) = self.begin(head)? {
                        return Ok(Some(order));
                    }
                }
                Part::Piece { kind: DETAILS, last } => {
                    let done = self.details(last)?;
                    if let Some(order) = done {
                        return Ok(Some(order));
                    }
                }
                Part::Piece { kind: ATTACHED, last } => self.attached(last)?,
                Part::Piece { kind: ARGUMENT, last } => return self.argument(last).map(Some),
                Part::Piece { .. } => return malformed("there is no piece of its kind"),
            }
        }
    }

    /// Begins a frame, and gives the order if there is nothing more to it.
    fn begin(&mut self, head: Head) -> Result<Option<Order<'static>>, FrameError> {
        (self.head, self.given, self.options, self.settings) = (head, 0, None, None);
        self.attachments = None;
        let items = 1..=u32::from(u16::MAX);
        let order = match head.kind {
            Kind::Run if head.body_bytes > 0 && items.contains(&head.second) => return Ok(None),
            Kind::Setup if head.body_bytes > 0 => return Ok(None),
            Kind::Stop => u16::try_from(head.first).ok().map(|item| Order::Stop(head.place, item)),
            Kind::StopAll => Some(Order::StopAll),
            Kind::Exit => Some(Order::Exit),
            _ => None,
        };
        match order.filter(|_| head.body_bytes == 0) {
            Some(order) => Ok(Some(order)),
            None => malformed("its head is not that of an order"),
        }
    }

    /// Takes what is said before an argument.
    fn details(&mut self, last: bool) -> Result<Option<Order<'static>>, FrameError> {
        let piece = self.incoming.piece();
        if self.head.kind == Kind::Run {
            let options = ItemOptions::read(&piece).filter(|_| !last && self.options.is_none());
            self.options = options;
            return match self.options {
                Some(_) => Ok(None),
                None => malformed("the options of an item are out of place"),
            };
        }
        let mut bytes = &piece[..];
        let digest = take(&mut bytes).copied().map(u128::from_le_bytes);
        let frame_bytes_max = take(&mut bytes).copied().map(u64::from_le_bytes);
        match (digest, frame_bytes_max) {
            (Some(digest), Some(frame_bytes_max)) if bytes.is_empty() && self.settings.is_none() => {
                self.settings = Some((digest, frame_bytes_max));
                let setup = Setup { version: self.head.second, digest, frame_bytes_max, initializer: None };
                Ok(last.then_some(Order::Setup(setup)))
            }
            _ => malformed("the settings of a pool are out of place"),
        }
    }

    /// Takes the descriptors that came before an argument.
    fn attached(&mut self, last: bool) -> Result<(), FrameError> {
        let is_in_place = !last && self.head.kind == Kind::Run && self.attachments.is_none();
        if !is_in_place {
            return malformed("a number of descriptors is out of place");
        }
        self.attachments = Some(self.descriptors.of_piece(&self.incoming.piece())?);
        Ok(())
    }

    /// Takes arguments that were read together.
    fn row(&mut self, last: bool) -> Result<Order<'_>, FrameError> {
        let first = self.take_items(self.parts.len() as u16, last)?;
        let Cow::Borrowed(pieces) = self.incoming.piece() else {
            return malformed("small arguments are in the buffer");
        };
        let Head { place, first: job, second: items, .. } = self.head;
        let options = self.options.take().unwrap_or_default();
        let items = items as u16;
        Ok(Order::Row(AssignedRow { place, job, first, items, pieces, parts: &self.parts, options }))
    }

    /// Counts items that were read, and gives the first.
    #[inline]
    fn take_items(&mut self, items: u16, last: bool) -> Result<u16, FrameError> {
        // `begin` has seen that the number of items fits.
        let left = self.head.second as u16 - self.given;
        if items > left || last != (items == left) {
            return malformed("it has another number of items than it says");
        }
        let first = self.given;
        self.given += items;
        Ok(first)
    }

    /// Takes an argument, which completes an order.
    #[inline]
    fn argument(&mut self, last: bool) -> Result<Order<'_>, FrameError> {
        let head = self.head;
        if head.kind == Kind::Run {
            let (item, items) = (self.take_items(1, last)?, head.second as u16);
            let options = self.options.take().unwrap_or_default();
            let attachments = self.attachments.take();
            let argument = self.incoming.piece();
            let (place, job) = (head.place, head.first);
            return Ok(Order::Item(Assigned { place, job, item, items, argument, attachments, options }));
        }
        match self.settings.filter(|_| last) {
            Some((digest, frame_bytes_max)) => {
                let initializer = Some((head.first, self.incoming.piece()));
                Ok(Order::Setup(Setup { version: head.second, digest, frame_bytes_max, initializer }))
            }
            None => malformed("the argument of the initializer is out of place"),
        }
    }
}
