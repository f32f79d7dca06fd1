//! How jobs have descriptors beside their bytes: what [`executor_ipc::attach`] collects, as core's opaque attachments.

use std::sync::Arc;

use executor_core::backend::{Attachments, Carrier};
use executor_ipc::attach;

/// In the owner of a pool: arguments are encoded where descriptors can be attached, and outputs decoded where they are
/// found.
pub(crate) static OWNER: &dyn Carrier = &Both;

/// In a worker: arguments are decoded where descriptors are found. Outputs have none beside them, so that they are plain
/// bytes.
pub(crate) static WORKER: &dyn Carrier = &Arguments;

struct Both;

impl Carrier for Both {
    fn collect(&self, encode: &mut dyn FnMut()) -> Option<Attachments> {
        let ((), attachments) = attach::collect(encode);
        (!attachments.is_empty()).then(|| Arc::new(attachments) as Attachments)
    }

    fn supply(&self, attachments: &Attachments, decode: &mut dyn FnMut()) {
        attach::supply(descriptors(attachments).cloned().unwrap_or_default(), decode);
    }
}

struct Arguments;

impl Carrier for Arguments {
    fn collect(&self, encode: &mut dyn FnMut()) -> Option<Attachments> {
        encode();
        None
    }

    fn supply(&self, attachments: &Attachments, decode: &mut dyn FnMut()) {
        OWNER.supply(attachments, decode);
    }
}

/// The descriptors that go with a job.
pub(crate) fn descriptors(attachments: &Attachments) -> Option<&attach::Attachments> {
    attachments.downcast_ref()
}
