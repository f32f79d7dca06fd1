//! What may cross threads, be shared, moved while polled, unwound through, cloned and called through `dyn`: for every
//! public type. All of it is decided when this file compiles.

use std::cell::Cell;
use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::iter::FusedIterator;
use std::ops::Range;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::Arc;

use executor_core::backend::{
    Capabilities, Claim, Control, Force, Initializer, JobRef, Next, Polled, PoolId, Queue, Ran, Refused, Retry, Room,
    Seat, SeatGuard, Tally, Task, Ticket,
};
use executor_core::codec::CodecError;
use executor_core::{
    AnyJob, AnyOutput, AsCompleted, AsCompletedStream, Backend, BoxError, BuildError, DuplicateJobName, Executor,
    InlineExecutor, InlineExecutorBuilder, JobContext, JobEntry, JobError, JobFuture, JobHandle, JobId, JobOptions,
    JobState, Map, MapOptions, MapStream, MapUnordered, MapUnorderedStream, OptionError, PanicPayload, Priority,
    Rejection, Restarts, Retries, Shutdown, ShutdownError, Stats, Stopped, TrySubmitError, UnreadFailure, WaitFor,
    WaitTimeout, Waited, Work, WorkerDeath, job,
};
use futures::Stream;

/// Each type has each of these traits.
macro_rules! assert_impl {
    ($($type:ty),* $(,)? => $bounds:tt) => {
        $(assert_impl!(@ $type, $bounds);)*
    };
    (@ $type:ty, ($($bound:tt)+)) => {
        const _: fn() = || {
            fn has<T: ?Sized + $($bound)+>() {}
            has::<$type>();
        };
    };
}

/// No type has this trait. Where one had it, the compiler could not choose between the two implementations.
macro_rules! assert_not_impl {
    ($($type:ty),* $(,)? => $bound:path) => {$(
        const _: fn() = || {
            trait Either<Which> {
                fn choose() {}
            }
            struct HasIt;
            impl<T: ?Sized> Either<()> for T {}
            impl<T: ?Sized + $bound> Either<HasIt> for T {}
            let _ = <$type as Either<_>>::choose;
        };
    )*};
}

/// An output that may be sent to another thread and not shared with one.
type Sent = Cell<u8>;

type ToJob = fn(u64) -> echo;
type Items = Range<u64>;

#[job]
fn echo(value: u64) -> u64 {
    value
}

// Futures, handles and sets of futures cross threads and are shared, also where the output can only be sent: nobody
// gets a reference to it.
assert_impl!(JobFuture<u64>, JobFuture<Sent>, JobHandle, JobContext, Stopped => (Send + Sync + Unpin + Debug));
assert_impl!(
    AsCompleted<u64>, AsCompleted<Sent>, AsCompletedStream<Sent>, Waited<u64>, Waited<Sent> => (Send + Sync + Unpin + Debug)
);
assert_impl!(JobFuture<Sent> => (Future<Output = Result<Sent, JobError>>));
assert_impl!(Stopped => (Future<Output = ()>));
assert_impl!(AsCompleted<Sent> => (FusedIterator<Item = JobFuture<Sent>> + ExactSizeIterator));
assert_impl!(AsCompletedStream<Sent> => (Stream<Item = JobFuture<Sent>>));

// A job has one future: no two can take its value, and no set can hold it twice.
// Law 65, 78: no future is twice in a set, because there is one of it.
assert_not_impl!(JobFuture<u64>, AsCompleted<u64>, Waited<u64> => Clone);
assert_impl!(JobHandle, JobContext => (Clone));

// Maps are what their input and their pool are.
assert_impl!(
    Map<InlineExecutor, ToJob, Items, echo>,
    MapUnordered<InlineExecutor, ToJob, Items, echo>,
    Map<&'static InlineExecutor, ToJob, Items, echo>,
    Map<Arc<dyn Backend>, ToJob, Items, echo>,
    => (Send + Unpin + Debug + FusedIterator<Item = Result<u64, JobError>>)
);
assert_impl!(
    MapStream<InlineExecutor, ToJob, Items, echo>,
    MapUnorderedStream<InlineExecutor, ToJob, Items, echo>,
    => (Send + Unpin + Debug + Stream<Item = Result<u64, JobError>>)
);
assert_not_impl!(
    Map<InlineExecutor, ToJob, std::iter::Once<Rc<u64>>, echo>,
    MapUnordered<InlineExecutor, ToJob, std::iter::Once<Rc<u64>>, echo>,
    => Send
);

// Errors cross threads, and fit in a box of any error.
assert_impl!(
    JobError, BuildError, DuplicateJobName, OptionError, ShutdownError, WaitTimeout, WorkerDeath, Rejection, CodecError,
    TrySubmitError<echo>,
    => (Error + Send + Sync + Unpin + 'static)
);
assert_impl!(JobError, BuildError, CodecError => (Into<BoxError>));
assert_impl!(PanicPayload, UnreadFailure => (Send + Sync + Unpin + Debug));
// Each future has an error of its own.
assert_not_impl!(JobError, PanicPayload => Clone);

// Plain data.
assert_impl!(
    JobId, JobState, PoolId, Priority, Retries, Shutdown, WaitFor, Stats, Restarts, Capabilities, Force,
    => (Copy + Debug + PartialEq + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe)
);
assert_impl!(JobId => (Ord + std::hash::Hash + std::fmt::Display));
assert_impl!(Priority => (Ord + Default));
assert_impl!(JobOptions, MapOptions => (Clone + Debug + Default + PartialEq + Send + Sync + Unpin));
assert_impl!(JobEntry => (Debug + Send + Sync + Unpin));
assert_impl!(AnyOutput => (Clone + Send + Sync + Unpin + Debug));

// Jobs and what they start.
assert_impl!(echo, Box<dyn AnyJob> => (executor_core::Job + Send));
assert_impl!(Work<u64> => (Send + Unpin + Debug));
assert_impl!(dyn AnyJob => (Debug));

// Executors.
assert_impl!(InlineExecutor => (Clone + Debug + Send + Sync + Unpin + 'static));
assert_impl!(InlineExecutorBuilder => (Clone + Debug + Send + Sync + Unpin));
assert_impl!(
    InlineExecutor, &'static InlineExecutor, Arc<InlineExecutor>, Box<InlineExecutor>, dyn Backend, &'static dyn Backend,
    Box<dyn Backend>, Arc<dyn Backend>,
    => (Executor)
);

// What the author of a backend holds.
assert_impl!(Task, Polled, Claim, JobRef, Refused, Retry, Ran, Initializer, Seat, Queue, Next => (Send + Unpin + Debug));
assert_impl!(Ticket => (Copy + Debug + Send + Sync));
assert_impl!(JobRef, Seat, Initializer => (Sync));
assert_impl!(JobRef, Initializer => (Clone));
assert_not_impl!(Task, Polled, Claim, Retry, Refused => Clone);
assert_impl!(SeatGuard => (Debug));
assert_not_impl!(SeatGuard => Send);
assert_impl!(Room<'static> => (Copy + Debug));
assert_impl!(dyn Backend, dyn Control => (Send + Sync));

// What is not sent does not become so by being a job's.
assert_not_impl!(Work<Rc<u64>>, TrySubmitError<Rc<u64>> => Send);
assert_impl!(TrySubmitError<Sent> => (Send + Debug));

/// These traits can be called through a reference to a type that is not known.
#[test]
fn object_safe_traits_stay_so() {
    fn _backend(_: &dyn Backend) {}
    fn _control(_: &dyn Control) {}
    fn _tally(_: &dyn Tally) {}
    fn _any_job(_: Box<dyn AnyJob>) {}
    let pool = InlineExecutor::new();
    let dynamic: &dyn Backend = &pool;
    assert_eq!(dynamic.submit(echo::job(echo(1))).result().ok(), Some(1));
}

/// A future that awaits jobs can be spawned on any runtime: it is `Send` as long as what it holds is.
#[test]
fn futures_that_await_jobs_are_send() {
    fn spawned<F: Future + Send + 'static>(future: F) -> F {
        future
    }
    let pool = InlineExecutor::new();
    let waits = pool.clone();
    let future = spawned(async move { waits.submit_wait(echo::job(1)).await.await.ok() });
    assert_eq!(futures::executor::block_on(future), Some(1));
    let shared: Arc<dyn Backend> = Arc::new(pool);
    let future = spawned(async move { shared.submit(echo::job(2)).await.ok() });
    assert_eq!(futures::executor::block_on(future), Some(2));
}
