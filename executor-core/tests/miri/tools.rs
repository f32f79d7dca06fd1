//! What the tests count with, and the jobs that they run.

use std::panic::panic_any;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, Once};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use executor_core::{JobId, current, job, on_unread_failure};

/// How often a race is run. Miri takes the seconds, and chooses another interleaving each time.
pub(crate) const ROUNDS: usize = if cfg!(miri) { 3 } else { 200 };

/// A count that clones share. It orders nothing, so that what a test reads here is seen by the order that the cell
/// gives, or not at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Something on the heap whose drop is counted here.
    pub(crate) fn drops(&self) -> Counted {
        Counted(Box::new(self.clone()))
    }

    /// A waker whose wakes are counted here.
    pub(crate) fn wakes(&self) -> Waker {
        Waker::from(Arc::new(Wakes(self.clone())))
    }
}

/// Counts its drop.
#[derive(Debug)]
pub(crate) struct Counted(Box<Counter>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.add();
    }
}

struct Wakes(Counter);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.add();
    }
}

/// Its drop panics; that of what it holds is counted.
#[derive(Debug)]
pub(crate) struct Bomb {
    #[expect(dead_code, reason = "held for its drop")]
    counted: Counted,
}

impl Bomb {
    pub(crate) fn new(drops: &Counter) -> Self {
        Bomb { counted: drops.drops() }
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any("a drop that panics on purpose");
    }
}

/// Awaits `future` on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Runs both at the same time.
pub(crate) fn race<A: Send, B>(one: impl FnOnce() -> A + Send, two: impl FnOnce() -> B) -> (A, B) {
    let start = Barrier::new(2);
    thread::scope(|scope| {
        let one = scope.spawn(|| {
            start.wait();
            one()
        });
        start.wait();
        let two = two();
        (one.join().unwrap(), two)
    })
}

/// How often the failure of job `id` was reported as unread. To be called before the job fails, too.
pub(crate) fn unread_reports(id: JobId) -> usize {
    static HEARD: Mutex<Vec<JobId>> = Mutex::new(Vec::new());
    static HOOK: Once = Once::new();
    HOOK.call_once(|| on_unread_failure(|failure| HEARD.lock().unwrap().push(failure.id)));
    HEARD.lock().unwrap().iter().filter(|&&heard| heard == id).count()
}

#[job]
pub(crate) fn echo(text: &str) -> String {
    text.to_owned()
}

#[job]
pub(crate) fn square(n: u64) -> u64 {
    assert_ne!(n, 13, "13 is the one that panics");
    n * n
}

/// Fails until attempt number `attempt`.
#[job]
pub(crate) fn succeed_at(attempt: u32) -> Result<u32, String> {
    let now = current().attempt();
    if now < attempt { Err(format!("attempt {now}")) } else { Ok(now) }
}

/// Ends when it is asked to.
#[job]
pub(crate) async fn run_until_stopped() -> String {
    current().stopped().await;
    "stopped".to_owned()
}
