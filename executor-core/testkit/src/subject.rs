//! [`Subject`]: the backend under test, and the [`Config`] that a law asks of it.

use executor_core::{Backend, BuildError};

use crate::jobs::SetUp;

/// A backend under test: how the laws get a pool of it.
///
/// # Examples
///
/// ```
/// use executor_core::{BuildError, InlineExecutor};
/// use executor_testkit::{Config, Subject};
///
/// struct Inline;
///
/// impl Subject for Inline {
///     type Pool = InlineExecutor;
///
///     // It has no workers to count and no queue to bound, so it takes nothing from the configuration. Laws that need
///     // such a setting are then reported as not claimed.
///     fn build(_: &mut Config) -> Result<InlineExecutor, BuildError> {
///         InlineExecutor::builder().build()
///     }
/// }
/// ```
pub trait Subject: 'static {
    /// The pool. Clones are handles to the same one.
    type Pool: Backend + Clone + 'static;

    /// Builds a pool. It takes from `config` what it honours; a setting that is left there is not claimed, and the law
    /// that asked for it is skipped.
    ///
    /// # Errors
    ///
    /// What the builder of the backend says. Laws about bad settings look for it; in every other law it is a failure.
    fn build(config: &mut Config) -> Result<Self::Pool, BuildError>;

    /// True for a thread that outlives its pool by design, such as one that serves every pool of the program. Default:
    /// no thread does, and one that is left after a law is a failure.
    fn is_lasting_thread(_name: &str) -> bool {
        false
    }

    /// True if a pool can be built only while the program has one thread. The laws are then written by
    /// [`laws_alone!`](crate::laws_alone!), and one that builds a pool beside threads is not claimed. Default: false.
    fn needs_one_thread() -> bool {
        false
    }

    /// What is left of pools that were dropped, beyond threads: child processes, say. It is asked after each law until
    /// it is empty; what stays is a failure. Default: nothing.
    fn left_behind() -> Vec<String> {
        Vec::new()
    }
}

/// What a law asks of the pool that it wants. What is not set is the subject's choice: a pool of two workers does well.
#[derive(Debug, Default)]
#[must_use = "a configuration does nothing until a pool is built with it"]
pub struct Config {
    workers: Option<usize>,
    queue_capacity: Option<usize>,
    initializer: Option<SetUp>,
}

impl Config {
    /// Nothing in particular.
    pub fn new() -> Self {
        Config::default()
    }

    /// Exactly this many workers. It may be 0, which a backend refuses.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// A queue of this many jobs. It may be 0, which a backend refuses.
    pub fn queue_capacity(mut self, jobs: usize) -> Self {
        self.queue_capacity = Some(jobs);
        self
    }

    /// A job that each worker runs before its first.
    pub fn initializer(mut self, job: SetUp) -> Self {
        self.initializer = Some(job);
        self
    }

    /// For a subject that can choose its number of workers: how many the law wants, if it says.
    #[must_use]
    pub fn take_workers(&mut self) -> Option<usize> {
        self.workers.take()
    }

    /// For a subject that can bound its queue: the bound in jobs, if the law wants one.
    #[must_use]
    pub fn take_queue_capacity(&mut self) -> Option<usize> {
        self.queue_capacity.take()
    }

    /// For a subject whose workers can run a job first: that job, if the law has one.
    #[must_use]
    pub fn take_initializer(&mut self) -> Option<SetUp> {
        self.initializer.take()
    }

    /// The first setting that nobody took.
    pub(crate) fn untaken(&self) -> Option<&'static str> {
        if self.workers.is_some() {
            Some("a chosen number of workers")
        } else if self.queue_capacity.is_some() {
            Some("a bounded queue")
        } else if self.initializer.is_some() {
            Some("an initializer")
        } else {
            None
        }
    }
}
