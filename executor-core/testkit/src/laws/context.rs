//! What a job can learn of itself, and tell.

use executor_core::{Executor, JobOptions, current};

use crate::gate::Gate;
use crate::jobs::{self, Hosted};
use crate::lab::Lab;
use crate::subject::Subject;
use crate::time::eventually;
use crate::verdict::{Claim, Verdict};

/// Beyond the rows: a job knows its number, its name, its worker, and that this is its first attempt.
pub fn job_knows_itself<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let workers = pool.workers();
    for _ in 0..10 {
        let future = pool.submit(jobs::who_am_i::job());
        let (id, handle) = (future.id(), future.handle());
        let who = future.result().unwrap();
        assert_eq!(who.id, Some(id.as_u64()));
        assert_eq!(who.name, handle.name());
        assert!(who.name.contains("who_am_i"), "{}", who.name);
        assert!(who.worker.is_some_and(|worker| worker < workers), "{:?} of {workers}", who.worker);
        assert_eq!(who.attempt, 1);
        assert!(!who.is_limited && !who.should_stop);
    }
    Ok(())
}

/// Beyond the rows: the name that was given at submit is the job's name everywhere, in errors too.
pub fn given_name_is_the_name<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let named = || JobOptions::new().name("nightly report");
    let future = pool.submit_with(jobs::who_am_i::job(), named());
    assert_eq!(future.handle().name(), "nightly report");
    assert_eq!(future.result().unwrap().name, "nightly report");
    let error = pool.submit_with(jobs::blow_up::job("no"), named()).result().unwrap_err();
    assert!(error.to_string().contains("`nightly report`"), "{error}");
    Ok(())
}

/// Beyond the rows: each item of a map has a number of its own, and its job knows it.
pub fn items_of_a_map_have_numbers<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let numbers: std::collections::BTreeSet<_> =
        pool.map(|()| jobs::who_am_i::job(), [(); 500]).map(|who| who.unwrap().id.unwrap()).collect();
    assert_eq!(numbers.len(), 500);
    Ok(())
}

/// Beyond the rows: outside of a job the context is an empty one, and the function of a job can be called there.
pub fn context_outside_of_a_job_is_empty<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    assert_eq!(pool.submit(jobs::echo::job(1)).result().unwrap(), 1);
    let context = current();
    assert_eq!((context.id(), context.name(), context.worker(), context.attempt()), (None, "", None, 1));
    assert!(!context.should_stop() && context.time_left().is_none() && context.handle().is_none());
    assert!(!context.set_worker_state(1_u8) && context.worker_state::<u8>().is_none());
    context.progress(1, 2);
    assert_eq!(jobs::echo(3), 3);
    assert_eq!(jobs::who_am_i().id, None);
    Ok(())
}

/// Beyond the rows: what a job tells of its progress is seen through its handles while it runs, and afterwards.
pub fn progress_is_seen<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let silent = pool.submit(jobs::echo::job(1));
    let future = pool.submit(jobs::tell_progress::job(gate.pass(), 3, 10));
    let handle = future.handle();
    gate.wait_for(1);
    eventually("the progress is seen", || handle.progress() == Some((3, 10)));
    gate.open();
    assert_eq!(future.result().unwrap(), 10);
    assert_eq!(handle.progress(), Some((10, 10)));
    silent.wait();
    assert_eq!(silent.handle().progress(), None);
    Ok(())
}

/// Beyond the rows: a job that waits for another one on its own worker is itself again afterwards.
pub fn job_is_itself_again_after_a_nested_one<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    let hosted = Hosted::new(S::Pool::clone(&pool));
    let future = pool.submit(jobs::numbers_around::job(hosted.host()));
    let id = Some(future.id().as_u64());
    let [before, inner, after] = future.result().unwrap();
    assert_eq!((before, after), (id, id));
    assert!(inner.is_some() && inner != id);
    Ok(())
}
