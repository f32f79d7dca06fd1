//! [`Manager`].

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::address::Address;
use super::auth::AuthKey;
use super::builder::ManagerBuilder;
use super::client::{Handle, Link, Reach};
use super::desk::{DESK, DeskCall, Make};
use super::door::{self, Knock, Listening};
use super::error::ManagerError;
use super::proxies::{Barrier, Condition, Counter, Dict, Event, List, Lock, Namespace, Queue, Semaphore};
use super::server::{Counts, Server};

/// A server that keeps objects for threads and processes, as its clients see it. A clone is a handle to the same server.
///
/// It makes objects and finds those that have a name; each is used through a proxy, such as a [`Dict`]. Manager and proxies are
/// `Send + Sync`, can be arguments of jobs, and have connections of their own in each process. The page of the [module](super) has the whole.
///
/// # Dropping
///
/// A server of this machine ends when the last manager and the last proxy of it are gone, in all processes; remote ones do not count.
/// The server does not end a call that is under way.
#[derive(Clone)]
pub struct Manager {
    desk: Handle,
}

impl Manager {
    /// Starts a server on a thread of this process.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Connect`] if the system refuses a thread or a socket.
    pub fn new() -> Result<Manager, ManagerError> {
        Manager::builder().start()
    }

    /// What a server allows can be set here.
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder::new()
    }

    /// A server that does not run yet, and its manager. [`Server::run`] is for any thread, or for any process to which it is sent as an
    /// argument of a job.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Connect`] if the system refuses a socket.
    pub fn pair() -> Result<(Server, Manager), ManagerError> {
        Manager::builder().pair()
    }

    /// Connects to a server that [listens](Manager::listen), and proves that this side has the key, as the server proves it.
    ///
    /// Proxies that come from other processes of this machine or of others, and say that they are of the manager at this `address`, use
    /// this connection as long as a clone of what is returned lives.
    ///
    /// # Errors
    ///
    /// * [`ManagerError::Connect`] if nobody listens there, or no manager does.
    /// * [`ManagerError::WrongKey`] if the two sides do not have the same key.
    /// * [`ManagerError::Refused`] if the server has too many connections.
    ///
    /// # Blocking
    ///
    /// Until it is connected and has proved it, 10 s at most.
    pub fn connect(address: impl Into<Address>, key: &AuthKey) -> Result<Manager, ManagerError> {
        let link = Link::new(Reach::Remote { address: address.into(), key: key.clone() });
        link.connect()?;
        Ok(Manager { desk: Handle::always(link, DESK) })
    }

    pub(crate) fn of_door(server: u128, door: OwnedFd) -> Manager {
        let reach = Reach::Local { server, door: Arc::new(door) };
        Manager { desk: Handle::always(Link::new(reach), DESK) }
    }

    /// Has the server accept connections at `address` until it ends, from whoever proves that it has the key. Returns the address, with the
    /// port that the system chose for port 0.
    ///
    /// The key keeps strangers out; it does **not encrypt** what is sent. See [`AuthKey`].
    ///
    /// # Errors
    ///
    /// * [`ManagerError::Listen`] if nobody can listen there: somebody else does, or the address is not of this machine. The file of a Unix
    ///   socket at which nobody listens any more is replaced.
    /// * [`ManagerError::Invalid`] for a manager that is itself connected to an address.
    pub fn listen(&self, address: impl Into<Address>, key: &AuthKey) -> Result<Address, ManagerError> {
        let address = address.into();
        let link = self.desk.link()?;
        let (Reach::Local { door, .. } | Reach::Inside { door, .. }) = link.reach() else {
            let what = "only a process of the server's own machine can have it listen".to_owned();
            return Err(ManagerError::Invalid { what });
        };
        let failed = |cause| ManagerError::Listen { address: address.to_string(), cause };
        let (socket, bound) = bind(&address).map_err(failed)?;
        let path = if let Address::Unix(path) = &bound { std::path::absolute(path).ok() } else { None };
        let listening = Listening { key: key.as_bytes().to_vec(), path };
        door::knock(door, &Knock::Listener(listening), socket.as_fd()).map_err(|cause| link.lost(cause))?;
        Ok(bound)
    }

    /// A [`Dict`] without entries.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn dict<K, V>(&self) -> Result<Dict<K, V>, ManagerError> {
        self.make(Make::Dict)
    }

    /// A [`Namespace`] without names.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn namespace(&self) -> Result<Namespace, ManagerError> {
        self.make(Make::Namespace)
    }

    /// A [`List`] without values.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn list<T>(&self) -> Result<List<T>, ManagerError> {
        self.make(Make::List)
    }

    /// A [`Queue`] that always has room.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn queue<T>(&self) -> Result<Queue<T>, ManagerError> {
        self.make(Make::Queue { capacity: None })
    }

    /// A [`Queue`] that has room for so many items.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Invalid`] if that is none.
    pub fn bounded_queue<T>(&self, capacity: usize) -> Result<Queue<T>, ManagerError> {
        self.make(Make::Queue { capacity: Some(capacity as u64) })
    }

    /// A [`Lock`] that nobody holds.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn lock(&self) -> Result<Lock, ManagerError> {
        self.make(Make::Lock)
    }

    /// A [`Condition`], with a lock that nobody holds.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn condition(&self) -> Result<Condition, ManagerError> {
        self.make(Make::Condition)
    }

    /// A [`Semaphore`] with so many permits.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn semaphore(&self, permits: u64) -> Result<Semaphore, ManagerError> {
        self.make(Make::Semaphore { permits })
    }

    /// An [`Event`] that is not set.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn event(&self) -> Result<Event, ManagerError> {
        self.make(Make::Event)
    }

    /// A [`Counter`] that begins with `value`.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn counter(&self, value: i64) -> Result<Counter, ManagerError> {
        self.make(Make::Counter { value })
    }

    /// A [`Barrier`] for so many parties.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Invalid`] if that is none.
    pub fn barrier(&self, parties: usize) -> Result<Barrier, ManagerError> {
        self.make(Make::Barrier { parties: parties as u64 })
    }

    /// Gives an object a name, by which every client finds it, and which keeps it. The same object again is no error.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NameTaken`] if another object has it, and [`ManagerError::OtherManager`] for a proxy of another manager.
    pub fn publish(&self, name: &str, object: &impl Proxy) -> Result<(), ManagerError> {
        let handle = object.handle();
        if !handle.link()?.is_of_same_server(self.desk.link()?) {
            return Err(ManagerError::OtherManager);
        }
        let published = self.desk.call(&DeskCall::Publish { name, object: handle.object() }, |_| Ok(()));
        published.map_err(|error| error.of_name(name))
    }

    /// Takes a name from its object. False if none had it.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn withdraw(&self, name: &str) -> Result<bool, ManagerError> {
        self.desk.ask(&DeskCall::Withdraw { name })
    }

    /// A proxy of the object that has this name.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NotFound`] if none has, and [`ManagerError::WrongKind`] if it is of another kind. Types of keys and values are not
    /// compared.
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_ipc::manager::{Counter, Manager, ManagerError, Queue};
    ///
    /// let manager = Manager::new()?;
    /// let tasks: Queue<u64> = manager.queue()?;
    /// manager.publish("tasks", &tasks)?;
    ///
    /// let found: Queue<u64> = manager.find("tasks")?;
    /// assert_eq!(found, tasks);
    /// assert!(matches!(manager.find::<Counter>("tasks"), Err(ManagerError::WrongKind { .. })));
    /// assert!(matches!(manager.find::<Counter>("results"), Err(ManagerError::NotFound { .. })));
    /// # Ok::<(), ManagerError>(())
    /// ```
    pub fn find<P: Proxy>(&self, name: &str) -> Result<P, ManagerError> {
        let found = self.desk.call_for_object(&DeskCall::Find { name, kind: P::KIND });
        found.map(P::from_handle).map_err(|error| error.of_name(name))
    }

    /// Waits until this process is the only client that is connected, so that a program that is about to end, and its manager with it, cuts
    /// nobody off. Clients that come meanwhile are let in, and waited for too: whoever ends in order has told them before that there is
    /// nothing left for them, such as by [closing](Queue::close) the queue from which they take. Where none has come yet, it does not wait.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    ///
    /// # Blocking
    ///
    /// Until then.
    ///
    /// # Examples
    ///
    /// The page of the [module](super) has one.
    pub fn wait_until_alone(&self) -> Result<(), ManagerError> {
        self.desk.ask(&DeskCall::Alone { limit: None })
    }

    /// The same, for so long.
    ///
    /// # Errors
    ///
    /// [`ManagerError::ClientsLeft`] if some are still there then; and those of every call.
    ///
    /// # Blocking
    ///
    /// As [`wait_until_alone`](Manager::wait_until_alone), for the limit at most, by the clock of the server.
    pub fn wait_until_alone_timeout(&self, limit: Duration) -> Result<(), ManagerError> {
        self.desk.ask(&DeskCall::Alone { limit: Some(limit) })
    }

    /// What the server has at this moment.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn stats(&self) -> Result<ManagerStats, ManagerError> {
        let Counts { objects, clients, connections, refused, refusals } = self.desk.ask(&DeskCall::Counts)?;
        Ok(ManagerStats { objects, clients, connections, refused, refusals })
    }

    pub(crate) fn desk(&self) -> &Handle {
        &self.desk
    }

    fn make<P: Proxy>(&self, make: Make<'_>) -> Result<P, ManagerError> {
        self.desk.call_for_object(&DeskCall::Make(make)).map(P::from_handle)
    }
}

/// A socket that listens, and where. It does not wait when it accepts, so that a client that leaves before is in nobody's way.
fn bind(address: &Address) -> io::Result<(OwnedFd, Address)> {
    match address {
        Address::Tcp(address) => {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let bound = listener.local_addr()?;
            Ok((listener.into(), Address::Tcp(bound)))
        }
        Address::Unix(path) => {
            let listener = UnixListener::bind(path).or_else(|error| match error.kind() {
                ErrorKind::AddrInUse if is_abandoned(path) => {
                    std::fs::remove_file(path)?;
                    UnixListener::bind(path)
                }
                _ => Err(error),
            })?;
            listener.set_nonblocking(true)?;
            Ok((listener.into(), address.clone()))
        }
    }
}

/// True for the file of a socket whose server was killed.
fn is_abandoned(path: &Path) -> bool {
    UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

impl PartialEq for Manager {
    /// True if both are of one server.
    fn eq(&self, other: &Self) -> bool {
        self.desk.is_same(&other.desk)
    }
}

impl Eq for Manager {}

impl Serialize for Manager {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.desk.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Manager {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Manager { desk: Handle::deserialize(deserializer)? })
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").finish_non_exhaustive()
    }
}

/// What a server has at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManagerStats {
    /// Objects that are kept.
    pub objects: u64,
    /// Processes that are connected; one that has connected twice counts twice, and the server with its services not at all.
    pub clients: u64,
    /// Connections of all of them and of services, each of which is a thread of the server.
    pub connections: u64,
    /// How many peers were refused or cut off since the server began.
    pub refused: u64,
    /// Why, for the last 16 of them.
    pub refusals: Vec<String>,
}

/// What stands for an object of a manager: [`Dict`], [`Queue`], and what [`#[service]`](macro@crate::manager::service) writes. It has no methods for
/// use.
pub trait Proxy: Sized {
    #[doc(hidden)]
    const KIND: &'static str;

    #[doc(hidden)]
    fn from_handle(handle: Handle) -> Self;

    #[doc(hidden)]
    fn handle(&self) -> &Handle;
}
