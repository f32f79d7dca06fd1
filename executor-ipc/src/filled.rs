//! [`Filled`]: an arena while it is in use in the process that made it.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use crate::arena::Arena;
use crate::hold::Hold;
use crate::pool;

/// An arena of which this process has the contents. With the drop it goes back to be filled again, once nobody else holds
/// it.
#[derive(Debug)]
pub(crate) struct Filled {
    /// It is there until the drop.
    arena: Option<Arena>,
    /// There is none until the contents are sent.
    hold: OnceLock<Hold>,
    /// False if nobody will fill it again.
    is_pooled: bool,
}

impl Filled {
    /// An arena with room for contents of `len` bytes; `None` if the system has none, or there are too many.
    pub(crate) fn new(len: usize) -> Option<Filled> {
        pool::take(len).map(|arena| Filled { arena: Some(arena), hold: OnceLock::new(), is_pooled: true })
    }

    /// An arena with room for contents of `len` bytes that have to be in one: where there are too many, one that is used once,
    /// which takes longer.
    ///
    /// # Errors
    ///
    /// If `len` is zero, and those of the system, when descriptors, addresses or memory have run out.
    pub(crate) fn required(len: usize) -> io::Result<Filled> {
        if let Some(filled) = Filled::new(len) {
            return Ok(filled);
        }
        let arena = Arena::new(NonZeroUsize::new(len).ok_or(io::ErrorKind::InvalidInput)?)?;
        Ok(Filled { arena: Some(arena), hold: OnceLock::new(), is_pooled: false })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.arena.as_ref().map_or(&[], |arena| &arena.bytes)
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.arena.as_mut().map_or(&mut [], |arena| &mut arena.bytes)
    }

    /// What is sent of it: the descriptor of the memory, and that of the hold.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors have run out.
    pub(crate) fn descriptors(&self) -> io::Result<[&Arc<OwnedFd>; 2]> {
        let file = self.arena.as_ref().map(Arena::file).ok_or(io::ErrorKind::NotFound)?;
        let hold = match self.hold.get() {
            Some(hold) => hold,
            None => {
                let new = Hold::new()?;
                self.hold.get_or_init(|| new)
            }
        };
        Ok([file, hold.write_end()])
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        if let Some(arena) = self.arena.take()
            && self.is_pooled
        {
            pool::give_back(arena, self.hold.take().map(Hold::into_watch));
        }
    }
}
