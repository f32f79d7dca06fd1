//! `map`: one job per item of an iterator, a bounded number of items ahead of the reader.
//!
//! [`Map`] gives results in the order of the input, [`MapUnordered`] in the order in which the jobs end. Both are lazy:
//! they pull their first window before they are handed out, and later as many items as were read.
//!
//! # Chunks
//!
//! A short job costs less than the handing over of it. So an ordered map measures how long its items take, and hands
//! short ones over in [chunks](chunk): one allocation of per-item cells, one place in the queue, and a cursor from
//! which any number of workers take items. What a user can see stays per item: errors, cancel, counts, and the
//! window. An item that turns out slow holds up no other: a worker that finds the cursor at the end looks for items
//! that nobody has begun.

mod chunk;
mod feed;
mod options;
mod ordered;
mod pace;
mod stretch;
mod unordered;

pub use options::MapOptions;
pub use ordered::{Map, MapStream};
pub use unordered::{MapUnordered, MapUnorderedStream};

#[cfg(all(test, executor_loom))]
pub(crate) use chunk::Chunk;
pub(crate) use chunk::Share;
