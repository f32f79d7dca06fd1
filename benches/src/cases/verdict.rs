//! A target and whether it was met.

use std::fmt;

use crate::peers::OURS;
use crate::results::Results;
use crate::table::number;

/// What was found, what was wanted, and whether that was met.
pub(crate) struct Verdict {
    text: String,
    /// Unknown when ours or the peer was not measured.
    met: Option<bool>,
}

impl Verdict {
    /// `text` says both what was found and what was wanted.
    pub(crate) fn new(text: String, met: bool) -> Self {
        Self { text, met: Some(met) }
    }

    /// The target cannot be judged, for the reason in `text`.
    pub(crate) fn open(text: String) -> Self {
        Self { text, met: None }
    }

    /// Ours at most `target` times `peer`, by the medians of the measure `key`.
    pub(crate) fn ratio(results: &Results, key: &str, peer: &str, target: f64) -> Self {
        match (results.median(OURS, key), results.median(peer, key)) {
            (Some(ours), Some(theirs)) => {
                let ratio = ours / theirs;
                Self::new(format!("{ratio:.2} of {peer} (at most {target:.2})"), ratio <= target)
            }
            _ => Self::open(format!("at most {target:.2} of {peer}")),
        }
    }

    /// Ours at most `target`, in `unit`.
    pub(crate) fn at_most(ours: Option<f64>, what: &str, unit: &str, target: f64) -> Self {
        match ours {
            Some(ours) => {
                Self::new(format!("{what} {} {unit} (at most {})", number(ours), number(target)), ours <= target)
            }
            None => Self::open(format!("{what} at most {} {unit}", number(target))),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_str(match self.met {
            Some(true) => ": met",
            Some(false) => ": MISSED",
            None => ": not in this run",
        })
    }
}
