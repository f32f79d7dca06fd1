//! [`Turn`]: the use of a connection.

use std::rc::Rc;
use std::sync::Arc;

use super::connection::Connection;
use super::handle::Handle;
use super::link::Link;
use super::reply::Reply;
use crate::encode::encode_behind;
use crate::manager::error::ManagerError;
use crate::manager::nested::Arrived;
use crate::manager::wire::{Answered, CALL, FAULT, LENGTH_BYTES, NOD, begin_frame, end_frame, read_answer};

/// Whether a server hears that its answer has come, as soon as it is here and before anybody looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receipt {
    None,
    /// It does, because it takes back what was not received.
    Nod,
}

/// The use of a connection for one call, or for some that follow one another. The connection goes back when nothing is under way on it.
pub(super) struct Turn<'a> {
    link: &'a Arc<Link>,
    /// `None` only while it is dropped.
    connection: Option<Connection>,
    /// Calls that were not answered yet.
    pub(super) open: usize,
}

impl<'a> Turn<'a> {
    pub(super) fn new(link: &'a Arc<Link>) -> Result<Self, ManagerError> {
        Ok(Turn { link, connection: Some(link.connection()?), open: 0 })
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it is there until this is dropped")
    }

    /// Writes a call behind what is to be sent.
    pub(super) fn push(&mut self, object: u64, call: &impl serde::Serialize) -> Result<(), ManagerError> {
        let bytes_max = self.link.message_bytes_max();
        let outgoing = &mut self.connection().outgoing;
        let begin = begin_frame(outgoing, CALL);
        outgoing.extend_from_slice(&object.to_le_bytes());
        let put = encode_behind(outgoing, call).map_err(ManagerError::encode("a call"));
        let put = put.and_then(|()| match (outgoing.len() - begin - LENGTH_BYTES) as u64 {
            bytes if bytes > bytes_max => Err(ManagerError::TooLarge { bytes, bytes_max }),
            _ => Ok(()),
        });
        match put {
            Ok(()) => {
                end_frame(outgoing, begin);
                self.open += 1;
            }
            Err(_) => outgoing.truncate(begin),
        }
        put
    }

    /// True if an answer can be read without a wait.
    pub(super) fn has_answer(&mut self) -> bool {
        self.open > 0 && self.connection().incoming.has_frame()
    }

    /// Waits for the next answer, and has `read` look at it.
    pub(super) fn read<R>(
        &mut self,
        receipt: Receipt,
        read: impl FnOnce(Reply<'_>) -> Result<R, ManagerError>,
    ) -> Result<R, ManagerError> {
        let link = self.link;
        let frame = self.connection().receive()?;
        self.open -= 1;
        let connection = self.connection.as_mut().expect("it is there until this is dropped");
        if receipt == Receipt::Nod && connection.incoming.bytes(frame.clone()).first() != Some(&FAULT) {
            let begin = begin_frame(&mut connection.outgoing, NOD);
            end_frame(&mut connection.outgoing, begin);
            connection.send()?;
        }
        match read_answer(connection.incoming.bytes(frame)) {
            Some(Answered::Done { answer, references }) => {
                let handles = references.into_iter().map(|object| (object, Handle::counted(link, object))).collect();
                read(Reply { answer, arrived: Rc::new(Arrived { link: Arc::clone(link), handles }) })
            }
            Some(Answered::Fault(fault)) => Err(fault.into()),
            None => {
                connection.is_broken = true;
                Err(ManagerError::Protocol { what: "an answer that is none" })
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.open > 0 && !self.connection().is_broken {
            // The calls come from a user's iterator, which panicked. What is under way is ended, so that the session, which may have no other
            // connection, goes on.
            let _ = self.connection().send_and_take_in();
            while self.open > 0 && !self.connection().is_broken {
                let _ = self.read(Receipt::None, |_| Ok(()));
            }
        }
        if let Some(mut connection) = self.connection.take() {
            connection.is_broken |= self.open > 0;
            connection.outgoing.clear();
            self.link.give_back(connection);
        }
    }
}
