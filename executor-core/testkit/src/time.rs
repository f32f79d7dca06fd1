//! Time in tests: how slow this machine may be, and waiting for what comes about by itself.

use std::thread;
use std::time::{Duration, Instant};

/// The variable that stretches every limit, for machines that are slow or busy. A number; 1 if it is not set.
pub const SCALE_VARIABLE: &str = "EXECUTOR_TEST_SCALE";

/// How long a whole law may take before it counts as a hang, unscaled.
pub(crate) const LAW_LIMIT: Duration = Duration::from_secs(30);

/// How long something may take that comes about by itself, unscaled. Shorter than the limit of a law, so that a law
/// fails with its own words.
const EVENTUALLY_LIMIT: Duration = Duration::from_secs(15);

/// How often [`eventually`] looks.
const LOOK: Duration = Duration::from_millis(1);

/// `limit`, stretched by the variable [`SCALE_VARIABLE`].
#[must_use]
pub fn scaled(limit: Duration) -> Duration {
    let scale = std::env::var(SCALE_VARIABLE).ok().and_then(|text| text.parse::<f64>().ok());
    let scale = scale.filter(|scale| scale.is_finite() && *scale > 0.0).unwrap_or(1.0);
    limit.mul_f64(scale)
}

/// A limit that no wait in a sound program reaches: a guard against hangs.
#[must_use]
pub fn hang_guard() -> Duration {
    scaled(EVENTUALLY_LIMIT)
}

/// Waits until `condition` holds; false if it does not within [`hang_guard`].
#[must_use = "the answer says whether it came about"]
pub fn comes_about(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + hang_guard();
    while !condition() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(LOOK);
    }
    true
}

/// Waits until `condition` holds.
///
/// # Panics
///
/// If it does not within [`hang_guard`]: `what` says what was waited for.
#[track_caller]
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    assert!(comes_about(condition), "waited in vain for this: {what}");
}
