//! [`Server`].

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::hall::Hall;
use super::porter::Porter;
use crate::attach;
use crate::manager::limits::Limits;

/// The side of a manager that keeps the objects, before it runs.
///
/// [`Manager::pair`](crate::manager::Manager::pair) gives it. It can be sent to another process, as an argument of a job, and run
/// there; until then calls of the manager wait.
#[must_use = "a server serves nobody until it runs; dropping it ends its manager"]
pub struct Server {
    door: Arc<OwnedFd>,
    identity: u128,
    limits: Limits,
}

impl Server {
    pub(crate) fn new(door: OwnedFd, identity: u128, limits: Limits) -> Server {
        Server { door: Arc::new(door), identity, limits }
    }

    /// Serves until nobody of this machine has a handle of the manager any more, a proxy or the manager itself, in any process or on
    /// its way to one. Remote clients do not keep it; they are cut off then.
    ///
    /// A handle in a service that the server itself keeps is one of those, and has it run for ever.
    ///
    /// # Blocking
    ///
    /// As long as it serves, and then until the calls under way have ended.
    pub fn run(self) {
        let hall = Hall::new(self.identity, self.limits);
        std::thread::scope(|threads| {
            let mut porter = Porter::new(Arc::clone(&hall));
            porter.serve(&self.door, threads);
            // Whoever connects now is refused by the system.
            drop(porter);
            drop(self.door);
            hall.close();
        });
    }
}

#[derive(Serialize, Deserialize)]
struct Leaving {
    door: u32,
    identity: u128,
    limits: Limits,
}

impl Serialize for Server {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let door = attach::attach(&self.door).ok_or_else(|| {
            S::Error::custom(
                "a manager's server can only go where descriptors travel: as an argument to a worker process",
            )
        })?;
        Leaving { door, identity: self.identity, limits: self.limits.clone() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Server {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Leaving { door, identity, limits } = Leaving::deserialize(deserializer)?;
        let door = attach::attached(door)
            .map_err(|why| D::Error::custom(format_args!("a manager's server cannot be taken in: {why}")))?;
        Ok(Server { door, identity, limits })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("limits", &self.limits).finish_non_exhaustive()
    }
}
