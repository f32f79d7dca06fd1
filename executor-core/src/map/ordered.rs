//! [`Map`]: results in the order of the input.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::backend::{Backend, Refused, Room, Task};
use crate::cell::Outcome;
use crate::error::{JobError, OptionError, unboxed};
use crate::future::JobFuture;
use crate::job::Job;
use crate::payload::JobPayload;
use crate::room::RoomWait;
use crate::submission::Submission;
use crate::trace::Submitter;

use super::chunk::Chunk;
use super::feed::Feed;
use super::options::MapOptions;
use super::pace::Pace;
use super::stretch::Stretch;

/// How many chunks are under way at once: one or two that run, one that is read, one that waits.
const CHUNKS: usize = 4;

/// The largest window that is chosen without the user's word, in items.
const WINDOW_MAX: usize = 16384;

/// The results of the jobs of a map, in the order of its input. Made by [`Executor::map`](crate::Executor::map).
///
/// It goes on after an error, and ends with its input. Dropping it cancels what has not begun. A panic of the input
/// iterator comes again here, after the results of the items before it.
///
/// # Blocking
///
/// `next` blocks until the next result is there; on a worker of the same pool it runs the awaited job itself if no
/// other has begun it. [`into_stream`](Map::into_stream) awaits instead.
#[must_use = "dropping a map cancels the jobs that have not begun"]
pub struct Map<B: Backend, F, I: Iterator, J: Job> {
    backend: B,
    feed: Feed<I, F>,
    options: MapOptions,
    /// The window that was set, in items.
    window: Option<usize>,
    workers: usize,
    /// No chunk is longer, so that each fits in the queue.
    chunk_max: usize,
    pace: Arc<Pace>,
    submitter: Submitter,
    /// What was pulled and not read yet, in the order of the input.
    stretches: VecDeque<Stretch<J>>,
    /// The task of the last stretch, while the queue has no room for it.
    held: Option<Task>,
    /// The next item of the first stretch.
    position: u32,
    /// How many items were pulled and not read yet.
    ahead: usize,
    /// As few items ahead leave room for another chunk.
    refill_at: usize,
}

impl<B, F, I, J> Map<B, F, I, J>
where
    B: Backend,
    F: FnMut(I::Item) -> J,
    I: Iterator,
    J: Job,
{
    pub(crate) fn new(backend: B, to_job: F, items: I, options: MapOptions) -> Result<Self, OptionError> {
        let window = options.checked_window()?;
        Ok(Map::begin(backend, to_job, items, options, window))
    }

    pub(crate) fn with_defaults(backend: B, to_job: F, items: I) -> Self {
        Map::begin(backend, to_job, items, MapOptions::default(), None)
    }

    fn begin(backend: B, to_job: F, items: I, options: MapOptions, window: Option<usize>) -> Self {
        let workers = backend.snapshot().workers.max(1);
        let queue = backend.capabilities().queue_capacity.unwrap_or(usize::MAX);
        let mut map = Map {
            backend,
            feed: Feed::new(items, to_job),
            window,
            workers,
            chunk_max: window.unwrap_or(WINDOW_MAX).min(queue).div_euclid(CHUNKS).max(1),
            pace: Arc::default(),
            submitter: Submitter::caller(),
            stretches: VecDeque::new(),
            held: None,
            position: 0,
            ahead: 0,
            refill_at: 0,
            options,
        };
        while map.feed.is_open() && map.held.is_none() {
            let chunk_items = map.chunk_items();
            let room = map.window(chunk_items).saturating_sub(map.ahead);
            if room == 0 {
                break;
            }
            map.hand_over(chunk_items.min(room));
        }
        map
    }

    /// How many items may be pulled and not read, where a chunk has so many. Workers change that number at any time, so that
    /// whoever decides by it asks for it once.
    fn window(&self, chunk_items: usize) -> usize {
        self.window.unwrap_or_else(|| (chunk_items * CHUNKS).clamp(4 * self.workers, WINDOW_MAX))
    }

    /// True if items are handed over together: not where each has options of its own, or is polled by itself.
    fn in_chunks(&self) -> bool {
        self.options.job.is_plain() && !(J::is_async() && self.backend.control().polls())
    }

    fn chunk_items(&self) -> usize {
        if self.in_chunks() { (self.pace.chunk_items() as usize).min(self.chunk_max) } else { 1 }
    }

    /// Hands over what the window has room for, in whole chunks unless nothing is under way.
    fn refill(&mut self) {
        self.offer_held(Room::Now);
        while self.held.is_none() && self.feed.is_open() {
            let chunk_items = self.chunk_items();
            let window = self.window(chunk_items);
            let room = window.saturating_sub(self.ahead);
            if room == 0 || (room < chunk_items && self.ahead > 0) {
                self.refill_at = window.saturating_sub(chunk_items);
                return;
            }
            self.hand_over(chunk_items.min(room));
        }
    }

    /// Pulls one chunk of up to `most` items, and hands it over.
    fn hand_over(&mut self, most: usize) {
        let jobs = self.feed.pull_some(most);
        if jobs.is_empty() {
            return;
        }
        let jobs = jobs.into_iter().map(JobPayload);
        self.ahead += jobs.len();
        let control = Arc::clone(self.backend.control());
        let options = self.options.job.clone();
        if self.in_chunks() {
            let pace = Arc::clone(&self.pace);
            let (task, chunk) = Chunk::new(jobs, options.priority, control, pace, &self.submitter);
            self.stretches.push_back(Stretch::Chunk(chunk));
            self.held = task;
        } else {
            for job in jobs {
                let (options, control) = (Some(options.clone()), Arc::clone(&control));
                let Submission { task, cell } = Submission::new(job, options, control, &self.submitter);
                self.stretches.push_back(Stretch::One(JobFuture::new(cell)));
                self.held = task;
            }
        }
        self.offer_held(Room::Now);
    }

    /// Offers the held task, if there is one. An executor that takes no more jobs ends the input.
    fn offer_held(&mut self, room: Room<'_>) {
        let Some(task) = self.held.take() else { return };
        match self.backend.accept(task, room) {
            Ok(()) => {}
            Err(refused) if refused.is_full() => self.held = Some(Refused::into_parts(refused).0),
            Err(refused) => {
                refused.fail();
                self.feed.close();
            }
        }
    }

    /// What came of the next item, if it is done, and the end of the input.
    #[inline]
    fn next_done(&mut self) -> Poll<Option<Outcome<JobPayload<J>>>> {
        if self.ahead <= self.refill_at || self.held.is_some() {
            self.refill();
        }
        let Some(stretch) = self.stretches.front_mut() else {
            self.feed.finish();
            return Poll::Ready(None);
        };
        let Some(outcome) = stretch.take(self.position) else { return Poll::Pending };
        self.position += 1;
        self.ahead -= 1;
        if self.position as usize == stretch.len() {
            self.stretches.pop_front();
            self.position = 0;
        }
        Poll::Ready(Some(outcome))
    }

    /// True if the first stretch is the one that waits for room.
    fn front_is_held(&self) -> bool {
        self.held.is_some() && self.stretches.len() == 1
    }

    /// The same results as a stream, which awaits each instead of blocking.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future of one `next` loses nothing; dropping the stream cancels what has not begun.
    pub fn into_stream(self) -> MapStream<B, F, I, J> {
        MapStream { map: self, wait: RoomWait::default() }
    }
}

impl<B, F, I, J> Iterator for Map<B, F, I, J>
where
    B: Backend,
    F: FnMut(I::Item) -> J,
    I: Iterator,
    J: Job,
{
    type Item = Result<J::Output, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Poll::Ready(next) = self.next_done() {
                return next.map(unboxed);
            }
            if self.front_is_held() {
                self.offer_held(Room::Wait);
            }
            if let Some(stretch) = self.stretches.front()
                && let Err(error) = stretch.wait(self.position)
            {
                return Some(Err(error));
            }
        }
    }
}

impl<B, F, I, J> FusedIterator for Map<B, F, I, J>
where
    B: Backend,
    F: FnMut(I::Item) -> J,
    I: Iterator,
    J: Job,
{
}

impl<B: Backend, F, I: Iterator, J: Job> Drop for Map<B, F, I, J> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            held.withdraw();
        }
        for (place, stretch) in self.stretches.iter().enumerate() {
            stretch.cancel(if place == 0 { self.position } else { 0 });
        }
    }
}

impl<B: Backend, F, I: Iterator, J: Job> fmt::Debug for Map<B, F, I, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("ahead", &self.ahead).field("window", &self.window).finish_non_exhaustive()
    }
}

/// The results of a [`Map`] as a stream.
#[must_use = "dropping a map cancels the jobs that have not begun"]
pub struct MapStream<B: Backend, F, I: Iterator, J: Job> {
    map: Map<B, F, I, J>,
    wait: RoomWait,
}

impl<B: Backend, F, I: Iterator, J: Job> Drop for MapStream<B, F, I, J> {
    fn drop(&mut self) {
        self.wait.end(&self.map.backend);
    }
}

/// Nothing in it is pinned.
impl<B: Backend, F, I: Iterator, J: Job> Unpin for MapStream<B, F, I, J> {}

impl<B, F, I, J> Stream for MapStream<B, F, I, J>
where
    B: Backend,
    F: FnMut(I::Item) -> J,
    I: Iterator,
    J: Job,
{
    type Item = Result<J::Output, JobError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let MapStream { map, wait } = &mut *self;
        if let Poll::Ready(next) = map.next_done() {
            return Poll::Ready(next.map(unboxed));
        }
        if map.front_is_held() {
            map.offer_held(wait.notify(cx.waker()));
        }
        if let Some(stretch) = map.stretches.front() {
            stretch.register(map.position, cx.waker());
        }
        map.next_done().map(|next| next.map(unboxed))
    }
}

impl<B: Backend, F, I: Iterator, J: Job> fmt::Debug for MapStream<B, F, I, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map.fmt(f)
    }
}
