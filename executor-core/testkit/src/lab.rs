//! [`Lab`]: where a law gets its pools, and [`Bench`], a pool in the hands of a law.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use executor_core::backend::Capabilities;
use executor_core::{Backend, BuildError, Executor, JobFuture};

use crate::gate::Gate;
use crate::helpers;
use crate::jobs;
use crate::subject::{Config, Subject};
use crate::threads;
use crate::verdict::{Claim, NotClaimed, Verdict};
use crate::watchdog;

/// Where a law gets its pools of the subject.
pub struct Lab<S> {
    law: &'static str,
    subject: PhantomData<fn() -> S>,
}

impl<S: Subject> Lab<S> {
    pub(crate) fn new(law: &'static str) -> Self {
        Lab { law, subject: PhantomData }
    }

    /// A pool as the subject makes it. Where the program has other threads and the subject
    /// [needs to be alone](Subject::needs_one_thread), the law ends here, by unwinding, and is not claimed.
    ///
    /// # Panics
    ///
    /// If it cannot be built.
    pub fn pool(&self) -> Bench<S> {
        // No panic: it is not reported as one, and `check` knows it.
        self.pool_with(Config::new()).unwrap_or_else(|missing| resume_unwind(Box::new(missing)))
    }

    /// A pool with one worker, beside which its submitters go on.
    ///
    /// # Errors
    ///
    /// If the subject does not claim that.
    pub fn single(&self) -> Result<Bench<S>, NotClaimed> {
        let pool = self.pool_with(Config::new().workers(1))?;
        pool.claims(Claim::Concurrency)?;
        Ok(pool)
    }

    /// A pool with these settings.
    ///
    /// # Errors
    ///
    /// If the subject does not take one of them.
    ///
    /// # Panics
    ///
    /// If it cannot be built.
    pub fn pool_with(&self, config: Config) -> Result<Bench<S>, NotClaimed> {
        match self.try_pool_with(config)? {
            Ok(pool) => Ok(pool),
            Err(error) => panic!("the pool cannot be built: {error}"),
        }
    }

    /// What comes of building a pool with these settings.
    ///
    /// # Errors
    ///
    /// If the subject does not take one of them, or [needs to be alone](Subject::needs_one_thread) and is not.
    pub fn try_pool_with(&self, config: Config) -> Result<Result<Bench<S>, BuildError>, NotClaimed> {
        if S::needs_one_thread() && threads::all().len() > 1 {
            return Err(NotClaimed::new("pools that are built beside other threads, such as those of a first pool"));
        }
        let mut config = config;
        let built = S::build(&mut config);
        if built.is_ok() {
            helpers::release();
        }
        match config.untaken() {
            Some(setting) => Err(NotClaimed::new(setting)),
            None => Ok(built.map(Bench::new)),
        }
    }
}

impl<S> fmt::Debug for Lab<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lab").field("law", &self.law).finish()
    }
}

/// A pool in the hands of a law. It is the pool, by `Deref`, and the watchdog can ask it how it is.
///
/// Dropping it drops its handles to the pool. The drop waits, as the drop of a pool does.
#[must_use = "dropping it ends the pool"]
pub struct Bench<S: Subject> {
    pool: S::Pool,
    /// A handle for the watchdog, given up first.
    shown: Arc<Mutex<Option<S::Pool>>>,
}

impl<S: Subject> Bench<S> {
    fn new(pool: S::Pool) -> Self {
        let shown = Arc::new(Mutex::new(Some(pool.clone())));
        let seen = Arc::downgrade(&shown);
        watchdog::add_pool(Arc::new(move || {
            let shown = seen.upgrade();
            let shown = shown.as_ref().and_then(|shown| shown.try_lock().ok());
            match shown.as_ref().and_then(|pool| pool.as_ref()) {
                Some(pool) => format!("{:?}", pool.snapshot()),
                None => "its handles were dropped, or the law took it into its own hands".to_owned(),
            }
        }));
        Bench { pool, shown }
    }

    /// Goes on if the pool claims this.
    ///
    /// # Errors
    ///
    /// If it does not: the law ends there.
    pub fn claims(&self, claim: Claim) -> Verdict {
        if claim.holds(&self.capabilities()) { Ok(()) } else { Err(NotClaimed::new(claim.to_string())) }
    }

    /// What the pool claims.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.pool.capabilities()
    }

    /// How many workers the pool has.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.stats().workers
    }

    /// Takes the pool into the law's own hands. It is the only handle.
    pub fn into_pool(self) -> S::Pool {
        self.hide();
        self.pool.clone()
    }

    fn hide(&self) {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(shown);
    }

    /// Keeps every worker busy, until the answer is released or dropped. What is submitted meanwhile stays pending.
    ///
    /// # Errors
    ///
    /// If the pool does not claim to run jobs beside their submitter.
    pub fn occupy(&self) -> Result<Busy, NotClaimed> {
        self.claims(Claim::Concurrency)?;
        let gate = Gate::new();
        let workers = self.workers();
        let jobs = (0..workers).map(|_| self.submit(jobs::pass::job(gate.pass(), 0))).collect();
        gate.wait_for(workers);
        Ok(Busy { gate, jobs })
    }
}

impl<S: Subject> Deref for Bench<S> {
    type Target = S::Pool;

    fn deref(&self) -> &S::Pool {
        &self.pool
    }
}

impl<S: Subject> Drop for Bench<S> {
    fn drop(&mut self) {
        self.hide();
    }
}

impl<S: Subject> fmt::Debug for Bench<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench").field("stats", &self.pool.snapshot()).finish()
    }
}

/// All workers of a pool, kept busy. Make it after the pool, so that it is dropped before.
#[must_use = "dropping it releases the workers"]
#[derive(Debug)]
pub struct Busy {
    gate: Gate,
    jobs: Vec<JobFuture<u64>>,
}

impl Busy {
    /// Lets the workers go, and waits until their jobs are done.
    pub fn release(self) {
        self.gate.open();
        for job in &self.jobs {
            job.wait();
        }
    }

    /// Lets the workers go, without waiting.
    pub fn open(&self) {
        self.gate.open();
    }
}
