//! Values in memory that several processes have: one, or many in a row.

mod array;
mod value;

pub use array::{SharedArray, SharedBytes};
pub use value::SharedValue;
