//! A value that counts its own drops, for backends that leave values in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use executor_core::job;
use serde::{Deserialize, Serialize};

use crate::gate::Pass;
use crate::panics::ON_PURPOSE;

/// Counts how many of its witnesses were dropped.
#[derive(Clone, Debug, Default)]
pub struct DropCount(Arc<AtomicUsize>);

impl DropCount {
    /// A count of 0.
    #[must_use]
    pub fn new() -> Self {
        DropCount::default()
    }

    /// A value whose drop is counted.
    #[must_use]
    pub fn witness(&self) -> Witness {
        Witness { count: Some(self.clone()) }
    }

    /// How many were dropped. What they did before is seen by the caller.
    #[must_use]
    pub fn get(&self) -> usize {
        // Acquires what happened before the drops that are counted.
        self.0.load(Ordering::Acquire)
    }
}

/// A value whose drop is counted, in the process that made it. It does not travel: what arrives elsewhere counts nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct Witness {
    #[serde(skip)]
    count: Option<DropCount>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        if let Some(DropCount(count)) = &self.count {
            // Releases what happened before, to those who read the count.
            count.fetch_add(1, Ordering::Release);
        }
    }
}

/// Holds the witness to its end, and drops it there.
#[job]
pub fn hold_witness(witness: Witness) {
    let _held = witness;
}

/// Goes through the gate with the witness in hand.
#[job]
pub fn pass_witness(gate: Pass, witness: Witness) {
    let _held = witness;
    gate.go();
}

/// Panics with the witness in hand.
#[job]
pub fn lose_witness(witness: Witness) -> u64 {
    let _held = witness;
    panic!("a witness is lost, {ON_PURPOSE}")
}

/// Returns the witness.
#[job]
pub fn keep_witness(witness: Witness) -> Witness {
    witness
}
