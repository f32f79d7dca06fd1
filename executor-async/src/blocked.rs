//! Notices async jobs that block the runtime: a poll that does not come to its end holds a thread.
//!
//! Such a job is told of while it blocks, because one that never yields could not be told of afterwards.
//!
//! # How
//!
//! A thread that polls jobs of the pool mans a [`Post`]. Before the poll it writes there which job that is, and after it that it
//! is over, and counts both. It reads no clock for that, and its lock is one that only a look asks for too: a poll costs some ten
//! ns more. The timer of the pool looks
//! at the posts [a few times](LOOKS) in the time that a poll may take; what it finds there at so many looks in a row, with no
//! count in between, is one poll. Looks are counted, and not the time, so that a program that was stopped for a while
//! accuses nobody.
//!
//! # When nobody looks
//!
//! Looks end when nothing is polled any more, and the next poll begins them again: it sees that nobody [looks](Posts::looks). A
//! poll that begins just while the looks end may see that they go on. So one last look comes after that was taken
//! back: what a thread has stored is seen by the others long before.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use executor_core::backend::{JobRef, PoolId, quietly};
use tracing::Level;
use tracing::dispatcher::with_default;
use tracing::level_filters::LevelFilter;
use tracing::span::Id;

use crate::agenda::Due;
use crate::pool::Pool;
use crate::sync::Mutex;

/// How long a poll may take, by default: after so long tokio-console says of a task that it never yields.
pub(crate) const BLOCKED_LIMIT: Duration = Duration::from_secs(1);

/// How many looks fit in the time that a poll may take. One that takes longer is told of after a quarter of that time more, at
/// the latest.
const LOOKS: u32 = 4;

/// Two looks are no closer than this.
const PERIOD_MIN: Duration = Duration::from_millis(1);

thread_local! {
    /// The posts of this thread: one for each pool whose jobs it polls, of which there is rarely more than one.
    static POSTS: RefCell<Vec<Rc<Manned>>> = const { RefCell::new(Vec::new()) };
}

/// A post, as its thread has it.
struct Manned {
    pool: PoolId,
    post: Arc<Post>,
}

/// What one thread polls for one pool. Only that thread writes.
struct Post {
    thread: Option<String>,
    polled: Mutex<PolledNow>,
}

#[derive(Default)]
struct PolledNow {
    /// How many polls have begun, and how many have ended, together.
    changes: u64,
    /// The job that is polled, if any is.
    job: Option<JobRef>,
}

impl Post {
    /// The post of the calling thread.
    fn new() -> Self {
        let thread = thread::current().name().map(str::to_owned);
        Post { thread, polled: Mutex::default() }
    }

    /// Notes what is polled from now on; gives what was before.
    fn turn_to(&self, job: Option<JobRef>) -> Option<JobRef> {
        let mut polled = self.polled.lock();
        polled.changes += 1;
        mem::replace(&mut polled.job, job)
    }
}

/// Keeps a poll on its post.
#[must_use = "the poll is over when this is dropped"]
pub(crate) struct Watched {
    manned: Rc<Manned>,
    before: Option<JobRef>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        // The job may go with this, after the lock.
        drop(self.manned.post.turn_to(self.before.take()));
    }
}

/// The posts of a pool.
pub(crate) struct Posts {
    /// The time between two looks.
    period: Duration,
    /// Somebody looks, so that who begins a poll need not see to it.
    looks: AtomicBool,
    looked: Mutex<Looked>,
}

/// What the looks have found.
#[derive(Default)]
struct Looked {
    places: Vec<Seen>,
    /// A look is on the agenda.
    is_due: bool,
    /// That one is the last, unless it finds something.
    is_last: bool,
}

/// What was seen at a post.
struct Seen {
    post: Arc<Post>,
    changes: u64,
    /// When that count was first seen, and at how many looks since then.
    since: Instant,
    looks: u32,
}

/// A poll that takes too long.
struct Blocked {
    job: JobRef,
    blocked_for: Duration,
    thread: Option<String>,
}

impl Posts {
    pub(crate) fn new(limit: Duration) -> Self {
        let period = (limit / LOOKS).max(PERIOD_MIN);
        Posts { period, looks: AtomicBool::new(false), looked: Mutex::default() }
    }

    /// The post of the calling thread.
    #[inline]
    fn man(&self, pool: PoolId) -> Rc<Manned> {
        POSTS.with_borrow_mut(|posts| match posts.iter().find(|manned| manned.pool == pool) {
            Some(manned) => Rc::clone(manned),
            None => self.man_new(pool, posts),
        })
    }

    #[cold]
    fn man_new(&self, pool: PoolId, posts: &mut Vec<Rc<Manned>>) -> Rc<Manned> {
        // Those of pools that are gone.
        posts.retain(|manned| Arc::strong_count(&manned.post) > 1);
        let post = Arc::new(Post::new());
        let seen = Seen { post: Arc::clone(&post), changes: 0, since: Instant::now(), looks: 0 };
        self.looked.lock().places.push(seen);
        let manned = Rc::new(Manned { pool, post });
        posts.push(Rc::clone(&manned));
        manned
    }

    /// True if a look must be put on the agenda.
    fn begin_looks(&self) -> bool {
        let mut looked = self.looked.lock();
        self.looks.store(true, Ordering::Relaxed);
        looked.is_last = false;
        !std::mem::replace(&mut looked.is_due, true)
    }

    /// Looks at all posts; gives the polls that have just proved too long. The second part says whether to look again.
    fn look(&self, now: Instant) -> (Vec<Blocked>, bool) {
        let mut blocked = Vec::new();
        let mut is_quiet = true;
        let mut looked = self.looked.lock();
        // Those of threads that have ended.
        looked.places.retain(|seen| Arc::strong_count(&seen.post) > 1);
        for seen in &mut looked.places {
            let polled = seen.post.polled.lock();
            if polled.changes != seen.changes {
                (seen.changes, seen.since, seen.looks) = (polled.changes, now, 0);
                is_quiet = false;
            } else if let Some(job) = &polled.job {
                seen.looks = seen.looks.saturating_add(1);
                is_quiet = false;
                if seen.looks == LOOKS {
                    let thread = seen.post.thread.clone();
                    blocked.push(Blocked { job: job.clone(), blocked_for: now - seen.since, thread });
                }
            }
        }
        let ends = is_quiet && looked.is_last;
        looked.is_last = is_quiet && !ends;
        looked.is_due = !ends;
        self.looks.store(!is_quiet, Ordering::Relaxed);
        (blocked, !ends)
    }
}

impl Pool {
    /// Watches the poll of a job, which begins now, until the guard is dropped.
    #[inline]
    pub(crate) fn watch_poll(&self, job: Option<&JobRef>) -> Watched {
        let manned = self.posts.man(self.id);
        let before = manned.post.turn_to(job.cloned());
        if !self.posts.looks.load(Ordering::Relaxed) {
            self.begin_looks();
        }
        Watched { manned, before }
    }

    #[cold]
    fn begin_looks(&self) {
        if LevelFilter::current() >= Level::WARN && self.posts.begin_looks() {
            self.put_look();
        }
    }

    fn put_look(&self) {
        // A time beyond what a clock can tell never comes.
        if let Some(at) = Instant::now().checked_add(self.posts.period) {
            self.remind(at, Due::Look);
        }
    }

    /// Looks for jobs that block the runtime, and tells of them.
    pub(crate) fn look_for_blocked(&self) {
        let (blocked, again) = self.posts.look(Instant::now());
        for blocked in blocked {
            // The subscriber is the user's.
            quietly(|| blocked.tell());
        }
        if again {
            self.put_look();
        }
    }
}

impl Blocked {
    fn tell(&self) {
        let span = self.job.span().upgrade();
        // The subscriber that knows the span, which need not be the current one.
        let told = span.as_ref().and_then(|span| {
            span.with_subscriber(|(id, subscriber)| with_default(subscriber, || self.tell_in(Some(id.clone()))))
        });
        if told.is_none() {
            self.tell_in(None);
        }
    }

    /// The fields are part of the documentation of the feature.
    fn tell_in(&self, span: Option<Id>) {
        let Blocked { job, blocked_for, thread } = self;
        tracing::warn!(
            target: "executor_async::blocked",
            parent: span,
            job_id = job.id().as_u64(),
            job = job.name(),
            blocked_for = ?blocked_for,
            thread,
            "an async job has not yielded for {blocked_for:?} and holds a thread of its runtime; let it await, or give what \
             blocks to `spawn_blocking` or to a job that is a function",
        );
    }
}

#[cfg(test)]
mod tests {
    use executor_core::InlineExecutor;
    use executor_core::JobId;
    use executor_core::backend::closure_task;

    use super::*;

    /// A job, to be polled.
    fn job() -> JobRef {
        let (task, _future) = closure_task(&InlineExecutor::new(), || {});
        task.job().unwrap().clone()
    }

    /// Posts, and the one of the calling thread.
    fn posts() -> (Posts, Arc<Post>) {
        let posts = Posts::new(Duration::from_secs(1));
        let post = Arc::clone(&posts.man(PoolId::new()).post);
        (posts, post)
    }

    fn look(posts: &Posts) -> (Vec<JobId>, bool) {
        let (blocked, again) = posts.look(Instant::now());
        (blocked.into_iter().map(|blocked| blocked.job.id()).collect(), again)
    }

    #[test]
    fn a_poll_that_lasts_is_found_once() {
        let (posts, post) = posts();
        let job = job();
        for _ in 0..3 {
            let before = post.turn_to(Some(job.clone()));
            // The look that sees it first, and all but one of those that make it too long.
            (0..LOOKS).for_each(|_| assert_eq!(look(&posts), (vec![], true)));
            assert_eq!(look(&posts), (vec![job.id()], true));
            (0..2 * LOOKS).for_each(|_| assert_eq!(look(&posts), (vec![], true)));
            post.turn_to(before);
        }
    }

    #[test]
    fn many_polls_of_one_job_are_none_that_lasts() {
        let (posts, post) = posts();
        let job = job();
        for _ in 0..5 * LOOKS {
            let before = post.turn_to(Some(job.clone()));
            assert_eq!(look(&posts), (vec![], true));
            post.turn_to(before);
        }
    }

    #[test]
    fn a_poll_inside_another_is_the_one_that_is_found() {
        let (posts, post) = posts();
        let (inner, other) = (job(), job());
        let outer = post.turn_to(Some(other.clone()));
        let before = post.turn_to(Some(inner.clone()));
        (0..LOOKS).for_each(|_| assert_eq!(look(&posts), (vec![], true)));
        assert_eq!(look(&posts), (vec![inner.id()], true));
        post.turn_to(before);
        (0..LOOKS).for_each(|_| assert_eq!(look(&posts), (vec![], true)));
        assert_eq!(look(&posts), (vec![other.id()], true));
        post.turn_to(outer);
    }

    #[test]
    fn looks_end_when_nothing_is_polled() {
        let (posts, post) = posts();
        assert!(posts.begin_looks() && !posts.begin_looks());
        let job = job();
        let poll = || {
            let before = post.turn_to(Some(job.clone()));
            post.turn_to(before);
        };
        poll();
        assert_eq!(look(&posts), (vec![], true));
        assert!(posts.looks.load(Ordering::Relaxed));
        // Nothing since: one more look, for what has begun without a call of it.
        assert_eq!(look(&posts), (vec![], true));
        assert!(!posts.looks.load(Ordering::Relaxed));
        poll();
        assert_eq!(look(&posts), (vec![], true));
        assert!(posts.looks.load(Ordering::Relaxed));
        assert_eq!(look(&posts), (vec![], true));
        assert!(!posts.begin_looks(), "the last look is due, and goes on");
        assert_eq!(look(&posts), (vec![], true));
        assert_eq!(look(&posts), (vec![], false));
        assert!(posts.begin_looks());
    }

    #[test]
    fn posts_go_with_their_thread() {
        let posts = Posts::new(Duration::from_secs(1));
        // The end of a scope does not wait for what a thread drops at its end; a join does.
        let manned = thread::scope(|scope| scope.spawn(|| drop(posts.man(PoolId::new()))).join());
        assert!(manned.is_ok());
        assert_eq!(posts.looked.lock().places.len(), 1);
        look(&posts);
        assert_eq!(posts.looked.lock().places.len(), 0);
    }
}
