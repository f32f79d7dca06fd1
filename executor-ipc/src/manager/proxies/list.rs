//! [`List`].

use super::stored::Stored;
use crate::manager::client::Reply;
use crate::manager::error::ManagerError;
use crate::manager::nested::Leaving;
use crate::manager::objects::list::ListCall;

proxy! {
    /// Values in a row. [`Manager::list`](crate::manager::Manager::list) makes one.
    ///
    /// Every call is atomic. A proxy can be a value, or in one: then its object lives as long as that value is in the list.
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_ipc::manager::{List, Manager};
    ///
    /// let manager = Manager::new()?;
    /// let lines: List<String> = manager.list()?;
    /// assert_eq!(lines.push(&"one".to_owned())?, 1);
    /// assert_eq!(lines.push(&"two".to_owned())?, 2);
    /// assert_eq!(lines.set(0, &"first".to_owned())?, "one");
    /// assert_eq!(lines.to_vec()?, ["first", "two"]);
    /// # Ok::<(), executor_ipc::manager::ManagerError>(())
    /// ```
    List<T>, LIST
}

impl<T: Stored> List<T> {
    /// Adds a value at the end, and returns how many there are then.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn push(&self, value: &T) -> Result<usize, ManagerError> {
        self.count(&ListCall::Push(self.encode(value)?.wire()))
    }

    /// Adds a value at the beginning, and returns how many there are then.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn push_front(&self, value: &T) -> Result<usize, ManagerError> {
        self.count(&ListCall::PushFront(self.encode(value)?.wire()))
    }

    /// Adds values at the end, all at once, and returns how many there are then.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn extend<'v>(&self, values: impl IntoIterator<Item = &'v T>) -> Result<usize, ManagerError>
    where
        T: 'v,
    {
        let values = values.into_iter().map(|value| self.encode(value)).collect::<Result<Vec<_>, _>>()?;
        self.count(&ListCall::Extend(values.iter().map(Leaving::wire).collect()))
    }

    /// Takes the last value out.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn pop(&self) -> Result<Option<T>, ManagerError> {
        self.handle.call(&ListCall::Pop, |reply| reply.value())
    }

    /// Takes the first value out.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn pop_front(&self) -> Result<Option<T>, ManagerError> {
        self.handle.call(&ListCall::PopFront, |reply| reply.value())
    }

    /// The value at a place.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn get(&self, index: usize) -> Result<Option<T>, ManagerError> {
        self.handle.call(&ListCall::Get(index as u64), |reply| reply.value())
    }

    /// The values at many places, in their order. The calls are on their way at the same time, so that it costs a fraction of as many calls of
    /// [`get`](List::get); each is atomic, and all of them together are not.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn get_many(&self, indices: impl IntoIterator<Item = usize>) -> Result<Vec<Option<T>>, ManagerError> {
        let calls = indices.into_iter().map(|index| Ok(ListCall::Get(index as u64)));
        self.handle.link()?.call_many(self.handle.object(), calls, |reply| reply.value())
    }

    /// Replaces the value at a place, and returns the one before.
    ///
    /// # Errors
    ///
    /// [`ManagerError::OutOfRange`] if there is none.
    pub fn set(&self, index: usize, value: &T) -> Result<T, ManagerError> {
        self.handle.call(&ListCall::Set(index as u64, self.encode(value)?.wire()), there)
    }

    /// Adds a value before the one at a place, or at the end, and returns how many there are then.
    ///
    /// # Errors
    ///
    /// [`ManagerError::OutOfRange`] if the place is behind the end.
    pub fn insert(&self, index: usize, value: &T) -> Result<usize, ManagerError> {
        self.count(&ListCall::Insert(index as u64, self.encode(value)?.wire()))
    }

    /// Takes out the value at a place.
    ///
    /// # Errors
    ///
    /// [`ManagerError::OutOfRange`] if there is none.
    pub fn remove(&self, index: usize) -> Result<T, ManagerError> {
        self.handle.call(&ListCall::Remove(index as u64), there)
    }

    /// Replaces the value at a place by `new` if it is `current`. Otherwise returns the value that is there, as `Err`. Values are equal if
    /// their encodings are.
    ///
    /// # Errors
    ///
    /// [`ManagerError::OutOfRange`] if there is none.
    pub fn compare_exchange(&self, index: usize, current: &T, new: &T) -> Result<Result<(), T>, ManagerError> {
        let (current, new) = (self.encode(current)?, self.encode(new)?);
        let call = ListCall::CompareExchange { index: index as u64, current: current.bytes(), new: new.wire() };
        self.handle.call(&call, |mut reply| match reply.read()? {
            true => Ok(Ok(())),
            false => there(reply).map(Err),
        })
    }

    /// How many values there are.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn len(&self) -> Result<usize, ManagerError> {
        self.count(&ListCall::Len)
    }

    /// Whether there is no value.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn is_empty(&self) -> Result<bool, ManagerError> {
        self.len().map(|len| len == 0)
    }

    /// Takes all values out, at once.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn clear(&self) -> Result<(), ManagerError> {
        self.handle.ask(&ListCall::Clear)
    }

    /// All values, as they were at one moment.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn to_vec(&self) -> Result<Vec<T>, ManagerError> {
        self.handle.call(&ListCall::All, |reply| reply.values())
    }

    fn encode(&self, value: &T) -> Result<Leaving, ManagerError> {
        Leaving::value(self.handle.link()?, value)
    }

    fn count(&self, call: &ListCall<'_>) -> Result<usize, ManagerError> {
        self.handle.ask::<u64>(call).map(|count| usize::try_from(count).unwrap_or(usize::MAX))
    }
}

/// A value that must be there.
fn there<T: Stored>(reply: Reply<'_>) -> Result<T, ManagerError> {
    reply.value()?.ok_or(ManagerError::Protocol { what: "an answer without a value" })
}
