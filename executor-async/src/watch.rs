//! [`Watch`]: notices that the runtime ends before the pool.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::pool::{Pool, RUNTIME_GONE};

/// A task that lives as long as the pool. A runtime that ends drops it, and then nobody may wait for the pool.
pub(crate) struct Watch(pub(crate) Arc<Pool>);

impl Future for Watch {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The wakers here are the runtime's own: cloning and dropping one runs no code of the user's.
        let mut board = self.0.lock();
        if board.over {
            return Poll::Ready(());
        }
        board.watch = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.0.lock().over {
            self.0.break_down(RUNTIME_GONE);
            self.0.rouse_all();
        }
    }
}
