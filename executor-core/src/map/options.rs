//! [`MapOptions`].

use crate::error::OptionError;
use crate::options::JobOptions;

/// Options of a `map`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "options do nothing until they are given to `map_with`"]
pub struct MapOptions {
    window: Option<usize>,
    pub(crate) job: JobOptions,
}

impl MapOptions {
    /// A window that fits the length of the jobs, and plain jobs.
    pub fn new() -> Self {
        MapOptions::default()
    }

    /// How many items may be pulled from the input and not yet read from the map, in items.
    ///
    /// The default starts at four items a worker and grows, while the items prove to be short, up to 16 384: enough to
    /// keep the workers busy while the reader is away for about a millisecond.
    pub fn window(mut self, items: usize) -> Self {
        self.window = Some(items);
        self
    }

    /// Options for each of the jobs.
    pub fn job(mut self, options: JobOptions) -> Self {
        self.job = options;
        self
    }

    /// The window that was set.
    pub(crate) fn checked_window(&self) -> Result<Option<usize>, OptionError> {
        match self.window {
            Some(0) => {
                Err(OptionError { what: "a map with a window of 0 items would never begin; set 1 or more".into() })
            }
            window => Ok(window),
        }
    }
}
