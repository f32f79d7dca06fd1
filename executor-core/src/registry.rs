//! The table of every job in this executable.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::DuplicateJobName;
use crate::guest::{self, Run};
use crate::job::Job;

/// What the table knows of one job type. It is written by [`register_job!`](crate::register_job).
pub struct JobEntry {
    explicit_name: Option<&'static str>,
    type_name: fn() -> &'static str,
    declared_at: &'static str,
    /// Decodes the arguments, runs the job, and encodes what it returned behind what the buffer holds.
    pub(crate) run: Run,
    /// Runs the job as an initializer.
    pub(crate) initialize: fn(&[u8]) -> Result<(), String>,
    /// The place in the [`Table`], and one more; 0 before it is known.
    number: AtomicU32,
}

impl JobEntry {
    /// The entry of `J`, whose name is `explicit_name` or else its type's.
    #[must_use]
    pub const fn of<J: Job>(explicit_name: Option<&'static str>, declared_at: &'static str) -> Self {
        JobEntry {
            explicit_name,
            type_name: std::any::type_name::<J>,
            declared_at,
            run: guest::run::<J>,
            initialize: guest::initialize::<J>,
            number: AtomicU32::new(0),
        }
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

/// Every job of this executable, numbered. Another process of the same executable has the same table, which its digest
/// proves, so that a job travels by its number.
#[derive(Debug)]
pub struct Table {
    entries: Vec<&'static JobEntry>,
    digest: u64,
}

/// The table of this executable.
pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut entries: Vec<_> = inventory::iter::<Registration>().map(|registration| registration.0).collect();
        // Link order is the same in every process of one executable; this order is also readable.
        entries.sort_by_key(|entry| (entry.declared_at, entry.name()));
        let mut hasher = DefaultHasher::new();
        for (number, entry) in (1..).zip(&entries) {
            (entry.declared_at, entry.name()).hash(&mut hasher);
            // Whoever reads it got the table first, which orders it.
            entry.number.store(number, Ordering::Relaxed);
        }
        Table { entries, digest: hasher.finish() }
    })
}

impl Table {
    /// The place of a job in the table; `None` for one that was never registered.
    #[must_use]
    pub fn index_of(&self, entry: &JobEntry) -> Option<u32> {
        entry.number.load(Ordering::Relaxed).checked_sub(1)
    }

    /// The job at a place.
    #[must_use]
    pub fn entry(&self, index: u32) -> Option<&'static JobEntry> {
        self.entries.get(index as usize).copied()
    }

    /// Differs between tables that differ.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }
}
