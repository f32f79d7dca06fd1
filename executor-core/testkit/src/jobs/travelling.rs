//! Jobs whose arguments or outputs do not survive the way to another process.

use executor_core::job;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::panics::ON_PURPOSE;

/// Where a [`Faulty`] value fails, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Nowhere.
    None,
    /// Its `Serialize` returns an error.
    EncodeError,
    /// Its `Serialize` panics.
    EncodePanic,
    /// Its `Deserialize` returns an error.
    DecodeError,
    /// Its `Deserialize` panics.
    DecodePanic,
}

/// A value that fails on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faulty(pub Fault);

impl Serialize for Faulty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Fault::EncodeError => Err(S::Error::custom(format!("it refuses to be encoded, {ON_PURPOSE}"))),
            Fault::EncodePanic => panic!("it panics when it is encoded, {ON_PURPOSE}"),
            fault => fault.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Faulty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Fault::deserialize(deserializer)? {
            Fault::DecodeError => Err(D::Error::custom(format!("it refuses to be decoded, {ON_PURPOSE}"))),
            Fault::DecodePanic => panic!("it panics when it is decoded, {ON_PURPOSE}"),
            fault => Ok(Faulty(fault)),
        }
    }
}

/// Takes a value that may fail on its way in, and tells whether it arrived as the one that fails nowhere.
#[job]
pub fn take_badly(value: Faulty) -> bool {
    value.0 == Fault::None
}

/// Returns a value that may fail on its way out.
#[job]
pub fn return_badly(fault: Fault) -> Faulty {
    Faulty(fault)
}

/// Takes and returns a value that may fail either way.
#[job]
pub fn arrive_badly(value: Faulty) -> Faulty {
    value
}
