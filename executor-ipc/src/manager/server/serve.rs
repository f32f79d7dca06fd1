//! [`Server`].

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::hall::Hall;
use super::porter::{Doors, Porter};
use crate::attach;
use crate::manager::limits::Limits;

/// The side of a manager that keeps the objects, before it runs.
///
/// [`Manager::pair`](crate::manager::Manager::pair) gives it. It can be sent to another process, as an argument of a job, and run
/// there; until then calls of the manager wait.
#[must_use = "a server serves nobody until it runs; dropping it ends its manager"]
pub struct Server {
    doors: Doors,
    /// The services' end of their door.
    inside: Arc<OwnedFd>,
    identity: u128,
    limits: Limits,
}

impl Server {
    /// Of the server's end of the clients' door, and of both ends of that of its services.
    pub(crate) fn new(door: OwnedFd, (services, inside): (OwnedFd, OwnedFd), identity: u128, limits: Limits) -> Server {
        let doors = Doors { clients: Arc::new(door), services: Arc::new(services) };
        Server { doors, inside: Arc::new(inside), identity, limits }
    }

    /// Serves until nobody of this machine has a handle of the manager any more, a proxy or the manager itself, in any process or on
    /// its way to one. Remote clients do not keep it; they are cut off then. Nor do the proxies that its services got as arguments; a
    /// handle that a service has from elsewhere, such as a `static`, has it run for ever.
    ///
    /// # Blocking
    ///
    /// As long as it serves, and then until the calls under way have ended.
    pub fn run(self) {
        let hall = Hall::new(self.identity, self.limits, self.inside);
        std::thread::scope(|threads| {
            let mut porter = Porter::new(Arc::clone(&hall));
            porter.serve(&self.doors, threads);
            // Whoever connects now is refused by the system; so is a service that is dropped with a hold, before it waits for the porter.
            drop(self.doors);
            drop(porter);
            hall.close();
        });
    }
}

#[derive(Serialize, Deserialize)]
struct Leaving {
    /// The places of the descriptors: the clients' door, and both ends of the services' one.
    doors: [u32; 3],
    identity: u128,
    limits: Limits,
}

impl Serialize for Server {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attached = |door| {
            attach::attach(door).ok_or_else(|| {
                S::Error::custom(
                    "a manager's server can only go where descriptors travel: as an argument to a worker process",
                )
            })
        };
        let Doors { clients, services } = &self.doors;
        let doors = [attached(clients)?, attached(services)?, attached(&self.inside)?];
        Leaving { doors, identity: self.identity, limits: self.limits.clone() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Server {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Leaving { doors, identity, limits } = Leaving::deserialize(deserializer)?;
        let attached = |door| {
            attach::attached(door)
                .map_err(|why| D::Error::custom(format_args!("a manager's server cannot be taken in: {why}")))
        };
        let [clients, services, inside] = doors;
        let doors = Doors { clients: attached(clients)?, services: attached(services)? };
        Ok(Server { doors, inside: attached(inside)?, identity, limits })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("limits", &self.limits).finish_non_exhaustive()
    }
}
