//! [`PanicPayload`]: what a job threw.

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// What a panicking job threw, kept for [`JobError::resume`](crate::JobError::resume). Empty if the panic came from another process.
pub struct PanicPayload(Mutex<Option<Box<dyn Any + Send>>>);

impl PanicPayload {
    pub(crate) fn new(payload: Option<Box<dyn Any + Send>>) -> Self {
        PanicPayload(Mutex::new(payload))
    }

    pub(super) fn into_inner(self) -> Option<Box<dyn Any + Send>> {
        let mut this = self;
        this.take()
    }

    fn take(&mut self) -> Option<Box<dyn Any + Send>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for PanicPayload {
    fn drop(&mut self) {
        // A payload may itself panic when it is dropped.
        crate::panic::drop_quietly(self.take());
    }
}

impl fmt::Debug for PanicPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PanicPayload(..)")
    }
}
