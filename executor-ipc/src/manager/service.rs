//! [`Service`]: types of the user's whose objects a server keeps.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::access::{Manager, Proxy};
use super::client::Handle;
use super::desk::{DeskCall, Make};
use super::error::ManagerError;
use super::nested;
use super::server::{Object, Visit, decode_arguments};
use super::wire::Fault;

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
/// Arguments and what is returned are serde in both directions. An argument may be a reference, `&str`, `&[T]` or `&T`. The type is
/// `Send + Sync`, because several clients call it at once: what changes is behind a lock or atomic. A panic is an error for its caller, and
/// the object stays as it leaves it. A method runs in the server, on the thread of the connection, and may wait; it goes on if its client dies.
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
    fn make(constructor: &str, arguments: Arguments<'_>) -> Result<Self, Failure>;

    /// Calls a method by its name.
    ///
    /// # Errors
    ///
    /// Why nothing was called.
    fn call(&self, method: &str, arguments: Arguments<'_>) -> Result<Answer, Failure>;
}

/// The arguments of a call.
#[doc(hidden)]
#[derive(Debug)]
pub struct Arguments<'a>(&'a [u8]);

impl Arguments<'_> {
    /// All of them, as a tuple.
    ///
    /// # Errors
    ///
    /// What the decoder said.
    pub fn decode<T: DeserializeOwned>(self) -> Result<T, Failure> {
        decode_arguments(self.0).map_err(Failure)
    }
}

/// What a method returned, encoded.
#[doc(hidden)]
#[derive(Debug)]
pub struct Answer(Vec<u8>);

impl Answer {
    /// Of what the method returned.
    ///
    /// # Errors
    ///
    /// What the encoder said.
    pub fn encode<T: Serialize>(returned: &T) -> Result<Self, Failure> {
        let encoded = postcard::to_stdvec(returned);
        encoded.map(Answer).map_err(|error| Failure(Fault::Answer { cause: error.to_string() }))
    }
}

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
type MakeFn = fn(&str, &[u8]) -> Result<Box<dyn Object>, Fault>;

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

fn make_of<S: Service>(constructor: &str, arguments: &[u8]) -> Result<Box<dyn Object>, Fault> {
    let service = S::make(constructor, Arguments(arguments)).map_err(|Failure(fault)| fault)?;
    Ok(Box::new(Hosted(service)))
}

/// Makes an object of the service of this name.
pub(crate) fn make(name: &str, constructor: &str, arguments: &[u8]) -> Result<Box<dyn Object>, Fault> {
    let mut entries = inventory::iter::<ServiceEntry>().filter(|entry| entry.name == name);
    match (entries.next(), entries.next()) {
        (Some(entry), None) => (entry.make)(constructor, arguments),
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
        let (method, arguments): (&str, &serde_bytes::Bytes) = Visit::read(arguments)?;
        let Answer(answer) = self.0.call(method, Arguments(arguments)).map_err(|Failure(fault)| fault)?;
        visit.answer_encoded(&answer);
        Ok(())
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
    let arguments = encode(arguments)?;
    let make = Make::Service { service, constructor, arguments: serde_bytes::Bytes::new(&arguments) };
    manager.desk().call_for_object(&DeskCall::Make(make)).map(P::from_handle)
}

/// Calls a method, for the proxy that the macro writes.
///
/// # Errors
///
/// Those of every call, and those of a method.
#[doc(hidden)]
pub fn call_method<T: DeserializeOwned>(
    handle: &Handle,
    method: &str,
    arguments: &impl Serialize,
) -> Result<T, ManagerError> {
    let arguments = encode(arguments)?;
    handle.call(&(method, serde_bytes::Bytes::new(&arguments)), |reply| reply.returned())
}

fn encode(arguments: &impl Serialize) -> Result<Vec<u8>, ManagerError> {
    nested::encode_plain("the arguments of a method", arguments)
}
