//! What is measured of async jobs: one file per case.

pub(super) mod as_completed;
pub(super) mod sleep;
pub(super) mod submit;
