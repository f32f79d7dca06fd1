//! [`Dict`].

use std::borrow::Borrow;

use serde::Serialize;
use serde_bytes::Bytes;

use super::stored::{Stored, key as encoded};
use crate::manager::client::Reply;
use crate::manager::error::ManagerError;
use crate::manager::nested::Leaving;
use crate::manager::objects::dict::DictCall;

proxy! {
    /// Keys and values. [`Manager::dict`](crate::manager::Manager::dict) makes one.
    ///
    /// Clients read and write different keys at the same time. Every call is atomic, and those that read and write do so in one: nobody comes in
    /// between. A key may be borrowed: `&str` for `String`, if both have the same encoding, as they have.
    ///
    /// A proxy can be a value, or in one: then its object lives as long as that value is in the dictionary.
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_ipc::manager::{Dict, List, Manager};
    ///
    /// let manager = Manager::new()?;
    /// let stock: Dict<String, u32> = manager.dict()?;
    /// assert_eq!(stock.insert("nuts", &3)?, None);
    /// assert_eq!(stock.insert_if_absent("nuts", &100)?, Some(3));
    /// assert_eq!(stock.update("nuts", |count| count.map(|count| count + 1))?, Some(4));
    ///
    /// // One in the other.
    /// let shelves: Dict<u8, List<String>> = manager.dict()?;
    /// shelves.insert(&1, &manager.list()?)?;
    /// shelves.get(&1)?.expect("it was put there").push(&"nuts".to_owned())?;
    /// assert_eq!(shelves.get(&1)?.expect("it is there").len()?, 1);
    /// # Ok::<(), executor_ipc::manager::ManagerError>(())
    /// ```
    Dict<K, V>, DICT
}

impl<K: Stored, V: Stored> Dict<K, V> {
    /// The value of a key.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn get<Q: Serialize + ?Sized>(&self, key: &Q) -> Result<Option<V>, ManagerError>
    where
        K: Borrow<Q>,
    {
        self.handle.call(&DictCall::Get(Bytes::new(&encoded(key)?)), |reply| reply.value())
    }

    /// The values of many keys, in their order. The calls are on their way at the same time, so that it costs a fraction of as many calls of
    /// [`get`](Dict::get); each is atomic, and all of them together are not.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn get_many<'k, Q: Serialize + ?Sized + 'k>(
        &self,
        keys: impl IntoIterator<Item = &'k Q>,
    ) -> Result<Vec<Option<V>>, ManagerError>
    where
        K: Borrow<Q>,
    {
        let calls = keys.into_iter().map(|key| encoded(key).map(GetOne));
        self.handle.link()?.call_many(self.handle.object(), calls, |reply| reply.value())
    }

    /// Whether the key has a value.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn contains_key<Q: Serialize + ?Sized>(&self, key: &Q) -> Result<bool, ManagerError>
    where
        K: Borrow<Q>,
    {
        self.handle.ask(&DictCall::Contains(Bytes::new(&encoded(key)?)))
    }

    /// Gives the key a value, and returns the one before.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn insert<Q: Serialize + ?Sized>(&self, key: &Q, value: &V) -> Result<Option<V>, ManagerError>
    where
        K: Borrow<Q>,
    {
        let (key, value) = (encoded(key)?, self.encode(value)?);
        self.handle.call(&DictCall::Insert(Bytes::new(&key), value.wire()), |reply| reply.value())
    }

    /// Gives many keys values, in their order, as [`get_many`](Dict::get_many) reads them.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`]. Those before it, and up to a few thousand behind it, were inserted.
    pub fn insert_many(&self, entries: impl IntoIterator<Item = (K, V)>) -> Result<(), ManagerError> {
        let calls = entries.into_iter().map(|(key, value)| Ok(InsertOne(encoded(&key)?, self.encode(&value)?)));
        self.handle.link()?.call_many(self.handle.object(), calls, |_| Ok(())).map(drop)
    }

    /// Gives the key a value if it has none. Returns the value that it has already, and `None` if it has the new one.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn insert_if_absent<Q: Serialize + ?Sized>(&self, key: &Q, value: &V) -> Result<Option<V>, ManagerError>
    where
        K: Borrow<Q>,
    {
        let (key, value) = (encoded(key)?, self.encode(value)?);
        self.handle.call(&DictCall::InsertIfAbsent(Bytes::new(&key), value.wire()), |reply| reply.value())
    }

    /// The value of the key, which gets `value` first if it has none. As `entry(key).or_insert(value)` of a map.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn get_or_insert<Q: Serialize + ?Sized>(&self, key: &Q, value: V) -> Result<V, ManagerError>
    where
        K: Borrow<Q>,
    {
        Ok(self.insert_if_absent(key, &value)?.unwrap_or(value))
    }

    /// Takes the key out, and returns its value.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn remove<Q: Serialize + ?Sized>(&self, key: &Q) -> Result<Option<V>, ManagerError>
    where
        K: Borrow<Q>,
    {
        self.handle.call(&DictCall::Remove(Bytes::new(&encoded(key)?)), |reply| reply.value())
    }

    /// Gives the key the value `new` if it has `current`; `None` is no value. Otherwise returns the value that it has, as `Err`.
    ///
    /// Values are equal if their encodings are.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn compare_exchange<Q: Serialize + ?Sized>(
        &self,
        key: &Q,
        current: Option<&V>,
        new: Option<&V>,
    ) -> Result<Result<(), Option<V>>, ManagerError>
    where
        K: Borrow<Q>,
    {
        let key = encoded(key)?;
        let current = current.map(|current| self.encode(current)).transpose()?;
        let new = new.map(|new| self.encode(new)).transpose()?;
        let found = self.exchange(&key, current.as_ref().map(Leaving::bytes), new.as_ref(), |reply| reply.value())?;
        Ok(found.map_or(Ok(()), Err))
    }

    /// Gives the key the value that `change` makes of the one it has; `None` is no value. Returns the new one.
    ///
    /// `change` runs here, as often as others change the value meanwhile.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    ///
    /// # Panics
    ///
    /// As `change`.
    pub fn update<Q: Serialize + ?Sized>(
        &self,
        key: &Q,
        mut change: impl FnMut(Option<V>) -> Option<V>,
    ) -> Result<Option<V>, ManagerError>
    where
        K: Borrow<Q>,
    {
        // What is compared are the bytes that were read, so that it does not matter how the value is encoded again.
        let read = |mut reply: Reply<'_>| {
            let bytes: Option<&Bytes> = reply.read()?;
            let value = bytes.map(|bytes| reply.decode(bytes)).transpose()?;
            Ok((bytes.map(|bytes| bytes.to_vec()), value))
        };
        let key = encoded(key)?;
        let (mut bytes, mut value): (Option<Vec<u8>>, Option<V>) =
            self.handle.call(&DictCall::Get(Bytes::new(&key)), read)?;
        loop {
            let new = change(value);
            let leaving = new.as_ref().map(|new| self.encode(new)).transpose()?;
            match self.exchange(&key, bytes.as_deref().map(Bytes::new), leaving.as_ref(), read)? {
                None => return Ok(new),
                Some(found) => (bytes, value) = found,
            }
        }
    }

    /// How many keys have a value.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn len(&self) -> Result<usize, ManagerError> {
        self.handle.ask::<u64>(&DictCall::Len).map(|len| usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// Whether no key has a value.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn is_empty(&self) -> Result<bool, ManagerError> {
        self.len().map(|len| len == 0)
    }

    /// Takes all keys out that are there. One that is inserted meanwhile may stay.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn clear(&self) -> Result<(), ManagerError> {
        self.handle.ask(&DictCall::Clear)
    }

    /// All keys, in no order: a copy. What others change meanwhile is there as before or as after.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn keys(&self) -> Result<Vec<K>, ManagerError> {
        self.handle.call(&DictCall::Keys, |reply| reply.values())
    }

    /// All values, as [`keys`](Dict::keys).
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn values(&self) -> Result<Vec<V>, ManagerError> {
        self.handle.call(&DictCall::Values, |reply| reply.values())
    }

    /// All keys with their values, as [`keys`](Dict::keys).
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn entries(&self) -> Result<Vec<(K, V)>, ManagerError> {
        self.handle.call(&DictCall::Entries, |mut reply| {
            let (keys, values): (Vec<&Bytes>, Vec<&Bytes>) = (reply.read()?, reply.read()?);
            keys.iter().zip(values).map(|(key, value)| Ok((reply.decode(key)?, reply.decode(value)?))).collect()
        })
    }

    fn encode(&self, value: &V) -> Result<Leaving, ManagerError> {
        Leaving::value(self.handle.link()?, value)
    }

    /// `None` if the new value is there, and else what `read` makes of the one that is.
    fn exchange<R>(
        &self,
        key: &[u8],
        current: Option<&Bytes>,
        new: Option<&Leaving>,
        read: impl FnOnce(Reply<'_>) -> Result<R, ManagerError>,
    ) -> Result<Option<R>, ManagerError> {
        let call = DictCall::CompareExchange { key: Bytes::new(key), current, new: new.map(Leaving::wire) };
        self.handle.call(&call, |mut reply| match reply.read()? {
            true => Ok(None),
            false => read(reply).map(Some),
        })
    }
}

impl<K: Stored> Dict<K, i64> {
    /// Adds to the number of a key, which is 0 if it has none, and returns the one before.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NotANumber`] if the sum is out of range. The number stays then.
    pub fn fetch_add<Q: Serialize + ?Sized>(&self, key: &Q, more: i64) -> Result<i64, ManagerError>
    where
        K: Borrow<Q>,
    {
        self.handle.ask(&DictCall::FetchAdd(Bytes::new(&encoded(key)?), more))
    }
}

/// A call that owns what it sends, for those that are made while others are under way.
struct GetOne(Vec<u8>);

impl Serialize for GetOne {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DictCall::Get(Bytes::new(&self.0)).serialize(serializer)
    }
}

/// The same for a call that writes.
struct InsertOne(Vec<u8>, Leaving);

impl Serialize for InsertOne {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DictCall::Insert(Bytes::new(&self.0), self.1.wire()).serialize(serializer)
    }
}
