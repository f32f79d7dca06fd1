//! [`Namespace`].

use serde_bytes::Bytes;

use super::stored::{Stored, key as encoded};
use crate::manager::error::ManagerError;
use crate::manager::nested::Leaving;
use crate::manager::objects::dict::DictCall;

proxy! {
    /// Names, each with a value of a type of its own. [`Manager::namespace`](crate::manager::Manager::namespace) makes one.
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_ipc::manager::Manager;
    ///
    /// let manager = Manager::new()?;
    /// let config = manager.namespace()?;
    /// config.set("threads", &4_u32)?;
    /// config.set("title", &"a run".to_owned())?;
    /// assert_eq!(config.get::<u32>("threads")?, Some(4));
    /// assert_eq!(config.get::<String>("title")?, Some("a run".to_owned()));
    /// assert_eq!(config.get::<u32>("colour")?, None);
    /// # Ok::<(), executor_ipc::manager::ManagerError>(())
    /// ```
    Namespace, NAMESPACE
}

impl Namespace {
    /// The value of a name.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Decode`] if it is of another type, where that can be told from its bytes.
    pub fn get<T: Stored>(&self, name: &str) -> Result<Option<T>, ManagerError> {
        self.handle.call(&DictCall::Get(Bytes::new(&encoded(name)?)), |reply| reply.value())
    }

    /// Gives a name a value.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn set<T: Stored>(&self, name: &str, value: &T) -> Result<(), ManagerError> {
        let (name, value) = (encoded(name)?, Leaving::value(self.handle.link()?, value)?);
        self.handle.call(&DictCall::Insert(Bytes::new(&name), value.wire()), |_| Ok(()))
    }

    /// Gives a name a value, and returns the one before.
    ///
    /// # Errors
    ///
    /// As [`get`](Namespace::get). The name has the new value then.
    pub fn swap<T: Stored>(&self, name: &str, value: &T) -> Result<Option<T>, ManagerError> {
        let (name, value) = (encoded(name)?, Leaving::value(self.handle.link()?, value)?);
        self.handle.call(&DictCall::Insert(Bytes::new(&name), value.wire()), |reply| reply.value())
    }

    /// Gives a name the value `new` if it has `current`. Otherwise returns the value that it has, as `Err`.
    ///
    /// # Errors
    ///
    /// As [`get`](Namespace::get).
    pub fn compare_exchange<T: Stored>(
        &self,
        name: &str,
        current: Option<&T>,
        new: &T,
    ) -> Result<Result<(), Option<T>>, ManagerError> {
        let link = self.handle.link()?;
        let (name, new) = (encoded(name)?, Leaving::value(link, new)?);
        let current = current.map(|current| Leaving::value(link, current)).transpose()?;
        let current = current.as_ref().map(Leaving::bytes);
        let call = DictCall::CompareExchange { key: Bytes::new(&name), current, new: Some(new.wire()) };
        self.handle.call(&call, |mut reply| match reply.read()? {
            true => Ok(Ok(())),
            false => reply.value().map(Err),
        })
    }

    /// Adds to the `i64` of a name, which is 0 if it has none, and returns the one before.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NotANumber`] if the value is none, or the sum is out of range.
    pub fn fetch_add(&self, name: &str, more: i64) -> Result<i64, ManagerError> {
        self.handle.ask(&DictCall::FetchAdd(Bytes::new(&encoded(name)?), more))
    }

    /// Takes a name out. True if it had a value.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn remove(&self, name: &str) -> Result<bool, ManagerError> {
        self.handle.call(&DictCall::Remove(Bytes::new(&encoded(name)?)), |mut reply| {
            reply.read::<Option<&Bytes>>().map(|value| value.is_some())
        })
    }

    /// All names, in no order.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn names(&self) -> Result<Vec<String>, ManagerError> {
        self.handle.call(&DictCall::Keys, |reply| reply.values())
    }
}
