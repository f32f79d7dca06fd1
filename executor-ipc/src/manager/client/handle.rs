//! [`Handle`]: a proxy without types.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use super::link::{Link, Reach};
use super::reply::Reply;
use super::turn::Receipt;
use crate::manager::address::Address;
use crate::manager::desk::DESK;
use crate::manager::door::{self, Knock};
use crate::manager::error::ManagerError;
use crate::manager::server::Ref;
use crate::manager::stream::Stream;

/// An object of a server, as a process has it. The object lives at least as long, in all of its clones.
#[doc(hidden)]
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

struct Inner {
    object: u64,
    link: OnceLock<Arc<Link>>,
    keep: Keep,
    /// What refers to the object while a proxy is on its way to another process, and there. It is made with the first one that leaves.
    hold: OnceLock<Arc<OwnedFd>>,
}

/// What keeps the object alive.
enum Keep {
    /// A reference of the session, which is given back in the end.
    Counted,
    /// A reference of the server, which this process is.
    Inside { _reference: Ref },
    /// The hold with which it came.
    Held,
    /// It came from another machine, where its sender has it; and from the first use on, a reference of this session.
    Elsewhere { address: Address, retained: OnceLock<Handle> },
    /// It is always there.
    Always,
}

impl Handle {
    fn new(object: u64, link: Arc<Link>, keep: Keep) -> Handle {
        Handle(Arc::new(Inner { object, link: OnceLock::from(link), keep, hold: OnceLock::new() }))
    }

    /// An object with a reference that the session has for it.
    pub(super) fn counted(link: &Arc<Link>, object: u64) -> Handle {
        Handle::new(object, Arc::clone(link), Keep::Counted)
    }

    /// An object of the server that this process is, for one of its services.
    pub(crate) fn inside(link: &Arc<Link>, reference: Ref) -> Handle {
        Handle::new(reference.id(), Arc::clone(link), Keep::Inside { _reference: reference })
    }

    /// An object that came with a hold.
    pub(super) fn held(link: Arc<Link>, object: u64, hold: Arc<OwnedFd>) -> Handle {
        let handle = Handle::new(object, link, Keep::Held);
        // It was made here, so that it has none yet.
        let _ = handle.0.hold.set(hold);
        handle
    }

    /// An object that came from another machine.
    pub(super) fn elsewhere(address: Address, object: u64) -> Handle {
        let keep = Keep::Elsewhere { address, retained: OnceLock::new() };
        Handle(Arc::new(Inner { object, link: OnceLock::new(), keep, hold: OnceLock::new() }))
    }

    /// The desk, which is always there.
    pub(crate) fn always(link: Arc<Link>, object: u64) -> Handle {
        Handle::new(object, link, Keep::Always)
    }

    pub(crate) fn object(&self) -> u64 {
        self.0.object
    }

    /// The link to its server.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NotConnected`] if it came from another machine, and this process is not connected to its server; and what connects
    /// and retains it gives.
    pub(crate) fn link(&self) -> Result<&Arc<Link>, ManagerError> {
        if let Some(link) = self.0.link.get() {
            return Ok(link);
        }
        let Keep::Elsewhere { address, retained } = &self.0.keep else { unreachable!("every other handle has a link") };
        let not_connected = || ManagerError::NotConnected { address: address.to_string() };
        let link = Link::remote(address).ok_or_else(not_connected)?;
        if self.0.object != DESK {
            // Two threads may do so at once; one of the references goes again.
            let _ = retained.set(link.retain(self.0.object)?);
        }
        Ok(self.0.link.get_or_init(|| link))
    }

    /// Where its server is, if it is elsewhere.
    pub(super) fn address(&self) -> Option<Address> {
        if let Keep::Elsewhere { address, .. } = &self.0.keep {
            return Some(address.clone());
        }
        match self.0.link.get()?.reach() {
            Reach::Local { .. } | Reach::Inside { .. } => None,
            Reach::Remote { address, .. } => Some(address.clone()),
        }
    }

    /// Calls the object.
    pub(crate) fn call<R>(
        &self,
        call: &impl serde::Serialize,
        read: impl FnOnce(Reply<'_>) -> Result<R, ManagerError>,
    ) -> Result<R, ManagerError> {
        self.link()?.call(self.0.object, call, Receipt::None, read)
    }

    /// Calls the object for what the server takes back if it does not hear that it has come.
    pub(crate) fn take<R>(
        &self,
        call: &impl serde::Serialize,
        read: impl FnOnce(Reply<'_>) -> Result<R, ManagerError>,
    ) -> Result<R, ManagerError> {
        self.link()?.call(self.0.object, call, Receipt::Nod, read)
    }

    /// Calls the object, for an answer that the server encodes from a type of its own.
    pub(crate) fn ask<T: serde::de::DeserializeOwned>(&self, call: &impl serde::Serialize) -> Result<T, ManagerError> {
        self.call(call, |mut reply| reply.read())
    }

    /// Calls the object to give back what this process holds of it; later, if there is no connection for the call.
    pub(crate) fn give_back(&self, call: &impl serde::Serialize, hold: u64) {
        let given: Result<(), ManagerError> = self.ask(call);
        if given.is_err()
            && let Ok(link) = self.link()
            && link.is_of_this_process()
        {
            link.unhold(hold);
        }
    }

    /// Calls the object for another one.
    pub(crate) fn call_for_object(&self, call: &impl serde::Serialize) -> Result<Handle, ManagerError> {
        self.call(call, |reply| reply.object())
    }

    /// What refers to the object on its way to another process of this machine.
    pub(super) fn hold(&self, door: &OwnedFd) -> Result<&Arc<OwnedFd>, ManagerError> {
        if let Some(hold) = self.0.hold.get() {
            return Ok(hold);
        }
        let link = self.link()?;
        let (ours, theirs) = Stream::pair().map_err(|cause| ManagerError::Connect { address: None, cause })?;
        door::knock(door, &Knock::Hold(self.0.object), theirs.as_fd()).map_err(|cause| link.lost(cause))?;
        drop(theirs);
        match ours.receive(&mut [0]) {
            Ok(1..) => Ok(self.0.hold.get_or_init(|| Arc::new(ours.into_descriptor()))),
            Ok(0) => Err(ManagerError::ended(None)),
            Err(cause) => Err(ManagerError::Disconnected { address: None, cause }),
        }
    }

    /// True if both are the same object.
    pub(crate) fn is_same(&self, other: &Handle) -> bool {
        let (Some(ours), Some(theirs)) = (self.0.link.get(), other.0.link.get()) else {
            return Arc::ptr_eq(&self.0, &other.0);
        };
        self.0.object == other.0.object && ours.is_of_same_server(theirs)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let (Keep::Counted, Some(link)) = (&self.keep, self.link.get())
            && link.is_of_this_process()
        {
            link.release(self.object);
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.0.object).finish()
    }
}
