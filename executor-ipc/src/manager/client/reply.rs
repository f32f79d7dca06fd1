//! [`Reply`]: the answer to a call.

use std::rc::Rc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_bytes::Bytes;

use super::handle::Handle;
use crate::manager::depth;
use crate::manager::error::ManagerError;
use crate::manager::nested::{self, Arrived};

/// What came back, and the objects that it names, each with a reference of this process.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(super) answer: &'a [u8],
    pub(super) arrived: Rc<Arrived>,
}

impl<'a> Reply<'a> {
    /// The answer, of a type that the server has too.
    pub(crate) fn read<T: Deserialize<'a>>(&mut self) -> Result<T, ManagerError> {
        let (read, rest) = postcard::take_from_bytes(self.answer).map_err(ManagerError::decode("an answer"))?;
        self.answer = rest;
        Ok(read)
    }

    /// What a method returned.
    pub(crate) fn returned<T: DeserializeOwned>(self) -> Result<T, ManagerError> {
        self.take("what a method returned", self.answer)
    }

    /// A value that somebody stored, or none.
    pub(crate) fn value<V: DeserializeOwned>(mut self) -> Result<Option<V>, ManagerError> {
        let bytes: Option<&Bytes> = self.read()?;
        bytes.map(|bytes| self.decode(bytes)).transpose()
    }

    /// Many of them.
    pub(crate) fn values<V: DeserializeOwned>(mut self) -> Result<Vec<V>, ManagerError> {
        let values: Vec<&Bytes> = self.read()?;
        values.into_iter().map(|bytes| self.decode(bytes)).collect()
    }

    /// The object that was asked for.
    pub(super) fn object(self) -> Result<Handle, ManagerError> {
        self.arrived
            .handles
            .values()
            .next()
            .cloned()
            .ok_or(ManagerError::Protocol { what: "an answer without the object" })
    }

    /// Decodes a value, which may name objects of the server.
    pub(crate) fn decode<V: DeserializeOwned>(&self, bytes: &[u8]) -> Result<V, ManagerError> {
        self.take("a value", bytes)
    }

    fn take<V: DeserializeOwned>(&self, what: &'static str, bytes: &[u8]) -> Result<V, ManagerError> {
        let decoded = nested::decode(&self.arrived, || depth::take_from_bytes(bytes));
        decoded.map(|(value, _)| value).map_err(ManagerError::undecoded(what))
    }
}
