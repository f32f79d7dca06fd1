//! [`Field`]: who competes with whom.

use crate::peers;

/// The peers that one case can compare, of which one is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// Pools of threads.
    Threads,
    /// Worker processes.
    #[cfg(feature = "process")]
    Processes,
    /// What processes share.
    #[cfg(feature = "ipc")]
    Ipc,
    /// Async jobs.
    #[cfg(feature = "async")]
    AsyncJobs,
}

impl Field {
    /// The fields of this build.
    pub(crate) const ALL: &[Field] = &[
        Field::Threads,
        #[cfg(feature = "process")]
        Field::Processes,
        #[cfg(feature = "ipc")]
        Field::Ipc,
        #[cfg(feature = "async")]
        Field::AsyncJobs,
    ];

    /// The word on the command line that names all cases of this field.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Field::Threads => "threads",
            #[cfg(feature = "process")]
            Field::Processes => "processes",
            #[cfg(feature = "ipc")]
            Field::Ipc => "ipc",
            #[cfg(feature = "async")]
            Field::AsyncJobs => "async",
        }
    }

    /// The peer that all ratios are to.
    pub(crate) fn ours(self) -> &'static str {
        match self {
            Field::Threads => peers::OURS,
            #[cfg(feature = "process")]
            Field::Processes => peers::processes::OURS,
            #[cfg(feature = "ipc")]
            Field::Ipc => peers::ipc::OURS,
            #[cfg(feature = "async")]
            Field::AsyncJobs => peers::async_jobs::OURS,
        }
    }
}
