//! The future of [`Executor::submit_wait`](crate::Executor::submit_wait).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::backend::{Backend, Task};
use crate::future::JobFuture;
use crate::payload::Payload;
use crate::room::RoomWait;
use crate::single::Single;
use crate::submission::Submission;

/// A submit that awaits room.
pub(crate) struct SubmitWait<'a, B: Backend + ?Sized, P: Payload> {
    backend: &'a B,
    /// Gone once it is handed over.
    task: Option<Task>,
    /// Gone once it is given out.
    cell: Option<Arc<Single<P>>>,
    wait: RoomWait,
}

impl<'a, B: Backend + ?Sized, P: Payload> SubmitWait<'a, B, P> {
    pub(crate) fn new(backend: &'a B, submission: Submission<P>) -> Self {
        SubmitWait { backend, task: submission.task, cell: Some(submission.cell), wait: RoomWait::default() }
    }
}

impl<B: Backend + ?Sized, P: Payload> Future for SubmitWait<'_, B, P> {
    type Output = JobFuture<P::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(offered) = this.task.take()
            && let Err(refused) = this.backend.accept(offered, this.wait.notify(cx.waker()))
        {
            if refused.is_full() {
                this.task = Some(refused.into_parts().0);
                return Poll::Pending;
            }
            refused.fail();
        }
        match this.cell.take() {
            Some(cell) => Poll::Ready(JobFuture::new(cell)),
            None => Poll::Pending,
        }
    }
}

/// Nothing in it is pinned.
impl<B: Backend + ?Sized, P: Payload> Unpin for SubmitWait<'_, B, P> {}

impl<B: Backend + ?Sized, P: Payload> Drop for SubmitWait<'_, B, P> {
    fn drop(&mut self) {
        self.wait.end(self.backend);
        // Nobody has heard of the job, so that it is withdrawn rather than lost.
        if let Some(task) = self.task.take() {
            task.withdraw();
        }
    }
}
