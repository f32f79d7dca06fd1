//! How jobs have descriptors beside their bytes: what [`executor_ipc::attach`] collects, as core's opaque attachments.

use std::sync::Arc;

use executor_core::backend::{Attachments, Carrier};
use executor_ipc::attach;

/// On both sides: what is encoded can attach descriptors, and what is decoded finds them.
pub(crate) static DESCRIPTORS: &dyn Carrier = &Descriptors;

executor_core::link_carrier!(&Descriptors);

/// In a worker whose owner has little room for descriptors: arguments find theirs, and outputs are plain bytes.
pub(crate) static ARGUMENTS: &dyn Carrier = &Arguments;

struct Descriptors;

impl Carrier for Descriptors {
    fn open(&self) {
        attach::open();
    }

    fn close(&self) -> Option<Attachments> {
        let attachments = attach::close();
        (!attachments.is_empty()).then(|| Arc::new(attachments) as Attachments)
    }

    fn supply(&self, attachments: &Attachments, decode: &mut dyn FnMut()) {
        attach::supply(descriptors(attachments).cloned().unwrap_or_default(), decode);
    }

    fn set_aside(&self, len: usize, fill: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
        attach::set_aside(len, fill)
    }

    fn fetch(&self, name: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), String> {
        attach::fetch(name, read)
    }
}

struct Arguments;

impl Carrier for Arguments {
    fn open(&self) {}

    fn close(&self) -> Option<Attachments> {
        None
    }

    fn supply(&self, attachments: &Attachments, decode: &mut dyn FnMut()) {
        DESCRIPTORS.supply(attachments, decode);
    }

    fn fetch(&self, name: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), String> {
        DESCRIPTORS.fetch(name, read)
    }
}

/// The descriptors that go with a job or its output.
pub(crate) fn descriptors(attachments: &Attachments) -> Option<&attach::Attachments> {
    attachments.downcast_ref()
}
