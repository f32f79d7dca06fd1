//! [`Service`]: types of the user's whose objects a server keeps.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::access::{Manager, Proxy};
use super::client::Handle;
use super::depth::{self, DEPTH_MAX, DepthError};
use super::desk::{DeskCall, Make};
use super::error::ManagerError;
use super::nested::{self, Arrived, Leaving};
use super::server::{Hall, Object, Value, Visit};
use super::wire::{Fault, WireValue};

/// Lets a manager keep objects of a type of your own, which clients call through a typed proxy.
///
/// It goes on an `impl` block of the type, which stays as it is. Beside it comes the proxy: for `Board`, `BoardProxy`.
///
/// * A function that takes `&self` and is `pub`, or `pub(crate)` and the like, is a method of the proxy, with the same arguments. It
///   returns what the function returns, inside a `Result` whose error says that the call failed; so an `Err` of your own arrives as
///   `Ok(Err(e))`, with its type.
/// * One without `self` that returns `Self` is a constructor: it takes the manager first, and runs in the server.
/// * Everything else is not exposed: no client can call it.
///
/// The proxy is as visible as the first constructor.
///
/// Arguments and what is returned are serde in both directions, and may have proxies of the same manager in them; see below. An argument may
/// be a reference, `&str`, `&[T]` or `&T`. The type is `Send + Sync`, because several clients call it at once: what changes is behind a lock
/// or atomic. A panic is an error for its caller, and the object stays as it leaves it. A method runs in the server, on the thread of the
/// connection, and may wait; it goes on if its client dies.
///
/// The server makes objects of every service that is linked into its program, for every client.
///
/// # Options
///
/// * `#[service(name = "…")]` fixes the name by which clients and server know the type. It is the path of the type by default, which is
///   another one if the two programs have it from different crates. It must be unique in the server's program.
/// * `#[service(proxy = Name)]` names the proxy.
/// * `#[service(crate = path)]` says where `executor_ipc` is, if a crate of yours re-exports it.
///
/// # Examples
///
/// ```
/// use std::sync::Mutex;
/// use executor_ipc::manager::{Manager, service};
///
/// struct Account {
///     balance: Mutex<u64>,
/// }
///
/// #[service]
/// impl Account {
///     /// An account with some money.
///     pub fn new(balance: u64) -> Self {
///         Account { balance: Mutex::new(balance) }
///     }
///
///     /// What is left, or how much is missing.
///     pub fn withdraw(&self, amount: u64) -> Result<u64, u64> {
///         let mut balance = self.balance.lock().unwrap();
///         *balance = balance.checked_sub(amount).ok_or_else(|| amount - *balance)?;
///         Ok(*balance)
///     }
/// }
///
/// let manager = Manager::new()?;
/// let account = AccountProxy::new(&manager, 100)?;
/// assert_eq!(account.withdraw(30)?, Ok(70));
/// assert_eq!(account.withdraw(90)?, Err(20));
/// # Ok::<(), executor_ipc::manager::ManagerError>(())
/// ```
///
/// # Proxies as arguments
///
/// A method can take proxies of the objects of its manager, keep them, call them, and return them, and so can a constructor: the object
/// lives as long as one of its proxies, wherever that is. With the manager itself as an argument a service makes objects of its own. None of
/// them keeps the server: it ends with the last handle that anybody else has, and a call from inside is [`ManagerError::Disconnected`] then.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
/// use executor_ipc::manager::{List, Manager, service};
///
/// struct Rooms {
///     manager: Manager,
///     rooms: Mutex<BTreeMap<String, List<String>>>,
/// }
///
/// #[service]
/// impl Rooms {
///     pub fn new(manager: Manager) -> Self {
///         Rooms { manager, rooms: Mutex::default() }
///     }
///
///     /// The lines of a room, which is made when somebody asks for it first.
///     pub fn room(&self, name: String) -> Result<List<String>, String> {
///         let mut rooms = self.rooms.lock().unwrap();
///         if !rooms.contains_key(&name) {
///             let lines = self.manager.list().map_err(|error| error.to_string())?;
///             rooms.insert(name.clone(), lines);
///         }
///         Ok(rooms[&name].clone())
///     }
/// }
///
/// let manager = Manager::new()?;
/// let rooms = RoomsProxy::new(&manager, manager.clone())?;
/// rooms.room("kitchen".into())?.unwrap().push(&"hello".into())?;
/// assert_eq!(rooms.room("kitchen".into())?.unwrap().to_vec()?, ["hello"]);
/// # Ok::<(), executor_ipc::manager::ManagerError>(())
/// ```
///
/// A call from inside goes over a connection too, for which `connections_max` must have room: a service that calls itself without end
/// comes to an error there.
///
/// # What does not compile
///
/// Whoever changes the object takes turns:
///
/// ```compile_fail
/// struct Board(u64);
/// #[executor_ipc::manager::service]
/// impl Board {
///     pub fn new() -> Self {
///         Board(0)
///     }
///     pub fn add(&mut self, n: u64) {
///         self.0 += n;
///     }
/// }
/// ```
///
/// What is not exposed cannot be called:
///
/// ```compile_fail
/// struct Board;
/// #[executor_ipc::manager::service]
/// impl Board {
///     pub fn new() -> Self {
///         Board
///     }
///     fn secret(&self) {}
/// }
/// fn call(board: &BoardProxy) {
///     board.secret();
/// }
/// ```
pub use executor_ipc_macros::service;

/// A type whose objects live in a server. `#[service]` implements it; see [there](macro@service).
#[doc(hidden)]
pub trait Service: Send + Sync + Sized + 'static {
    /// By which clients and server know it.
    const NAME: &'static str;

    /// Calls a constructor by its name.
    ///
    /// # Errors
    ///
    /// Why nothing was called.
    fn make(constructor: &str, call: Call<'_>) -> Result<Self, Failure>;

    /// Calls a method by its name.
    ///
    /// # Errors
    ///
    /// Why nothing was called.
    fn call(&self, method: &str, call: Call<'_>) -> Result<Answer, Failure>;
}

/// A call of a constructor or method, in the server.
#[doc(hidden)]
#[derive(Debug)]
pub struct Call<'a> {
    hall: &'a Arc<Hall>,
    arguments: &'a WireValue<'a>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(hall: &'a Arc<Hall>, arguments: &'a WireValue<'a>) -> Self {
        Call { hall, arguments }
    }

    /// All of its arguments, as a tuple.
    ///
    /// # Errors
    ///
    /// What the decoder said.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let WireValue { references, bytes } = self.arguments;
        let link = &self.hall.inside;
        let handle = |&object| Ok((object, Handle::inside(link, self.hall.refer(object)?)));
        let handles = references.iter().map(handle).collect::<Result<_, _>>().map_err(Failure)?;
        let arrived = Rc::new(Arrived { link: Arc::clone(link), handles });
        let cause = match nested::decode(&arrived, || depth::take_from_bytes(bytes)) {
            Ok((arguments, [])) => return Ok(arguments),
            Ok((_, rest)) => format!("{} bytes are left over", rest.len()),
            Err(DepthError::Postcard(error)) => error.to_string(),
            Err(DepthError::TooDeep) => format!("they nest deeper than {DEPTH_MAX} levels"),
        };
        Err(Failure(Fault::Arguments { cause }))
    }

    /// What the method returned, encoded.
    ///
    /// # Errors
    ///
    /// What the encoder said.
    pub fn answer<T: Serialize>(&self, returned: &T) -> Result<Answer, Failure> {
        let encoded = Leaving::new(&self.hall.inside, "what the method returned", returned);
        let leaving = encoded.map_err(|error| Failure(Fault::Answer { cause: error.to_string() }))?;
        let (bytes, references) = leaving.into_parts();
        // While what was returned still has its proxies, so that nothing goes in between.
        let references = references.into_iter().map(|object| self.hall.refer(object)).collect::<Result<_, _>>();
        Ok(Answer(Value { bytes: bytes.into(), references: references.map_err(Failure)? }))
    }
}

/// What a method returned, encoded.
#[doc(hidden)]
#[derive(Debug)]
pub struct Answer(Value);

/// Why nothing was called.
#[doc(hidden)]
#[derive(Debug)]
pub struct Failure(Fault);

impl Failure {
    /// The service exposes nothing of this name.
    #[must_use]
    pub fn unknown(service: &str, method: &str) -> Self {
        Failure(Fault::UnknownMethod { service: service.to_owned(), method: method.to_owned() })
    }
}

/// An element of the link-time collection of services.
#[doc(hidden)]
pub struct ServiceEntry {
    name: &'static str,
    make: MakeFn,
}

/// Calls a constructor by its name.
type MakeFn = fn(&str, Call<'_>) -> Result<Box<dyn Object>, Fault>;

impl ServiceEntry {
    /// The entry of `S`.
    #[must_use]
    pub const fn of<S: Service>() -> Self {
        ServiceEntry { name: S::NAME, make: make_of::<S> }
    }
}

impl fmt::Debug for ServiceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceEntry").field("name", &self.name).finish_non_exhaustive()
    }
}

inventory::collect!(ServiceEntry);

fn make_of<S: Service>(constructor: &str, call: Call<'_>) -> Result<Box<dyn Object>, Fault> {
    let service = S::make(constructor, call).map_err(|Failure(fault)| fault)?;
    Ok(Box::new(Hosted(service)))
}

/// Makes an object of the service of this name.
pub(crate) fn make(name: &str, constructor: &str, call: Call<'_>) -> Result<Box<dyn Object>, Fault> {
    let mut entries = inventory::iter::<ServiceEntry>().filter(|entry| entry.name == name);
    match (entries.next(), entries.next()) {
        (Some(entry), None) => (entry.make)(constructor, call),
        // With two of one name, nobody knows which is meant.
        _ => Err(Fault::UnknownService { service: name.to_owned() }),
    }
}

/// An object of a user's type.
struct Hosted<S>(S);

impl<S: Service> fmt::Debug for Hosted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hosted").field(&S::NAME).finish()
    }
}

impl<S: Service> Object for Hosted<S> {
    fn kind(&self) -> &str {
        S::NAME
    }

    fn call(&self, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        let (method, arguments): (&str, WireValue<'_>) = Visit::read(arguments)?;
        let call = Call::new(visit.hall(), &arguments);
        let Answer(answer) = self.0.call(method, call).map_err(|Failure(fault)| fault)?;
        visit.answer_encoded(&answer)
    }
}

/// Makes an object, for the proxy that the macro writes.
///
/// # Errors
///
/// Those of every call, and those of a constructor.
#[doc(hidden)]
pub fn make_object<P: Proxy>(
    manager: &Manager,
    service: &str,
    constructor: &str,
    arguments: &impl Serialize,
) -> Result<P, ManagerError> {
    let arguments = Leaving::new(manager.desk().link()?, "the arguments of a constructor", arguments)?;
    let make = Make::Service { service, constructor, arguments: arguments.wire() };
    let made = manager.desk().call_for_object(&DeskCall::Make(make));
    made.map(P::from_handle).map_err(|error| error.of_method(service, constructor))
}

/// Calls a method, for the proxy that the macro writes.
///
/// # Errors
///
/// Those of every call, and those of a method.
#[doc(hidden)]
pub fn call_method<P: Proxy, T: DeserializeOwned>(
    proxy: &P,
    method: &str,
    arguments: &impl Serialize,
) -> Result<T, ManagerError> {
    let handle = proxy.handle();
    let arguments = Leaving::new(handle.link()?, "the arguments of a method", arguments)?;
    let called = handle.call(&(method, arguments.wire()), |reply| reply.returned());
    called.map_err(|error| error.of_method(P::KIND, method))
}
