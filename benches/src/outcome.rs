//! What a measurement ends with.

use std::error::Error;

/// The value of a measurement, or why there is none.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Why there is no value.
pub(crate) enum Failure {
    /// The peer has nothing that does this; the table says so.
    NotOffered,
    /// The peer, the harness or the system failed.
    Failed(Box<dyn Error>),
}

/// Any error of a peer or of the system. `Failure` itself is no `Error`, so that `?` can take every one.
impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Failed(error.into())
    }
}

impl Failure {
    /// A failure that only has words.
    pub(crate) fn because(words: impl Into<String>) -> Self {
        Failure::Failed(words.into().into())
    }
}

/// Fails unless the peer really did the work: `found` is the sum of all results, `expected` what it must be.
pub(crate) fn check_sum(found: u64, expected: u64) -> Outcome<()> {
    if found == expected {
        Ok(())
    } else {
        Err(Failure::because(format!("wrong results: their sum is {found} and should be {expected}")))
    }
}
