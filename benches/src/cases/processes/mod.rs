//! What is measured of worker processes: one file per case.

pub(super) mod fair;
pub(super) mod manager;
pub(super) mod map;
pub(super) mod payload;
pub(super) mod round_trip;
pub(super) mod run_limit;
pub(super) mod start;
pub(super) mod submit;
