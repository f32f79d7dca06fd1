//! What the operating system offers and neither the standard library nor `nix` wraps safely. Nearly all `unsafe` of
//! this crate is here and in `entry/image.rs`; each function is safe to call and says what it checks.

mod pidfd;
mod pipe;
mod process;
mod rights;
mod signals;

pub(crate) use pidfd::PidFd;
pub(crate) use pipe::{bytes_in, flush_c_streams};
pub(crate) use process::{Fork, ForkError, change_environment, exit_now, fork, reap, remove_variable, renice};
pub(crate) use rights::{receive, send};
pub(crate) use signals::{Disposition, set_disposition};
