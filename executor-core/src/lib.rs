//! draft
mod job;
mod registry;
mod state;
mod options;
mod error;
mod stats;
mod executor;
pub mod backend;
mod task;
mod payload;
mod cell;
mod record;
mod job_ref;
mod single;
mod run;
mod drive;
mod context;
mod bells;
mod completion;
mod waiting;
mod future;
mod handle;
mod as_completed;
mod wait;
mod map;
mod initializer;
mod inline;
mod panic;
mod unread;
mod sync;
pub mod codec;
mod any_job;
mod macro_support;
mod register;

pub use any_job::{AnyJob, AnyOutput};
pub use executor_macros::job;
pub use job::{Job, Work};
pub use executor::{Executor, map, map_unordered};
pub use backend::{Backend, Shutdown};
pub use future::JobFuture;
pub use handle::JobHandle;
pub use state::{JobId, JobState};
pub use error::{BoxError, BuildError, DuplicateJobName, JobError, OptionError, PanicPayload, Rejection, ShutdownError, TrySubmitError, WaitTimeout, WorkerDeath};
pub use options::{JobOptions, Priority, Retries};
pub use as_completed::{AsCompleted, AsCompletedStream, as_completed};
pub use wait::{WaitFor, Waited, wait};
pub use map::{Map, MapOptions, MapStream, MapUnordered, MapUnorderedStream};
pub use context::{JobContext, Stopped, current};
pub use stats::Stats;
pub use inline::{InlineExecutor, InlineExecutorBuilder};
pub use unread::{UnreadFailure, on_unread_failure};
pub use registry::{JobEntry, job_named};

#[doc(hidden)]
pub mod __private {
    pub use crate::any_job::{duplicate_any, start_any};
    pub use crate::macro_support::{
        Argument, CannotCopy, Copier, JobArgument, JobOutput, NeverFails, NotAnArgument, NotSerde, Outcome, assert_argument,
    };
    pub use crate::register::entry_of;
    pub use crate::registry::{JobEntry, Registration};
    pub use {inventory, serde, typetag};
}

#[cfg(all(test, executor_loom))]
mod loom;
