//! How a [`Handle`] is encoded.
//!
//! * Inside a value for its own server, or from it to its client: by its number.
//! * To another process of this machine: with the clients' end of the door, and a hold, beside the bytes.
//! * To another machine: with the address of the server. The key does not travel.

use std::fmt::Display;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::handle::Handle;
use super::link::{Link, Reach};
use crate::attach;
use crate::manager::address::Address;
use crate::manager::desk::DESK;
use crate::manager::nested;

#[derive(Serialize, Deserialize)]
enum Travelling {
    Nested { object: u64 },
    Local { server: u128, object: u64, door: u32, hold: Option<u32> },
    Remote { address: Address, object: u64 },
}

impl Handle {
    fn leave(&self) -> Result<Travelling, String> {
        let object = self.object();
        let text = |error: &dyn Display| error.to_string();
        if nested::is_leaving() {
            let is_named = nested::name(self.link(), object);
            return is_named.then_some(Travelling::Nested { object }).ok_or_else(|| "it cannot be part of this".into());
        }
        if let Some(address) = self.address() {
            return Ok(Travelling::Remote { address, object });
        }
        let link = self.link().map_err(|error| text(&error))?;
        let Reach::Local { server, door } = link.reach() else {
            return Err(
                "a service of a manager can put a proxy into values of its own manager, and return it, but not \
                        send it elsewhere; publish the object under a name"
                    .into(),
            );
        };
        if !attach::can_attach(2) {
            return Err("a manager's proxy can go only where descriptors travel, such as in an argument to a worker \
                        process, or into a container of its own manager; elsewhere, publish the object under a name"
                .into());
        }
        let attached = |descriptor| attach::attach(descriptor).ok_or("the message has no room for more descriptors");
        let hold = if object == DESK {
            None
        } else {
            let hold = self.hold(door).map_err(|error| text(&error))?;
            Some(attached(hold).map_err(|why| text(&why))?)
        };
        let door = attached(door).map_err(|why| text(&why))?;
        Ok(Travelling::Local { server: *server, object, door, hold })
    }

    fn arrive(travelling: Travelling) -> Result<Handle, String> {
        match travelling {
            Travelling::Nested { object } => nested::named(object).ok_or_else(|| {
                "it is part of a value of a manager, and can be decoded only where that was read".into()
            }),
            Travelling::Local { server, object, door, hold } => {
                let link = Link::local(server, attach::attached(door)?);
                match hold {
                    Some(hold) => Ok(Handle::held(link, object, attach::attached(hold)?)),
                    None if object == DESK => Ok(Handle::always(link, object)),
                    None => Err("it came without what keeps its object".into()),
                }
            }
            Travelling::Remote { address, object } => Ok(Handle::elsewhere(address, object)),
        }
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.leave().map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let travelling = Travelling::deserialize(deserializer)?;
        Handle::arrive(travelling)
            .map_err(|why| D::Error::custom(format_args!("a manager's proxy cannot be taken in: {why}")))
    }
}
