//! What the children of one case found.

use std::fmt;
use std::time::Duration;

use crate::line::Figures;
use crate::samples::Samples;

/// How one child ended.
#[derive(Clone, Debug)]
pub(crate) enum Run {
    /// It measured.
    Figures(Figures),
    /// The peer has nothing that does this case.
    NotOffered,
    /// It waited for ever and was killed.
    Deadlock,
    /// It still worked when its time, which stands here, was over, and was killed.
    TimeOut(Duration),
    /// It failed or died.
    Failed(String),
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Run::Figures(_) => f.write_str("measured"),
            Run::NotOffered => f.write_str("does not offer this"),
            Run::Deadlock => f.write_str("deadlock"),
            Run::TimeOut(limit) => write!(f, "not done after {} s", limit.as_secs()),
            Run::Failed(cause) => write!(f, "failed: {cause}"),
        }
    }
}

/// The runs of every peer, in the order in which the peers were named.
pub(crate) struct Results {
    ours: &'static str,
    runs: Vec<(&'static str, Vec<Run>)>,
}

impl Results {
    /// No runs yet of these peers; `ours` is the one that all ratios are to.
    pub(crate) fn new(ours: &'static str, peers: impl Iterator<Item = &'static str>) -> Self {
        Self { ours, runs: peers.map(|peer| (peer, Vec::new())).collect() }
    }

    /// Adds a run of `peer`.
    pub(crate) fn add(&mut self, peer: &'static str, run: Run) {
        if let Some((_, runs)) = self.runs.iter_mut().find(|(name, _)| *name == peer) {
            runs.push(run);
        }
    }

    /// The peers that were asked.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &'static str> {
        self.runs.iter().map(|&(peer, _)| peer)
    }

    /// True if a run of `peer` did not measure.
    pub(crate) fn has_failed(&self, peer: &str) -> bool {
        self.failure(peer).is_some()
    }

    /// The first run of `peer` that did not measure.
    pub(crate) fn failure(&self, peer: &str) -> Option<&Run> {
        self.runs(peer).iter().find(|run| !matches!(run, Run::Figures(_)))
    }

    /// What `peer` found for the measure `key`, over all rounds.
    pub(crate) fn samples(&self, peer: &str, key: &str) -> Option<Samples> {
        let figures = self.runs(peer).iter().filter_map(|run| match run {
            Run::Figures(figures) => figures.iter().find(|(name, _)| name == key).map(|&(_, value)| value),
            _ => None,
        });
        Samples::new(figures.collect())
    }

    /// The median of these.
    pub(crate) fn median(&self, peer: &str, key: &str) -> Option<f64> {
        Some(self.samples(peer, key)?.median())
    }

    /// The median of ours.
    pub(crate) fn ours(&self, key: &str) -> Option<f64> {
        self.median(self.ours, key)
    }

    fn runs(&self, peer: &str) -> &[Run] {
        self.runs.iter().find(|(name, _)| *name == peer).map_or(&[], |(_, runs)| runs)
    }
}
