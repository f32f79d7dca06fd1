//! What goes in and what comes out: [`Feed`] and [`Collected`]. Neither ever blocks.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ChildStdin;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// How much is read at one go, in bytes: as much as a pipe can be set to hold without privileges. Then the others
/// have their turn.
const TURN_BYTES: u64 = 1 << 20;

/// The input of a program, and how much of it was written.
#[derive(Debug)]
pub(super) struct Feed {
    /// `None` once all of it was written, or the program reads no more.
    pipe: Option<ChildStdin>,
    bytes: Vec<u8>,
    written: usize,
}

impl Feed {
    pub(super) fn new(pipe: Option<ChildStdin>, bytes: Vec<u8>) -> io::Result<Feed> {
        pipe.as_ref().map_or(Ok(()), do_not_block)?;
        Ok(Feed { pipe, bytes, written: 0 })
    }

    /// What to wait for; `None` if there is nothing to do.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Writes what there is room for.
    pub(super) fn write(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.write(&self.bytes[self.written..]) {
            Ok(count) => self.written += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            // The program closed its input, which it is free to do.
            Err(_) => return self.close(),
        }
        if self.written == self.bytes.len() {
            self.close();
        }
    }

    /// Writes no more.
    pub(super) fn close(&mut self) {
        self.pipe = None;
        self.bytes = Vec::new();
    }
}

/// What became of a turn of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Something came, and more may be there.
    Read,
    /// Nothing more is there now.
    Empty,
    /// Nothing will come any more.
    Closed,
}

/// What a program has written to one of its outputs.
#[derive(Debug)]
pub(super) struct Collected<R> {
    /// `None` once nobody can write any more.
    source: Option<R>,
    bytes: Vec<u8>,
    bytes_max: usize,
    /// There was more than the bound, which was thrown away.
    too_long: bool,
}

impl<R: Read + AsFd> Collected<R> {
    pub(super) fn new(source: Option<R>, bytes_max: usize) -> io::Result<Collected<R>> {
        source.as_ref().map_or(Ok(()), do_not_block)?;
        Ok(Collected { source, bytes: Vec::new(), bytes_max, too_long: false })
    }

    /// What to wait for; `None` if nothing will come any more.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.source.as_ref().map(AsFd::as_fd)
    }

    /// True if the program has written more than it may.
    pub(super) fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// Reads some of what is there. Beyond the bound it is thrown away, so that the program can go on to its end.
    pub(super) fn read(&mut self) -> Turn {
        let Some(source) = &mut self.source else { return Turn::Closed };
        let before = self.bytes.len();
        let read = if self.too_long {
            io::copy(&mut source.take(TURN_BYTES), &mut io::sink())
        } else {
            // One byte more than there is room for tells that there is more.
            let room = (self.bytes_max - before) as u64;
            let turn = TURN_BYTES.min(room.saturating_add(1));
            source.take(turn).read_to_end(&mut self.bytes).map(|count| count as u64)
        };
        if self.bytes.len() > self.bytes_max {
            self.bytes.truncate(self.bytes_max);
            self.too_long = true;
        }
        match read {
            Ok(0) => {}
            Ok(_) => return Turn::Read,
            // What came before the pipe was empty is kept.
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Turn::Empty,
            Err(_) => {}
        }
        self.source = None;
        Turn::Closed
    }

    /// All of it, with what is in the pipe at this moment.
    pub(super) fn finish(mut self) -> (Vec<u8>, bool) {
        while !self.too_long && self.read() == Turn::Read {}
        (self.bytes, self.too_long)
    }
}

fn do_not_block(pipe: impl AsFd) -> io::Result<()> {
    fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use super::{Collected, Turn};

    #[test]
    fn a_bound_keeps_its_bytes_and_tells_of_more() {
        for (wrote, too_long) in [(4, false), (5, false), (6, true), (5000, true)] {
            let (reader, mut writer) = io::pipe().unwrap();
            writer.write_all(&vec![b'x'; wrote]).unwrap();
            let mut collected = Collected::new(Some(reader), 5).unwrap();
            while collected.read() == Turn::Read {}
            assert!(collected.fd().is_some(), "the writer is still there");
            assert_eq!(collected.is_too_long(), too_long, "{wrote}");
            writer.write_all(b"more").unwrap();
            drop(writer);
            let (bytes, too_long) = collected.finish();
            assert_eq!((bytes.len(), too_long), (5, wrote + 4 > 5), "{wrote}");
        }
    }

    #[test]
    fn the_end_is_told_from_a_pause() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut collected = Collected::new(Some(reader), usize::MAX).unwrap();
        assert_eq!(collected.read(), Turn::Empty);
        writer.write_all(b"x").unwrap();
        assert_eq!(collected.read(), Turn::Empty);
        drop(writer);
        assert_eq!(collected.read(), Turn::Closed);
        assert_eq!(collected.finish(), (b"x".to_vec(), false));
    }
}
