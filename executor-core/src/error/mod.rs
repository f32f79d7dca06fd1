//! What can go wrong with a job, with a submit and with an executor.

mod job;
mod panic_payload;
mod worker_death;

mod submit;

mod executor;

pub use executor::{BuildError, DuplicateJobName, OptionError, ShutdownError};
pub(crate) use job::unboxed;
pub use job::{BoxError, JobError, WaitTimeout};
pub use panic_payload::PanicPayload;
pub use submit::{Rejection, TrySubmitError};
pub use worker_death::WorkerDeath;
