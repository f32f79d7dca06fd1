//! A service of the tests' own.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use executor_ipc::manager::service;
use serde::{Deserialize, Serialize};

/// A value that nests as deep as it is long.
#[derive(Serialize, Deserialize)]
pub(crate) struct Chain(Option<Box<Chain>>);

pub(crate) fn chain_of(length: usize) -> Chain {
    (0..length).fold(Chain(None), |chain, _| Chain(Some(Box::new(chain))))
}

/// Points by name.
pub(crate) struct Board {
    points: Mutex<BTreeMap<String, u64>>,
    limit: u64,
    calls: AtomicU64,
}

#[service]
impl Board {
    /// A board on which nobody has more than `limit`.
    pub(crate) fn new(limit: u64) -> Self {
        Board { points: Mutex::default(), limit, calls: AtomicU64::new(0) }
    }

    pub(crate) fn with_names(names: &[String]) -> Board {
        let board = Board::new(u64::MAX);
        board.points.lock().unwrap().extend(names.iter().map(|name| (name.clone(), 0)));
        board
    }

    /// Panics.
    pub(crate) fn broken() -> Self {
        panic!("this constructor always panics")
    }

    /// The points that it has then, or by how many it would be too many.
    pub(crate) fn add(&self, name: &str, points: u64) -> Result<u64, u64> {
        self.secret();
        let mut all = self.points.lock().unwrap();
        let has = all.entry(name.to_owned()).or_default();
        let sum = *has + points;
        if sum > self.limit {
            return Err(sum - self.limit);
        }
        *has = sum;
        Ok(sum)
    }

    pub(crate) fn all(&self) -> Vec<(String, u64)> {
        self.points.lock().unwrap().clone().into_iter().collect()
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    pub(crate) fn panic(&self, message: String) {
        std::panic::resume_unwind(Box::new(message));
    }

    /// Its destructor panics too.
    pub(crate) fn panic_twice(&self) {
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                std::panic::resume_unwind(Box::new("again"));
            }
        }
        std::panic::resume_unwind(Box::new(Bad));
    }

    pub(crate) fn nothing(&self) {}

    pub(crate) fn depth(&self, mut chain: Chain) -> usize {
        let mut depth = 0;
        while let Chain(Some(next)) = chain {
            (chain, depth) = (*next, depth + 1);
        }
        depth
    }

    /// No client can call it.
    fn secret(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
    }
}
