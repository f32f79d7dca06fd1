//! The way of a job into a backend: as it is, or encoded where it is to run elsewhere.

use std::sync::Arc;

use crate::arguments::Arguments;
use crate::backend::{Control, Task};
use crate::carrier::collected;
use crate::job_ref::JobRef;
use crate::options::JobOptions;
use crate::panic::drop_quietly;
use crate::parcel::Parcel;
use crate::payload::Payload;
use crate::single::Single;
use crate::trace::Submitter;

/// The two ends of a job to be submitted. The task is missing if the job could not be encoded; its future knows.
pub(crate) struct Submission<P: Payload> {
    pub(crate) task: Option<Task>,
    pub(crate) cell: Arc<Single<P>>,
}

impl<P: Payload> Submission<P> {
    #[inline]
    pub(crate) fn new(
        payload: P,
        options: Option<JobOptions>,
        control: Arc<dyn Control>,
        submitter: &Submitter,
    ) -> Self {
        if control.travels() {
            let submission = Submission::encoded(&payload, options, control, submitter);
            drop_quietly(payload);
            return submission;
        }
        let cell = Single::new(payload, options, control, submitter);
        Submission { task: Some(Task::pending(JobRef::new(Arc::clone(&cell), 0))), cell }
    }

    /// A job that leaves this process; the caller keeps the payload.
    pub(crate) fn encoded(
        payload: &P,
        options: Option<JobOptions>,
        control: Arc<dyn Control>,
        submitter: &Submitter,
    ) -> Self {
        let (encoded, attachments) =
            collected(control.carrier(), || Arguments::encoded(|bytes| payload.encode_into(bytes)));
        let cell = Single::sealed(options, control, submitter);
        let entry = P::entry();
        let task = match encoded {
            Ok(arguments) => entry.map(|entry| {
                let parcel = Parcel::of_one(Arc::clone(&cell) as Arc<_>, entry, arguments, attachments);
                Task::parcel(parcel)
            }),
            Err(error) => {
                cell.fail_unsent(error);
                None
            }
        };
        Submission { task, cell }
    }
}
