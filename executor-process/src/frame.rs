//! [`Frame`]: jobs that were sent to a worker together.

use std::ops::Range;
use std::sync::Arc;

use executor_core::backend::Parcel;

use crate::load::Key;
use crate::wire::Place;

/// A frame of jobs that a worker has and has not passed.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) place: Place,
    pub(crate) cargo: Cargo,
    pub(crate) items: u16,
    /// How many outcomes have come.
    pub(crate) received: u16,
    /// The jobs, if they are of a map, which wants to know how long they take.
    pub(crate) chunk: Option<Arc<Parcel>>,
}

/// Which jobs are in a frame.
#[derive(Clone, Debug)]
pub(crate) enum Cargo {
    /// Items in a row of one load, from `first` on.
    Items { load: Key, first: u32 },
    /// Loads of one job each.
    Jobs(Arc<[Key]>),
}

impl Cargo {
    /// Where the jobs with these numbers in the frame are, in their order: the items of a load.
    pub(crate) fn spans(&self, numbers: Range<u16>) -> impl DoubleEndedIterator<Item = (Key, Range<u32>)> {
        let (row, jobs) = match self {
            Cargo::Items { load, first } => {
                let items = first + u32::from(numbers.start)..first + u32::from(numbers.end);
                (Some((*load, items)), &[][..])
            }
            Cargo::Jobs(loads) => {
                (None, loads.get(usize::from(numbers.start)..usize::from(numbers.end)).unwrap_or(&[]))
            }
        };
        row.into_iter().chain(jobs.iter().map(|&load| (load, 0..1)))
    }

    /// Where the job with this number is: which item of which load.
    pub(crate) fn at(&self, number: u16) -> Option<(Key, u32)> {
        match self {
            Cargo::Items { load, first } => Some((*load, first + u32::from(number))),
            Cargo::Jobs(loads) => loads.get(usize::from(number)).map(|&load| (load, 0)),
        }
    }
}

impl Frame {
    /// The number of an item of the load in this frame.
    pub(crate) fn number_of(&self, key: Key, item: u32) -> Option<u16> {
        let number = match &self.cargo {
            Cargo::Items { load, first } if *load == key => u16::try_from(item.checked_sub(*first)?).ok()?,
            Cargo::Items { .. } => return None,
            Cargo::Jobs(loads) => u16::try_from(loads.iter().position(|load| *load == key)?).ok()?,
        };
        (number < self.items).then_some(number)
    }
}
