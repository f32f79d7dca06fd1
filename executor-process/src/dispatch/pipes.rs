//! Reading what workers print. How it is known whose a line is stands on the page of [`output`](crate::output).

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::epoll::{EpollEvent, EpollFlags};
use nix::unistd::read;

use super::news::Told;
use super::{Dispatcher, FIRST_PIPE};
use crate::board::Board;
use crate::output::{LineEnd, Lines, OutputJob, OutputLine, OutputStream, Printed, Tail};
use crate::start::Worker;
use crate::sys::bytes_in;
use crate::wire::{Activity, Page, Place};

/// How much is read of a pipe in a turn: all that is in it, unless a job has made it larger.
const READ_BYTES: usize = 64 << 10;

/// How much is read of a pipe whose worker has ended: the most that a pipe holds for an ordinary user, by
/// `/proc/sys/fs/pipe-max-size`. There is no end to it where a program that a job started still prints.
const LAST_BYTES: usize = 1 << 20;

/// An item of a worker's.
type Item = (Place, u16);

/// The job that prints.
struct Author {
    job: OutputJob,
    /// Weak, because it is the subscriber's code that closes a span.
    #[cfg(feature = "tracing")]
    span: std::sync::Weak<tracing::Span>,
}

/// The pipes of one worker.
pub(super) struct Pipes {
    worker: usize,
    pid: u32,
    pipes: Vec<Pipe>,
    /// Whose what was read last is, and how that is told.
    whose: Option<Item>,
    author: Option<Author>,
    /// What that one has written to standard error.
    tail: Tail,
}

struct Pipe {
    /// `None` once everything was read that ever will be there.
    end: Option<OwnedFd>,
    stream: OutputStream,
    lines: Lines,
}

/// What the dispatcher has for the pipes of all workers; nothing where output is not captured.
#[derive(Default)]
pub(super) struct Capture {
    buffer: Vec<u8>,
    /// Nothing is read, because too much waits for the callback.
    is_held: bool,
}

impl Pipes {
    /// Takes the pipes of a process; `None` if it has none.
    pub(super) fn of(process: &mut Worker, worker: usize) -> Option<Pipes> {
        let ends = [(OutputStream::Stdout, process.stdout.take()), (OutputStream::Stderr, process.stderr.take())];
        let pipe =
            |(stream, end): (_, Option<_>)| end.map(|end| Pipe { end: Some(end), stream, lines: Lines::default() });
        let pipes: Vec<_> = ends.into_iter().filter_map(pipe).collect();
        let (whose, author, tail) = (None, None, Tail::default());
        (!pipes.is_empty()).then_some(Pipes { worker, pid: process.pid, pipes, whose, author, tail })
    }

    /// What this item wrote to standard error last, or the initializer, for `None`.
    pub(super) fn last_words(&self, whose: Option<Item>) -> Option<String> {
        (self.whose == whose).then(|| self.tail.text()).flatten()
    }

    /// Notes by whom what is read next was printed.
    fn turn_to(&mut self, whose: Option<Item>, author: impl FnOnce(Item) -> Option<Author>, told: &mut Vec<Printed>) {
        if self.whose != whose {
            self.end_lines(told);
            self.whose = whose;
            self.author = whose.and_then(author);
            self.tail.clear();
        }
    }

    /// Tells what was begun of lines, because nothing of them follows.
    fn end_lines(&mut self, told: &mut Vec<Printed>) {
        for number in 0..self.pipes.len() {
            if let Some(text) = self.pipes[number].lines.end() {
                told.push(self.line(self.pipes[number].stream, text, LineEnd::Missing));
            }
        }
    }

    fn line(&self, stream: OutputStream, text: String, end: LineEnd) -> Printed {
        let author = self.author.as_ref();
        let job = author.map(|author| author.job.clone());
        Printed {
            line: OutputLine { worker: self.worker, pid: self.pid, stream, job, text, end },
            #[cfg(feature = "tracing")]
            span: author.and_then(|author| author.span.upgrade()),
        }
    }

    /// Takes in what was read.
    fn take_in(&mut self, number: usize, bytes: &[u8], told: &mut Vec<Printed>) {
        let Pipe { stream, lines, .. } = &mut self.pipes[number];
        let stream = *stream;
        if stream == OutputStream::Stderr {
            self.tail.push(bytes);
        }
        let mut complete = Vec::new();
        lines.push(bytes, |text, end| complete.push((text, end)));
        told.extend(complete.into_iter().map(|(text, end)| self.line(stream, text, end)));
    }
}

impl Dispatcher {
    /// Watches the pipes of a new worker.
    pub(super) fn watch_pipes(&mut self, worker: usize) {
        if !self.capture.is_held {
            self.set_watched(worker, true);
        }
    }

    fn set_watched(&mut self, worker: usize, watched: bool) {
        let Some(pipes) = self.members[worker].present().and_then(|present| present.pipes.as_ref()) else { return };
        for (number, pipe) in (0..).zip(&pipes.pipes) {
            let Some(end) = &pipe.end else { continue };
            let event = EpollEvent::new(EpollFlags::EPOLLIN, FIRST_PIPE + 2 * worker as u64 + number);
            // It fails only if memory has run out; what is printed waits then until its worker ends.
            let _ = if watched { self.poll.add(end, event) } else { self.poll.delete(end) };
        }
    }

    /// Ceases to read while too much waits for the callback, and goes on when it does not.
    pub(super) fn hold_output(&mut self) {
        let Some(output) = &self.pool.output else { return };
        let is_full = output.is_full();
        if is_full != std::mem::replace(&mut self.capture.is_held, is_full) {
            (0..self.members.len()).for_each(|worker| self.set_watched(worker, !is_full));
        }
    }

    /// True while no worker may be started, because its output could not be taken.
    pub(super) fn holds_output(&self) -> bool {
        self.capture.is_held
    }

    /// Reads what is in a pipe, once.
    pub(super) fn hear(&mut self, pipe: u64, events: EpollFlags) {
        let (worker, number) = ((pipe / 2) as usize, (pipe % 2) as usize);
        if self.read_pipe(worker, number) == 0 && events.contains(EpollFlags::EPOLLHUP) {
            self.close_pipe(worker, number);
        }
    }

    /// Gives how many bytes came. Whoever wrote them is looked up between the moment when they are known to be there and the one
    /// when they are taken.
    fn read_pipe(&mut self, worker: usize, number: usize) -> usize {
        let pool = Arc::clone(&self.pool);
        let Some(present) = self.members[worker].present() else { return 0 };
        let Some(pipes) = &mut present.pipes else { return 0 };
        let Some(end) = pipes.pipes.get(number).and_then(|pipe| pipe.end.as_ref()) else { return 0 };
        if bytes_in(end).unwrap_or(0) == 0 {
            return 0;
        }
        let whose = running(crate::wire::Lane::page(&present.lane));
        self.capture.buffer.resize(READ_BYTES, 0);
        let length = match read(end, &mut self.capture.buffer) {
            Ok(length) => length,
            Err(Errno::EINTR | Errno::EAGAIN) => return 0,
            Err(_) => {
                self.close_pipe(worker, number);
                return 0;
            }
        };
        let mut told = Vec::new();
        pipes.turn_to(whose, |item| author_of(&pool.lock(), worker, item), &mut told);
        pipes.take_in(number, &self.capture.buffer[..length], &mut told);
        self.tell(told);
        length
    }

    fn close_pipe(&mut self, worker: usize, number: usize) {
        let Some(pipes) = self.members[worker].present().and_then(|present| present.pipes.as_mut()) else { return };
        if let Some(end) = pipes.pipes.get_mut(number).and_then(|pipe| pipe.end.take()) {
            // It is not there while nothing is read.
            let _ = self.poll.delete(end.as_fd());
        }
    }

    /// Outcomes have come, or the news that the initializer has run: behind them nothing follows to what was printed.
    pub(super) fn end_lines(&mut self, worker: usize, news: &[Told]) {
        let Some(pipes) = self.members[worker].present().and_then(|present| present.pipes.as_mut()) else { return };
        let ends = |told: &Told| match *told {
            Told::Row(ref row) => pipes.whose.is_some_and(|(place, item)| row.has(place, item)),
            Told::Outcome { place, item, .. } => pipes.whose == Some((place, item)),
            Told::Ready { .. } => pipes.whose.is_none(),
            Told::Done { .. } | Told::Progress { .. } => false,
        };
        if news.iter().any(ends) {
            let mut told = Vec::new();
            pipes.end_lines(&mut told);
            self.tell(told);
        }
    }

    /// Reads what a worker printed before its end.
    pub(super) fn hear_pipes_out(&mut self, worker: usize) {
        for number in 0..2 {
            let mut left = LAST_BYTES;
            while left > 0 {
                match self.read_pipe(worker, number) {
                    0 => break,
                    length => left = left.saturating_sub(length),
                }
            }
            self.close_pipe(worker, number);
        }
        if let Some(pipes) = self.members[worker].present().and_then(|present| present.pipes.as_mut()) {
            let mut told = Vec::new();
            pipes.end_lines(&mut told);
            self.tell(told);
        }
    }

    fn tell(&self, told: Vec<Printed>) {
        if let Some(output) = self.pool.output.as_ref().filter(|_| !told.is_empty()) {
            output.push(told);
        }
    }
}

/// The item that the worker runs, or has run last.
fn running(page: &Page) -> Option<Item> {
    match page.activity() {
        Activity::Running(place, item) | Activity::Ended(place, item) => Some((place, item)),
        Activity::Fresh | Activity::Starting | Activity::Torn => None,
    }
}

/// How a job that was sent and has not come back is told.
fn author_of(board: &Board, worker: usize, (place, item): Item) -> Option<Author> {
    let frame = board.desks[worker].frames.iter().find(|frame| frame.place == place)?;
    let (key, item) = frame.cargo.at(item)?;
    let parcel = &board.loads.get(key)?.parcel;
    let job = (item < parcel.items()).then(|| parcel.job(item))?;
    Some(Author {
        job: OutputJob { id: job.id(), name: job.name().into() },
        #[cfg(feature = "tracing")]
        span: job.span(),
    })
}
