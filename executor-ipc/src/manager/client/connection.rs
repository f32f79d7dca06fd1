//! [`Connection`]: one socket to a server.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use crate::manager::error::ManagerError;
use crate::manager::stream::Stream;
use crate::manager::wire::{Hello, Incoming, Welcome, put_frame};

/// What a welcome may have: a refusal in words that are known.
const WELCOME_BYTES_MAX: u64 = 4 << 10;

#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    pub(super) incoming: Incoming,
    /// What is to be sent. Empty between two calls.
    pub(super) outgoing: Vec<u8>,
    /// Something is under way on it, or went wrong: nobody can use it any more.
    pub(super) is_broken: bool,
    /// Of the server, if it is elsewhere.
    address: Option<String>,
    /// One for each connection that its link has.
    _counted: Arc<()>,
}

/// Memory for what is sent that is kept between two calls.
const KEPT_BYTES_MAX: usize = 64 << 10;

impl Connection {
    /// Introduces itself to a server, which is at `address` and answers until `deadline`, if it is elsewhere.
    pub(super) fn greet(
        stream: Stream,
        hello: &Hello,
        address: Option<String>,
        deadline: Option<Instant>,
        counted: Arc<()>,
    ) -> Result<(Connection, Welcome), ManagerError> {
        let (incoming, outgoing) = (Incoming::new(WELCOME_BYTES_MAX), Vec::new());
        let mut connection = Connection { stream, incoming, outgoing, is_broken: false, address, _counted: counted };
        put_frame(&mut connection.outgoing, hello).map_err(ManagerError::encode("a greeting"))?;
        // Where the server sends one away at once, what it said can be read, though nothing can be sent.
        let sent = connection.send();
        let received = connection.receive_until(deadline);
        let frame = received.map_err(|error| sent.err().unwrap_or(error))?;
        let welcome = postcard::from_bytes(connection.incoming.bytes(frame))
            .map_err(|_| ManagerError::Protocol { what: "what answered is no manager's server" })?;
        if let Welcome::Joined { .. } = welcome {
            // A server answers only what it was asked, and may answer with all it has.
            connection.incoming.set_frame_bytes_max(u64::MAX);
        }
        Ok((connection, welcome))
    }

    /// Sends what waits.
    pub(super) fn send(&mut self) -> Result<(), ManagerError> {
        let sent = self.stream.send_all(&self.outgoing);
        self.forget_outgoing();
        sent.map_err(|cause| self.broke(cause))
    }

    /// Waits for the next frame.
    pub(super) fn receive(&mut self) -> Result<Range<usize>, ManagerError> {
        self.receive_until(None)
    }

    fn receive_until(&mut self, deadline: Option<Instant>) -> Result<Range<usize>, ManagerError> {
        loop {
            if let Some(frame) = self.next_frame()? {
                return Ok(frame);
            }
            if deadline.is_some() {
                let unheard = |cause| ManagerError::Connect { address: self.address.clone(), cause };
                self.stream.wait_readable(deadline).map_err(unheard)?;
            }
            let stream = &self.stream;
            let filled = self.incoming.fill(|room| stream.receive(room));
            self.note(filled)?;
        }
    }

    /// Sends what waits, and takes in what comes meanwhile, so that two sides that both have much to send do not wait for one another.
    pub(super) fn send_and_take_in(&mut self) -> Result<(), ManagerError> {
        let mut sent = 0;
        while sent < self.outgoing.len() {
            match self.stream.send_now(&self.outgoing[sent..]) {
                Ok(more) => {
                    sent += more;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(cause) => return Err(self.broke(cause)),
            }
            self.stream.wait_either().map_err(|cause| self.broke(cause))?;
            let stream = &self.stream;
            match self.incoming.fill(|room| stream.receive_now(room)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                filled => self.note(filled)?,
            }
        }
        self.forget_outgoing();
        Ok(())
    }

    pub(super) fn next_frame(&mut self) -> Result<Option<Range<usize>>, ManagerError> {
        self.incoming.next_frame().map_err(|_| {
            self.is_broken = true;
            ManagerError::Protocol { what: "an answer that is longer than any can be" }
        })
    }

    fn note(&mut self, filled: io::Result<usize>) -> Result<(), ManagerError> {
        match filled {
            Ok(1..) => Ok(()),
            Ok(0) => {
                self.is_broken = true;
                Err(ManagerError::ended(self.address.clone()))
            }
            Err(cause) => Err(self.broke(cause)),
        }
    }

    fn broke(&mut self, cause: io::Error) -> ManagerError {
        self.is_broken = true;
        ManagerError::Disconnected { address: self.address.clone(), cause }
    }

    fn forget_outgoing(&mut self) {
        self.outgoing.clear();
        self.outgoing.shrink_to(KEPT_BYTES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::manager::wire::VERSION;

    /// One that has proved that it has the key, and says no more, or half of a welcome.
    #[test]
    fn a_server_that_does_not_greet_is_given_up() {
        for said in [&[][..], &[200, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]] {
            let (ours, theirs) = Stream::pair().unwrap();
            theirs.send_all(said).unwrap();
            let hello = Hello { version: VERSION, session: None };
            let deadline = Some(Instant::now() + Duration::from_millis(20));
            let greeted = Connection::greet(ours, &hello, Some("there".into()), deadline, Arc::default());
            let error = greeted.map(drop).unwrap_err();
            assert!(matches!(&error, ManagerError::Connect { address: Some(_), .. }), "{error:?}");
            assert!(error.to_string().contains("at there: the peer said nothing for too long"), "{error}");
        }
    }
}
