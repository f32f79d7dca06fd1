//! [`MapUnordered`]: results in the order in which the jobs end.

use std::fmt;
use std::iter::FusedIterator;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::as_completed::Members;
use crate::backend::{Backend, Room, Task};
use crate::error::{JobError, OptionError};
use crate::future::JobFuture;
use crate::job::Job;
use crate::payload::JobPayload;
use crate::room::RoomWait;
use crate::submission::Submission;
use crate::trace::Submitter;
use crate::waiting::Limit;

use super::feed::Feed;
use super::options::MapOptions;

/// How many items a worker are ahead of the reader without the user's word: enough that no worker waits for the
/// reader while jobs take more than some µs.
const ITEMS_PER_WORKER: usize = 64;

/// The results of the jobs of a map, in the order in which they end. Made by
/// [`Executor::map_unordered`](crate::Executor::map_unordered).
///
/// It goes on after an error, and ends with its input. Dropping it cancels what has not begun. A panic of the input
/// iterator comes again here, after the results of the items before it.
#[must_use = "dropping a map cancels the jobs that have not begun"]
pub struct MapUnordered<B: Backend, F, I: Iterator, J: Job> {
    backend: B,
    feed: Feed<I, F>,
    options: MapOptions,
    window: usize,
    members: Members<J::Output>,
    submitter: Submitter,
    /// The task of the last item, while the queue has no room for it.
    held: Option<Task>,
}

impl<B, F, I, J> MapUnordered<B, F, I, J>
where
    B: Backend,
    F: FnMut(I::Item) -> J,
    I: Iterator,
    J: Job,
{
    pub(crate) fn new(backend: B, to_job: F, items: I, options: MapOptions) -> Result<Self, OptionError> {
        let window = options.checked_window()?;
        Ok(MapUnordered::begin(backend, to_job, items, options, window))
    }

    pub(crate) fn with_defaults(backend: B, to_job: F, items: I) -> Self {
        MapUnordered::begin(backend, to_job, items, MapOptions::default(), None)
    }

    fn begin(backend: B, to_job: F, items: I, options: MapOptions, window: Option<usize>) -> Self {
        let window = window.unwrap_or_else(|| backend.snapshot().workers.max(1) * ITEMS_PER_WORKER);
        let feed = Feed::new(items, to_job);
        let (members, submitter) = (Members::new(), Submitter::caller());
        let mut map = MapUnordered { backend, feed, options, window, members, submitter, held: None };
        map.refill();
        map
    }

    fn refill(&mut self) {
        self.offer_held(Room::Now);
        while self.held.is_none() && self.members.open() < self.window {
            let Some(job) = self.feed.pull() else { return };
            let control = std::sync::Arc::clone(self.backend.control());
            let options = Some(self.options.job.clone());
            let Submission { task, cell } = Submission::new(JobPayload(job), options, control, &self.submitter);
            self.members.add(JobFuture::new(cell));
            self.held = task;
            self.offer_held(Room::Now);
        }
    }

    /// Offers the held task, if there is one. An executor that takes no more jobs ends the input.
    fn offer_held(&mut self, room: Room<'_>) {
        let Some(task) = self.held.take() else { return };
        match self.backend.accept(task, room) {
            Ok(()) => {}
            Err(refused) if refused.is_full() => self.held = Some(refused.into_parts().0),
            Err(refused) => {
                refused.fail();
                self.feed.close();
            }
        }
    }

    /// The same results as a stream, which awaits each instead of blocking.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future of one `next` loses nothing; dropping the stream cancels what has not begun.
    pub fn into_stream(self) -> MapUnorderedStream<B, F, I, J> {
        MapUnorderedStream { map: self, wait: RoomWait::default() }
    }
}

impl<B, F, I, J> Iterator for MapUnordered<B, F, I, J>
where
    B: Backend,
    F: FnMut(I::Item) -> J,
    I: Iterator,
    J: Job,
{
    type Item = Result<J::Output, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.refill();
        if self.held.is_some() && self.members.open() == 1 {
            self.offer_held(Room::Wait);
        }
        match self.members.next(Limit::None) {
            Ok(Some(future)) => Some(future.result()),
            Ok(None) => {
                self.feed.finish();
                None
            }
            Err(error) => Some(Err(error)),
        }
    }
}

impl<B, F, I, J> FusedIterator for MapUnordered<B, F, I, J>
where
    B: Backend,
    F: FnMut(I::Item) -> J,
    I: Iterator,
    J: Job,
{
}

impl<B: Backend, F, I: Iterator, J: Job> Drop for MapUnordered<B, F, I, J> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            held.withdraw();
        }
        self.members.cancel();
    }
}

impl<B: Backend, F, I: Iterator, J: Job> fmt::Debug for MapUnordered<B, F, I, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapUnordered")
            .field("ahead", &self.members.open())
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// The results of a [`MapUnordered`] as a stream.
#[must_use = "dropping a map cancels the jobs that have not begun"]
pub struct MapUnorderedStream<B: Backend, F, I: Iterator, J: Job> {
    map: MapUnordered<B, F, I, J>,
    wait: RoomWait,
}

impl<B: Backend, F, I: Iterator, J: Job> Drop for MapUnorderedStream<B, F, I, J> {
    fn drop(&mut self) {
        self.wait.end(&self.map.backend);
    }
}

/// Nothing in it is pinned.
impl<B: Backend, F, I: Iterator, J: Job> Unpin for MapUnorderedStream<B, F, I, J> {}

impl<B, F, I, J> Stream for MapUnorderedStream<B, F, I, J>
where
    B: Backend,
    F: FnMut(I::Item) -> J,
    I: Iterator,
    J: Job,
{
    type Item = Result<J::Output, JobError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let MapUnorderedStream { map, wait } = &mut *self;
        map.refill();
        if map.held.is_some() && map.members.open() == 1 {
            map.offer_held(wait.notify(cx.waker()));
        }
        match map.members.poll_next(cx.waker()) {
            Poll::Ready(Some(mut future)) => Poll::Ready(future.try_result()),
            Poll::Ready(None) => {
                map.feed.finish();
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<B: Backend, F, I: Iterator, J: Job> fmt::Debug for MapUnorderedStream<B, F, I, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map.fmt(f)
    }
}
