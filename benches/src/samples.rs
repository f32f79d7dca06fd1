//! Medians and percentiles of a handful of numbers.

use std::time::Instant;

use crate::outcome::Outcome;

/// Numbers in ascending order, at least one.
#[derive(Clone, Debug)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Sorts `values`; none if there are none.
    pub(crate) fn new(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        if values.is_empty() { None } else { Some(Self(values)) }
    }

    /// The middle one, or the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len().is_multiple_of(2) { f64::midpoint(self.0[middle - 1], self.0[middle]) } else { self.0[middle] }
    }

    /// The smallest value that at least `percent` of all are not above (the nearest rank).
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0[rank.min(self.0.len()) - 1]
    }

    /// The least of them.
    pub(crate) fn min(&self) -> f64 {
        self.0[0]
    }

    /// The greatest of them.
    pub(crate) fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

/// Runs `work` over `items` items `times` times and tells the median time of one item in nanoseconds.
pub(crate) fn nanos_per_item(times: usize, items: u64, mut work: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let mut nanos = Vec::with_capacity(times);
    for _ in 0..times.max(1) {
        let begin = Instant::now();
        work()?;
        nanos.push(begin.elapsed().as_nanos() as f64 / items as f64);
    }
    let nanos = Samples::new(nanos).expect("the loop ran at least once");
    Ok(nanos.median())
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Samples::new(vec![3.0, 1.0, 2.0]).unwrap().median(), 2.0);
        assert_eq!(Samples::new(vec![4.0, 1.0, 2.0, 3.0]).unwrap().median(), 2.5);
        assert!(Samples::new(Vec::new()).is_none());
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let samples = Samples::new((1..=200).map(f64::from).collect()).unwrap();
        assert_eq!(samples.percentile(50), 100.0);
        assert_eq!(samples.percentile(99), 198.0);
        assert_eq!(samples.percentile(100), 200.0);
        assert_eq!(Samples::new(vec![7.0]).unwrap().percentile(1), 7.0);
    }
}
