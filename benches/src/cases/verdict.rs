//! A target and whether it was met.

use std::fmt;

use crate::results::Results;
use crate::table::number;

/// What was found, what was wanted, and whether that was met.
pub(crate) struct Verdict {
    text: String,
    outcome: Outcome,
}

/// What came of a target.
enum Outcome {
    Met,
    Missed,
    /// Ours or the peer was not measured.
    NotInThisRun,
    /// There is no target.
    Remark,
}

impl Verdict {
    /// False for what is only something to know.
    pub(crate) fn is_target(&self) -> bool {
        !matches!(self.outcome, Outcome::Remark)
    }

    /// `text` says both what was found and what was wanted.
    pub(crate) fn new(text: String, met: bool) -> Self {
        Self { text, outcome: if met { Outcome::Met } else { Outcome::Missed } }
    }

    /// The target cannot be judged, for the reason in `text`.
    pub(crate) fn open(text: String) -> Self {
        Self { text, outcome: Outcome::NotInThisRun }
    }

    /// Ours as a multiple of `peer`, by the medians of the measure `key`: no target, but something to know. Nothing where
    /// one of the two was not measured.
    #[cfg_attr(not(feature = "process"), expect(dead_code, reason = "only the cases of processes have floors to name"))]
    pub(crate) fn multiple(results: &Results, key: &str, what: &str, peer: &str) -> Option<Self> {
        let multiple = results.ours(key)? / results.median(peer, key)?;
        Some(Self { text: format!("{what} {} times that of {peer}", number(multiple)), outcome: Outcome::Remark })
    }

    /// Ours at most `target` times `peer`, by the medians of the measure `key`.
    pub(crate) fn ratio(results: &Results, key: &str, peer: &str, target: f64) -> Self {
        match (results.ours(key), results.median(peer, key)) {
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
        f.write_str(match self.outcome {
            Outcome::Met => ": met",
            Outcome::Missed => ": MISSED",
            Outcome::NotInThisRun => ": not in this run",
            Outcome::Remark => "",
        })
    }
}
