//! [`Incoming`]: bytes that were read, cut into heads and pieces.
//!
//! It does no more than cut: what a piece means is for those who ask. Small pieces are lent from the buffer. A large one
//! is read straight into memory of its own, which its receiver gets, so that its bytes are copied once, by the kernel.
//!
//! Nothing is allocated for a length that somebody merely claims, beyond [`STEP_BYTES`]: a piece has so much reserved
//! at first, and then each time as much as has arrived. The buffer never grows.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;

use crate::wire::FrameError;
use crate::wire::head::{HEAD_BYTES, Head};
use crate::wire::piece::{Prefix, prefix};
use crate::wire::region::prefer_huge_pages;

/// The bytes of an argument or an output, as they came in.
pub(crate) type Payload<'a> = Cow<'a, [u8]>;

/// How much is read at once, at most: more than a socket holds at the default of Linux, 208 KiB. What is longer than a
/// piece of the buffer is read around it.
const BUFFER_BYTES: usize = 256 << 10;

/// From this length on a piece has memory of its own. A shorter one fits the buffer with everything before it.
pub(crate) const LARGE_BYTES: usize = 64 << 10;

/// How much is reserved for a large piece before its bytes arrive. Up to this length the claim is believed, since memory
/// that nobody writes to costs no more than its addresses; each further step doubles what has arrived.
pub(crate) const STEP_BYTES: usize = 64 << 20;

const _: () = assert!(BUFFER_BYTES >= LARGE_BYTES + HEAD_BYTES + 16);

/// What comes next in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A frame begins. If its body is empty, it ends here too.
    Head(Head),
    /// A piece of its body, whose bytes [`Incoming::piece`] gives.
    Piece {
        /// The three bits of its prefix.
        kind: u8,
        /// True if it ends the frame.
        last: bool,
    },
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filled {
    /// How many bytes came.
    pub(crate) bytes: usize,
    /// What is to be expected of the next read.
    pub(crate) then: Then,
}

/// What is to be expected of a further read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Perhaps more.
    More,
    /// Nothing at this moment.
    Nothing,
    /// Nothing any more.
    End,
}

#[derive(Debug)]
enum State {
    /// Between two frames.
    Between,
    /// In the body of a frame, of which so much is left.
    Inside { left: u64 },
    /// In a piece with memory of its own. `left` is what is behind it.
    Large { left: u64, kind: u8, body: Vec<u8>, bytes: usize },
    /// Behind bytes that are no frame.
    Failed(FrameError),
}

/// Where the piece that was found last is.
#[derive(Debug)]
enum Found {
    Nothing,
    InBuffer(Range<usize>),
    Own(Vec<u8>),
}

/// The reading end of a lane, without the socket.
#[derive(Debug)]
pub(crate) struct Incoming {
    buffer: Box<[u8]>,
    /// What of the buffer was read and not yet looked at.
    unread: Range<usize>,
    frame_bytes_max: u64,
    state: State,
    found: Found,
}

impl Incoming {
    /// Refuses frames whose body is longer than `frame_bytes_max`.
    pub(crate) fn new(frame_bytes_max: u64) -> Self {
        Incoming {
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            unread: 0..0,
            frame_bytes_max,
            state: State::Between,
            found: Found::Nothing,
        }
    }

    pub(crate) fn set_frame_bytes_max(&mut self, frame_bytes_max: u64) {
        self.frame_bytes_max = frame_bytes_max;
    }

    /// True if the last frame is not complete: at the end of the bytes, it was cut.
    #[cfg(all(test, not(executor_loom)))]
    pub(crate) fn is_inside(&self) -> bool {
        !matches!(self.state, State::Between) || !self.unread.is_empty()
    }

    /// True if the next read is of the rest of a large piece, and of no byte behind it.
    pub(crate) fn is_inside_large(&self) -> bool {
        matches!(self.state, State::Large { .. })
    }

    /// How much is reserved for a large piece.
    #[cfg(all(any(test, feature = "fuzzing"), not(executor_loom)))]
    pub(crate) fn reserved_bytes(&self) -> usize {
        match &self.state {
            State::Large { body, .. } => body.capacity(),
            _ => 0,
        }
    }

    /// Reads once, or, inside a large piece, until that is complete, no more comes, or `bytes_max` have come. To be called
    /// when [`next`](Incoming::next) has nothing.
    ///
    /// # Errors
    ///
    /// Those of the source, except that it would block, and that somebody interrupted it. [`ErrorKind::OutOfMemory`] if there is
    /// no memory for a large piece.
    pub(crate) fn fill(&mut self, source: &mut impl Read, bytes_max: usize) -> io::Result<Filled> {
        self.found = Found::Nothing;
        match &mut self.state {
            State::Large { body, bytes, .. } => fill_large(source, body, *bytes, bytes_max),
            _ => self.fill_buffer(source, bytes_max),
        }
    }

    fn fill_buffer(&mut self, source: &mut impl Read, bytes_max: usize) -> io::Result<Filled> {
        if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.buffer.len() - self.unread.start < LARGE_BYTES + HEAD_BYTES + 16 {
            // What is left would not fit behind what is there: it goes to the front. It is shorter than a large piece.
            self.buffer.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        let room = &mut self.buffer[self.unread.end..];
        let room_bytes = room.len().min(bytes_max.max(1));
        let room = &mut room[..room_bytes];
        if room.is_empty() {
            // Whole pieces wait to be looked at, and an empty read would look like the end.
            return Ok(Filled { bytes: 0, then: Then::More });
        }
        loop {
            match source.read(room) {
                Ok(0) => return Ok(Filled { bytes: 0, then: Then::End }),
                Ok(bytes) => {
                    self.unread.end += bytes;
                    let then = if bytes < room_bytes { Then::Nothing } else { Then::More };
                    return Ok(Filled { bytes, then });
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Filled { bytes: 0, then: Then::Nothing });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What comes next; `None` if it has not been read yet. After an error there is nothing but that error.
    ///
    /// # Errors
    ///
    /// If the bytes are no frame, or one that is too long.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Part>, FrameError> {
        self.found = Found::Nothing;
        let step = self.step();
        if let Err(error) = step {
            self.fail(error);
        }
        step
    }

    #[inline]
    fn step(&mut self) -> Result<Option<Part>, FrameError> {
        match &mut self.state {
            State::Between => self.step_head(),
            State::Inside { left } => {
                let left = *left;
                self.step_piece(left)
            }
            State::Large { left, kind, body, bytes } => {
                if body.len() < *bytes {
                    return Ok(None);
                }
                let part = Part::Piece { kind: *kind, last: *left == 0 };
                self.found = Found::Own(std::mem::take(body));
                self.state = State::behind(*left);
                Ok(Some(part))
            }
            State::Failed(error) => Err(*error),
        }
    }

    #[inline]
    fn step_head(&mut self) -> Result<Option<Part>, FrameError> {
        let Some(bytes) = self.buffer[self.unread.clone()].first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        let head = Head::from_bytes(bytes)?;
        if head.body_bytes > self.frame_bytes_max {
            return Err(FrameError::TooLong { bytes: head.body_bytes, limit: self.frame_bytes_max });
        }
        self.unread.start += HEAD_BYTES;
        self.state = State::behind(head.body_bytes);
        Ok(Some(Part::Head(head)))
    }

    #[inline]
    fn step_piece(&mut self, left: u64) -> Result<Option<Part>, FrameError> {
        let unread = &self.buffer[self.unread.clone()];
        let inside = usize::try_from(left).map_or(unread.len(), |left| left.min(unread.len()));
        let Some(prefix) = prefix(&unread[..inside])? else {
            return match inside as u64 == left {
                true => Err(FrameError::Malformed { what: "it ends inside the prefix of a piece" }),
                false => Ok(None),
            };
        };
        // Neither subtraction wraps: the prefix was found in what is left.
        let left = left - prefix.own_bytes as u64;
        if prefix.bytes > left {
            return Err(FrameError::Malformed { what: "a piece is longer than its frame" });
        }
        let left = left - prefix.bytes;
        let start = self.unread.start + prefix.own_bytes;
        if prefix.bytes >= LARGE_BYTES as u64 {
            return self.begin_large(prefix, left, start);
        }
        let bytes = prefix.bytes as usize;
        if self.unread.end - start < bytes {
            return Ok(None);
        }
        self.unread.start = start + bytes;
        self.found = Found::InBuffer(start..start + bytes);
        self.state = State::behind(left);
        Ok(Some(Part::Piece { kind: prefix.kind, last: left == 0 }))
    }

    /// Gives a large piece memory of its own, with what the buffer has of it from `start` on.
    fn begin_large(&mut self, prefix: Prefix, left: u64, start: usize) -> Result<Option<Part>, FrameError> {
        let no_memory = FrameError::OutOfMemory { bytes: prefix.bytes };
        let bytes = usize::try_from(prefix.bytes).map_err(|_| no_memory)?;
        let mut body = Vec::new();
        body.try_reserve_exact(bytes.min(STEP_BYTES)).map_err(|_| no_memory)?;
        prefer_huge_pages(&mut body);
        let here = bytes.min(self.unread.end - start);
        body.extend_from_slice(&self.buffer[start..start + here]);
        self.unread.start = start + here;
        self.state = State::Large { left, kind: prefix.kind, body, bytes };
        self.step()
    }

    /// Takes the pieces of one kind that come next, if they are small and here as a whole: up to `most` of them at once, at a
    /// part of what [`next`](Incoming::next) costs for each. [`piece`](Incoming::piece) gives them all with their prefixes,
    /// and `parts` says where in it the bytes of each are. True if the last of them ends the frame; `None` if there is none, of
    /// which `next` knows more.
    #[inline]
    pub(crate) fn next_row(&mut self, kind: u8, most: u16, parts: &mut Vec<Range<u32>>) -> Option<bool> {
        parts.clear();
        let State::Inside { left } = self.state else { return None };
        let unread = &self.buffer[self.unread.clone()];
        // A length that does not fit is longer than the buffer.
        let inside = &unread[..usize::try_from(left).map_or(unread.len(), |left| left.min(unread.len()))];
        let mut end = 0;
        while parts.len() < usize::from(most) {
            let Ok(Some(found)) = prefix(&inside[end..]) else { break };
            let begin = end + found.own_bytes;
            let fits = found.bytes < LARGE_BYTES as u64 && found.bytes <= (inside.len() - begin) as u64;
            if found.kind != kind || !fits {
                break;
            }
            end = begin + found.bytes as usize;
            // The buffer is far shorter than 4 GiB.
            parts.push(begin as u32..end as u32);
        }
        if parts.is_empty() {
            return None;
        }
        let start = self.unread.start;
        self.unread.start += end;
        self.found = Found::InBuffer(start..start + end);
        let left = left - end as u64;
        self.state = State::behind(left);
        Some(left == 0)
    }

    /// Ends the reading, because of what the pieces say.
    pub(crate) fn fail(&mut self, error: FrameError) {
        self.found = Found::Nothing;
        self.state = State::Failed(error);
    }

    /// The bytes of the piece that [`next`](Incoming::next) has just found. They can be taken once.
    #[inline]
    pub(crate) fn piece(&mut self) -> Payload<'_> {
        match std::mem::replace(&mut self.found, Found::Nothing) {
            Found::InBuffer(place) => Cow::Borrowed(&self.buffer[place]),
            Found::Own(body) => Cow::Owned(body),
            Found::Nothing => Cow::Borrowed(&[]),
        }
    }
}

impl State {
    fn behind(left: u64) -> Self {
        if left == 0 { State::Between } else { State::Inside { left } }
    }
}

/// Reads into the body of a large piece, of which `bytes` are to come in all.
fn fill_large(source: &mut impl Read, body: &mut Vec<u8>, bytes: usize, bytes_max: usize) -> io::Result<Filled> {
    let before = body.len();
    if before == body.capacity() {
        body.try_reserve_exact((bytes - before).min(before.max(STEP_BYTES))).map_err(|_| ErrorKind::OutOfMemory)?;
        prefer_huge_pages(body);
    }
    let wanted = (body.capacity().min(bytes) - before).min(bytes_max.max(1));
    // The read goes into what is reserved, without writing zeros there first.
    let read = source.take(wanted as u64).read_to_end(body);
    let arrived = body.len() - before;
    let then = match read {
        Ok(_) if arrived == wanted => Then::More,
        Ok(_) => Then::End,
        Err(error) if error.kind() == ErrorKind::WouldBlock => Then::Nothing,
        // What came before the error is kept; the next read finds the error again.
        Err(_) if arrived > 0 => Then::More,
        Err(error) => return Err(error),
    };
    Ok(Filled { bytes: arrived, then })
}
