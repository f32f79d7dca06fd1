//! What users call: a proxy for each kind of object.

macro_rules! proxy {
    ($(#[$doc:meta])* $Name:ident $(<$($T:ident),+>)?, $KIND:ident) => {
        $(#[$doc])*
        pub struct $Name $(<$($T),+>)? {
            handle: $crate::manager::client::Handle,
            types: ::std::marker::PhantomData<fn() -> ($($($T,)+)?)>,
        }

        impl $(<$($T),+>)? $crate::manager::Proxy for $Name $(<$($T),+>)? {
            const KIND: &'static str = $crate::manager::objects::kind::$KIND;

            fn from_handle(handle: $crate::manager::client::Handle) -> Self {
                $Name { handle, types: ::std::marker::PhantomData }
            }

            fn handle(&self) -> &$crate::manager::client::Handle {
                &self.handle
            }
        }

        impl $(<$($T),+>)? Clone for $Name $(<$($T),+>)? {
            fn clone(&self) -> Self {
                $crate::manager::Proxy::from_handle(self.handle.clone())
            }
        }

        impl $(<$($T),+>)? PartialEq for $Name $(<$($T),+>)? {
            /// True if both are proxies of one object.
            fn eq(&self, other: &Self) -> bool {
                self.handle.is_same(&other.handle)
            }
        }

        impl $(<$($T),+>)? Eq for $Name $(<$($T),+>)? {}

        impl $(<$($T),+>)? ::std::fmt::Debug for $Name $(<$($T),+>)? {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($Name)).field("object", &self.handle.object()).finish_non_exhaustive()
            }
        }

        impl $(<$($T),+>)? ::serde::Serialize for $Name $(<$($T),+>)? {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.handle.serialize(serializer)
            }
        }

        impl<'de $($(, $T)+)?> ::serde::Deserialize<'de> for $Name $(<$($T),+>)? {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::manager::client::Handle::deserialize(deserializer).map($crate::manager::Proxy::from_handle)
            }
        }
    };
}

mod barrier;
mod condition;
mod counter;
mod dict;
mod event;
mod list;
mod lock;
mod namespace;
mod queue;
mod semaphore;
mod stored;

pub use barrier::Barrier;
pub use condition::{Condition, ConditionGuard};
pub use counter::Counter;
pub use dict::Dict;
pub use event::Event;
pub use list::List;
pub use lock::{Lock, LockGuard};
pub use namespace::Namespace;
pub use queue::Queue;
pub use semaphore::{Permit, Semaphore};
pub use stored::Stored;
