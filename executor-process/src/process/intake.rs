//! [`Intake`]: how a job becomes a parcel and a future.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use executor_core::backend::{Backend, Capabilities, Carrier, Control, JobRef, Parcel, PoolId, Refused, Room, Task};
use executor_core::{Executor, Job, JobError, JobFuture, Rejection, Shutdown, Stats};

use crate::carrier;

/// A backend that takes one job and keeps it, for whoever submitted it to send on.
struct Intake {
    id: PoolId,
    control: Arc<dyn Control>,
    parcel: Mutex<Option<Arc<Parcel>>>,
}

/// Encodes a job.
///
/// # Errors
///
/// If it cannot be encoded.
pub(super) fn take_in<J: Job>(job: J) -> Result<(JobFuture<J::Output>, Arc<Parcel>), JobError> {
    let intake = Intake { id: PoolId::new(), control: Arc::new(Elsewhere), parcel: Mutex::new(None) };
    let mut future = intake.submit(job);
    let kept = intake.parcel.into_inner().unwrap_or_else(PoisonError::into_inner);
    match kept {
        Some(parcel) => Ok((future, parcel)),
        None => match future.try_result() {
            Some(Err(error)) => Err(error),
            // A job that was not kept has failed.
            Some(Ok(_)) | None => Err(JobError::Rejected(Rejection::ShutDown)),
        },
    }
}

impl Backend for Intake {
    fn id(&self) -> PoolId {
        self.id
    }

    fn control(&self) -> &Arc<dyn Control> {
        &self.control
    }

    fn accept(&self, task: Task, _: Room<'_>) -> Result<(), Refused> {
        let parcel = task.into_parcel().map_err(Refused::shut_down)?;
        *self.parcel.lock().unwrap_or_else(PoisonError::into_inner) = Some(parcel);
        Ok(())
    }

    fn begin_shutdown(&self, _: Shutdown) {}

    fn wait_ended(&self, _: Option<Instant>) -> usize {
        0
    }

    fn snapshot(&self) -> Stats {
        Stats::default()
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::in_process();
        capabilities.encodes = true;
        capabilities.survives_crash = true;
        capabilities
    }
}

/// What the futures of such jobs ask: nothing can be done for them here, and they are stopped by their process.
struct Elsewhere;

impl Control for Elsewhere {
    fn is_own_worker(&self) -> bool {
        false
    }

    fn help(&self, _: &JobRef) -> bool {
        false
    }

    fn withdrawn(&self, _: &JobRef) {}

    fn kill(&self, _: &JobRef) -> bool {
        false
    }

    fn stop_requested(&self, _: &JobRef) {}

    fn travels(&self) -> bool {
        true
    }

    fn carrier(&self) -> Option<&'static dyn Carrier> {
        Some(carrier::DESCRIPTORS)
    }

    fn is_stopping(&self) -> bool {
        false
    }
}
