//! [`ManagerError`].

use std::error::Error;
use std::io;

use super::depth::{DEPTH_MAX, DepthError};
use super::wire::Fault;

/// Why a call of a proxy or of a [`Manager`](super::Manager) came to nothing.
///
/// Each method says which of these it gives besides those that every call can give: [`Disconnected`](ManagerError::Disconnected),
/// [`Refused`](ManagerError::Refused), [`Connect`](ManagerError::Connect), [`NotConnected`](ManagerError::NotConnected),
/// [`Forked`](ManagerError::Forked), [`NoSuchObject`](ManagerError::NoSuchObject), [`OtherManager`](ManagerError::OtherManager),
/// [`Encode`](ManagerError::Encode), [`Decode`](ManagerError::Decode), [`TooDeep`](ManagerError::TooDeep) and
/// [`TooLarge`](ManagerError::TooLarge).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// The server has ended, or the connection to it broke. What a call that was under way has done is not known.
    #[error(
        "the manager's server{} is gone, or the connection to it broke: {cause}; a call that was under way may have had its effect; connect to it anew, or start another one, to go on",
        at(.address)
    )]
    Disconnected {
        /// Where the server was; `None` if it was one of this machine that was started from here.
        address: Option<String>,
        /// What the system said; an end is [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
        #[source]
        cause: io::Error,
    },
    /// The server does not take the connection.
    #[error("the manager's server{} refuses the connection: {why}", at(.address))]
    Refused {
        /// Where the server is; `None` if it is one of this machine that was started from here.
        address: Option<String>,
        /// In words.
        why: String,
    },
    /// There is no connection: the system refused what it needs, nobody listens at the address, or the peer is no manager's server.
    #[error("no connection to the manager's server{}: {cause}{}", at(.address), advice(.address))]
    Connect {
        /// Where the server should be; `None` if it is a server of this machine that was started from here.
        address: Option<String>,
        /// What was wrong.
        #[source]
        cause: io::Error,
    },
    /// The server cannot listen there: somebody else does, or the address is not of its machine, or may not be used.
    #[error("the manager cannot listen at {address}: {cause}; choose another address, or end what has it")]
    Listen {
        /// As given.
        address: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// This side and the server do not have the same key. Whoever listens there has not proved that it has it, or says that this side
    /// has another.
    #[error("the key for {address} is not that of its manager; give both sides the same key")]
    WrongKey {
        /// Of the server.
        address: String,
    },
    /// A proxy of a manager elsewhere has come to a process that is not connected to it.
    #[error(
        "the proxy is of the manager at {address}, to which this process is not connected; call `Manager::connect` with its key first, and keep what it gives"
    )]
    NotConnected {
        /// Of the server.
        address: String,
    },
    /// The proxy is that of the process from which this one was forked.
    #[error(
        "the proxy was inherited by a fork, and two processes cannot share its connections; hand it to the process as an argument"
    )]
    Forked,
    /// No object of this number is there. Its references were counted wrongly, or the proxy came from elsewhere after the last one was
    /// dropped.
    #[error(
        "the object is no longer there; keep a proxy of it, or put one into a container or under a name, until the other side has its own"
    )]
    NoSuchObject,
    /// The proxy is of another manager, and cannot be published, stored or passed to a service by this one. Nothing was sent.
    #[error(
        "the proxy is of another manager, and a manager knows its own objects only; make the object with the same one"
    )]
    OtherManager,
    /// A value, a key or an argument cannot be encoded. Nothing was sent.
    #[error("{what} cannot be encoded for the manager: {cause}")]
    Encode {
        /// What it was.
        what: &'static str,
        /// What its `Serialize`, or postcard, said.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// What came back is not of the type that the proxy has.
    #[error("{what} of the manager cannot be decoded: {cause}; all proxies of an object must have the same types")]
    Decode {
        /// What it was.
        what: &'static str,
        /// What its `Deserialize`, or postcard, said.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// What came back nests deeper than what is decoded from a peer may, so that it cannot overflow the stack.
    #[error("{what} of the manager nests deeper than {depth_max} levels; keep its parts apart")]
    TooDeep {
        /// What it was.
        what: &'static str,
        /// How deep it may nest: structs, tuples, sequences, maps, enums and options count one each.
        depth_max: usize,
    },
    /// A call, or the answer to it, is longer than a message may be. The call had its effect if the answer is meant, except that
    /// nothing is taken from a container by it.
    #[error(
        "a message of {bytes} bytes is more than the {bytes_max} that the manager allows; send less at once, or allow more with `message_bytes_max`"
    )]
    TooLarge {
        /// How long it would be.
        bytes: u64,
        /// How long it may be.
        bytes_max: u64,
    },
    /// The object of that name is of another kind.
    #[error("the object `{name}` is a {found}, and was asked for as a {expected}")]
    WrongKind {
        /// The name by which it was looked for.
        name: String,
        /// As the caller wants it.
        expected: String,
        /// As it is.
        found: String,
    },
    /// No object has that name.
    #[error("the manager has no object of the name `{name}`; publish it first")]
    NotFound {
        /// The name by which it was looked for.
        name: String,
    },
    /// Another object has that name.
    #[error("the manager has another object of the name `{name}`; withdraw it first")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// No element is there.
    #[error("index {index} is not within the {len} elements of the list")]
    OutOfRange {
        /// As given.
        index: u64,
        /// When the call was made.
        len: u64,
    },
    /// The queue has no room.
    #[error("the queue is full: nobody has taken what was put before")]
    Full,
    /// The queue has no item.
    #[error("the queue is empty: no item is there to be taken")]
    Empty,
    /// The queue was closed, and for a `get`, has no item any more.
    #[error("the queue is closed: nothing can be put any more, and nothing is left in it for a `get`")]
    Closed,
    /// What was waited for did not come in time. Nothing was taken.
    #[error("what the call waited for did not come within its time limit")]
    Timeout,
    /// Others were still connected when the time limit of [`wait_until_alone_timeout`](super::Manager::wait_until_alone_timeout) passed.
    #[error("{clients} other clients were still connected to the manager when the time limit passed")]
    ClientsLeft {
        /// How many.
        clients: u64,
    },
    /// More items were reported as done than were taken.
    #[error("`task_done` was called more often than items were taken; call it once for each")]
    TooManyDone,
    /// Clients died with items that they had taken and not reported as done.
    #[error("{tasks} items were taken by clients that died before they reported them as done")]
    TasksLost {
        /// How many since the last `join` that said so.
        tasks: u64,
    },
    /// The barrier was broken by a party that gave up or died, or by `abort`; `reset` mends it.
    #[error("the barrier is broken: a party gave up or died, or somebody aborted it; `reset` it")]
    Broken,
    /// The value in the dictionary is no integer of 64 bits, or the sum is none.
    #[error("the value is no integer of 64 bits, or the sum would not be one")]
    NotANumber,
    /// What the guard or the permit had was given back before.
    #[error("this guard or permit has given back what it had; acquire it again")]
    NotHeld,
    /// No object can be made like that.
    #[error("{what}")]
    Invalid {
        /// In words.
        what: String,
    },
    /// The server's program has no service of that name, or two.
    #[error(
        "the server's program has no service `{service}`, or two of that name; is the crate that has it linked into that program?"
    )]
    UnknownService {
        /// The name of the service.
        service: String,
    },
    /// The service has no such method or constructor, or does not expose it.
    #[error("the service `{service}` exposes no method `{method}`; is the server's program of the same version?")]
    UnknownMethod {
        /// The name of the service.
        service: String,
        /// The name of the method.
        method: String,
    },
    /// The server could not decode the arguments of a method.
    #[error("the server cannot decode the arguments of `{method}` of the service `{service}`: {cause}")]
    Arguments {
        /// The name of the service.
        service: String,
        /// The name of the method or constructor.
        method: String,
        /// What its decoder said.
        cause: String,
    },
    /// The server could not encode what the method returned.
    #[error("the server cannot encode what `{method}` of the service `{service}` returned: {cause}")]
    Answer {
        /// The name of the service.
        service: String,
        /// The name of the method.
        method: String,
        /// What its encoder said.
        cause: String,
    },
    /// The method panicked. The server goes on, and the object is as the panic left it.
    #[error("`{method}` of the service `{service}` panicked: {message}")]
    Panicked {
        /// The name of the service.
        service: String,
        /// The name of the method or constructor.
        method: String,
        /// Of the panic.
        message: String,
    },
    /// The two sides do not understand one another, which is a fault of one of them.
    #[error("the manager and its client do not understand one another: {what}; are both programs of the same version?")]
    Protocol {
        /// What was sent.
        what: &'static str,
    },
}

fn at(address: &Option<String>) -> String {
    address.as_ref().map(|address| format!(" at {address}")).unwrap_or_default()
}

fn advice(address: &Option<String>) -> &'static str {
    if address.is_some() { "; is it started, and does it listen there?" } else { "" }
}

impl ManagerError {
    /// The server at this address has closed the connection.
    pub(crate) fn ended(address: Option<String>) -> Self {
        let cause = io::Error::new(io::ErrorKind::UnexpectedEof, "the other side has closed the connection");
        ManagerError::Disconnected { address, cause }
    }

    /// The same, of a call of this method or constructor.
    pub(crate) fn of_method(self, service: &str, method: &str) -> Self {
        let (service, method) = (service.to_owned(), method.to_owned());
        match self {
            ManagerError::Arguments { cause, .. } => ManagerError::Arguments { service, method, cause },
            ManagerError::Answer { cause, .. } => ManagerError::Answer { service, method, cause },
            ManagerError::Panicked { message, .. } => ManagerError::Panicked { service, method, message },
            other => other,
        }
    }

    /// The same, of a call about this name.
    pub(crate) fn of_name(self, name: &str) -> Self {
        let name = name.to_owned();
        match self {
            ManagerError::NotFound { .. } => ManagerError::NotFound { name },
            ManagerError::NameTaken { .. } => ManagerError::NameTaken { name },
            ManagerError::WrongKind { expected, found, .. } => ManagerError::WrongKind { name, expected, found },
            other => other,
        }
    }

    pub(crate) fn encode(what: &'static str) -> impl FnOnce(postcard::Error) -> Self {
        move |error| {
            let cause = match error {
                // The encoder does not keep what a value says of itself.
                postcard::Error::SerdeSerCustom => {
                    "a part of it cannot be written into bytes; what goes by descriptors, such as a lock in shared memory or an \
                     end of a channel, cannot be kept by a manager"
                        .into()
                }
                error => error.into(),
            };
            ManagerError::Encode { what, cause }
        }
    }

    pub(crate) fn decode(what: &'static str) -> impl FnOnce(postcard::Error) -> Self {
        move |cause| ManagerError::Decode { what, cause: cause.into() }
    }

    /// Why what is of a user's type cannot be decoded.
    pub(crate) fn undecoded(what: &'static str) -> impl FnOnce(DepthError) -> Self {
        move |error| match error {
            DepthError::TooDeep => ManagerError::TooDeep { what, depth_max: DEPTH_MAX },
            DepthError::Postcard(cause) => ManagerError::Decode { what, cause: cause.into() },
        }
    }
}

impl From<Fault> for ManagerError {
    /// Without the names, of which the server says nothing: see [`of_name`](ManagerError::of_name) and [`of_method`](ManagerError::of_method).
    fn from(fault: Fault) -> Self {
        let name = String::new();
        let (service, method) = (String::new(), String::new());
        match fault {
            Fault::NoSuchObject => ManagerError::NoSuchObject,
            Fault::WrongKind { expected, found } => ManagerError::WrongKind { name, expected, found },
            Fault::NotFound => ManagerError::NotFound { name },
            Fault::NameTaken => ManagerError::NameTaken { name },
            Fault::ClientsLeft { clients } => ManagerError::ClientsLeft { clients },
            Fault::OutOfRange { index, len } => ManagerError::OutOfRange { index, len },
            Fault::Full => ManagerError::Full,
            Fault::Empty => ManagerError::Empty,
            Fault::Closed => ManagerError::Closed,
            Fault::Timeout => ManagerError::Timeout,
            Fault::TooManyDone => ManagerError::TooManyDone,
            Fault::TasksLost { tasks } => ManagerError::TasksLost { tasks },
            Fault::Broken => ManagerError::Broken,
            Fault::NotANumber => ManagerError::NotANumber,
            Fault::NotHeld => ManagerError::NotHeld,
            Fault::Invalid { what } => ManagerError::Invalid { what },
            Fault::TooLarge { bytes, bytes_max } => ManagerError::TooLarge { bytes, bytes_max },
            Fault::UnknownService { service } => ManagerError::UnknownService { service },
            Fault::UnknownMethod { service, method } => ManagerError::UnknownMethod { service, method },
            Fault::Arguments { cause } => ManagerError::Arguments { service, method, cause },
            Fault::Answer { cause } => ManagerError::Answer { service, method, cause },
            Fault::Panicked { message } => {
                // Of an object of ours, unless the caller knows better.
                ManagerError::Panicked { service, method, message }.of_method("executor_ipc::manager", "call")
            }
            Fault::BadCall => ManagerError::Protocol { what: "a call that the server does not know" },
            Fault::Gone => ManagerError::ended(None),
        }
    }
}
