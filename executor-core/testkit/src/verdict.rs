//! [`Verdict`]: what came of a law that was not broken, and the [`Claim`]s that laws ask for.

use std::fmt;

use executor_core::backend::{Capabilities, Force};

/// What a law gives: it holds, or it is not claimed. A law that is broken panics.
pub type Verdict = Result<(), NotClaimed>;

/// A law needs what the backend does not claim to do. It is no failure; but the call of [`laws!`](crate::laws!) must
/// name the law, so that nothing is skipped in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a law that needs what is not claimed ends here"]
pub struct NotClaimed {
    what: String,
}

impl NotClaimed {
    /// Names what is not claimed, so that it reads well after "the backend does not claim".
    pub fn new(what: impl Into<String>) -> Self {
        NotClaimed { what: what.into() }
    }
}

impl fmt::Display for NotClaimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the backend does not claim {}", self.what)
    }
}

/// Something that not every backend can do, and that some laws are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// A job runs while its submitter goes on.
    Concurrency,
    /// A running job can be killed.
    Kill,
    /// Values stay in the memory of this process: nothing is encoded on its way.
    SharedMemory,
    /// Jobs and outputs are encoded on their way.
    Encoding,
    /// Run limits are honoured, by force or by asking.
    RunLimit,
    /// Priorities are honoured.
    Priorities,
    /// Retries are honoured.
    Retries,
    /// A crash of a job costs that job only.
    SurvivesCrash,
}

impl Claim {
    pub(crate) fn holds(self, capabilities: &Capabilities) -> bool {
        match self {
            Claim::Concurrency => capabilities.concurrent,
            Claim::Kill => capabilities.kill,
            Claim::SharedMemory => !capabilities.encodes,
            Claim::Encoding => capabilities.encodes,
            Claim::RunLimit => matches!(capabilities.run_limit, Some(Force::Enforced | Force::Asked)),
            Claim::Priorities => capabilities.priorities,
            Claim::Retries => capabilities.retries,
            Claim::SurvivesCrash => capabilities.survives_crash,
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Claim::Concurrency => "to run jobs beside their submitter",
            Claim::Kill => "to kill running jobs",
            Claim::SharedMemory => "to leave values unencoded in this process",
            Claim::Encoding => "to encode values on their way",
            Claim::RunLimit => "run limits",
            Claim::Priorities => "priorities",
            Claim::Retries => "retries",
            Claim::SurvivesCrash => "to survive the crash of a job",
        })
    }
}
