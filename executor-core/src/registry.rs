//! The table of every job in this executable.

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use crate::error::DuplicateJobName;
use crate::job::Job;

/// What the table knows of one job type. It is written by [`register_job!`](crate::register_job).
pub struct JobEntry {
    explicit_name: Option<&'static str>,
    type_name: fn() -> &'static str,
    declared_at: &'static str,
}

impl JobEntry {
    /// The entry of `J`, whose name is `explicit_name` or else its type's.
    #[must_use]
    pub const fn of<J: Job>(explicit_name: Option<&'static str>, declared_at: &'static str) -> Self {
        JobEntry { explicit_name, type_name: std::any::type_name::<J>, declared_at }
    }

    /// The name that the user chose, else the path of the type, which is for people only and may repeat.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.explicit_name.unwrap_or_else(self.type_name)
    }

    /// The name that the user chose, if one was.
    #[must_use]
    pub fn explicit_name(&self) -> Option<&'static str> {
        self.explicit_name
    }

    /// The file and line of the declaration.
    #[must_use]
    pub fn declared_at(&self) -> &'static str {
        self.declared_at
    }
}

impl fmt::Debug for JobEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobEntry").field("name", &self.name()).field("declared_at", &self.declared_at).finish()
    }
}

/// An element of the link-time collection.
#[doc(hidden)]
#[derive(Debug)]
pub struct Registration(pub &'static JobEntry);

inventory::collect!(Registration);

/// The job with an explicit name, if one is linked into this program.
#[must_use]
pub fn job_named(name: &str) -> Option<&'static JobEntry> {
    named().as_ref().ok()?.get(name).copied()
}

/// Checks that no two jobs have the same explicit name. Every executor asks when it is built.
///
/// # Errors
///
/// Names the first two that do, and where they are declared.
pub(crate) fn check() -> Result<(), DuplicateJobName> {
    named().as_ref().map(drop).map_err(Clone::clone)
}

type Named = HashMap<&'static str, &'static JobEntry>;

/// The jobs with an explicit name. The collection is complete before `main`, so that it is read once.
fn named() -> &'static Result<Named, DuplicateJobName> {
    static NAMED: OnceLock<Result<Named, DuplicateJobName>> = OnceLock::new();
    NAMED.get_or_init(|| collect(inventory::iter::<Registration>().map(|registration| registration.0)))
}

fn collect(entries: impl Iterator<Item = &'static JobEntry>) -> Result<Named, DuplicateJobName> {
    let mut named = Named::new();
    for entry in entries {
        let Some(name) = entry.explicit_name else { continue };
        if let Some(other) = named.insert(name, entry) {
            // Link order decides which comes first; the message should not.
            let mut places = [other.declared_at, entry.declared_at];
            places.sort_unstable();
            return Err(DuplicateJobName { name, first: places[0], second: places[1] });
        }
    }
    Ok(named)
}
