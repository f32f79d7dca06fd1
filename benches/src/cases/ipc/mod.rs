//! What is measured of what processes share: one file per case.

pub(super) mod array;
pub(super) mod channel_ping_pong;
pub(super) mod queue;
pub(super) mod sync;
