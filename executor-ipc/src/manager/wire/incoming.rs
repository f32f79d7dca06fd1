//! [`Incoming`]: bytes that arrive, cut into frames.

use std::io;
use std::ops::Range;

use super::LENGTH_BYTES;

/// Room for what one read brings: as much as many small frames need, and little for a client that has few.
const ROOM_BYTES: usize = 16 << 10;

/// Room that is given back once a large frame was read.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// A buffer of what has come in.
///
/// It takes memory for what has come, and not for what a frame claims: at most twice that, and the room for one read.
#[derive(Debug)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
    frame_bytes_max: u64,
}

impl Incoming {
    pub(crate) fn new(frame_bytes_max: u64) -> Incoming {
        Incoming { bytes: vec![0; ROOM_BYTES], begin: 0, end: 0, frame_bytes_max }
    }

    /// What a frame may have from now on.
    pub(crate) fn set_frame_bytes_max(&mut self, frame_bytes_max: u64) {
        self.frame_bytes_max = frame_bytes_max;
    }

    /// The next whole frame, as a range for [`bytes`](Incoming::bytes), which is good until the next fill; `None` if more has to come.
    ///
    /// # Errors
    ///
    /// The length of a frame that is longer than allowed. There is no way on from it.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Range<usize>>, u64> {
        let Some(length) = self.bytes[self.begin..self.end].first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = u64::from_le_bytes(*length);
        if length > self.frame_bytes_max {
            return Err(length);
        }
        let begin = self.begin + LENGTH_BYTES;
        match usize::try_from(length).ok().and_then(|length| begin.checked_add(length)) {
            Some(end) if end <= self.end => {
                self.begin = end;
                Ok(Some(begin..end))
            }
            Some(_) => Ok(None),
            None => Err(length),
        }
    }

    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// True if a whole frame is here, or one that is too long.
    pub(crate) fn has_frame(&self) -> bool {
        let here = &self.bytes[self.begin..self.end];
        here.first_chunk::<LENGTH_BYTES>().is_some_and(|length| {
            let length = u64::from_le_bytes(*length);
            length > self.frame_bytes_max || length <= (here.len() - LENGTH_BYTES) as u64
        })
    }

    /// True if no part of a frame is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.begin == self.end
    }

    /// Takes in what one call of `read` gives. Zero bytes are the end.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub(crate) fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        if self.is_empty() {
            (self.begin, self.end) = (0, 0);
            if self.bytes.len() > KEPT_BYTES_MAX {
                self.bytes = vec![0; ROOM_BYTES];
            }
        }
        if self.end == self.bytes.len() {
            if self.begin > self.bytes.len() / 2 {
                self.bytes.copy_within(self.begin..self.end, 0);
                (self.begin, self.end) = (0, self.end - self.begin);
            } else {
                self.bytes.resize(2 * self.bytes.len(), 0);
            }
        }
        let filled = read(&mut self.bytes[self.end..])?;
        self.end += filled.min(self.bytes.len() - self.end);
        Ok(filled)
    }

    /// How much memory there is for what comes.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn reserved_bytes(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(incoming: &mut Incoming, mut bytes: &[u8], portion: usize) -> Result<Vec<Vec<u8>>, u64> {
        let mut frames = Vec::new();
        loop {
            while let Some(range) = incoming.next_frame()? {
                frames.push(incoming.bytes(range).to_vec());
            }
            let read = |room: &mut [u8]| {
                let length = portion.min(room.len()).min(bytes.len());
                room[..length].copy_from_slice(&bytes[..length]);
                bytes = &bytes[length..];
                Ok(length)
            };
            if incoming.fill(read).unwrap() == 0 {
                return Ok(frames);
            }
        }
    }

    fn frame(length: usize) -> Vec<u8> {
        let mut bytes = (length as u64).to_le_bytes().to_vec();
        bytes.extend((0..length).map(|place| place as u8));
        bytes
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let lengths = [0, 1, 100, 5000, 0, 300_000, 3, 2_000_000, 7];
        let bytes: Vec<u8> = lengths.into_iter().flat_map(frame).collect();
        for portion in [1000, 4096, 70_000, usize::MAX] {
            let mut incoming = Incoming::new(1 << 30);
            let frames = feed(&mut incoming, &bytes, portion).unwrap();
            assert_eq!(frames.iter().map(Vec::len).collect::<Vec<_>>(), lengths);
            assert!(frames.iter().all(|body| frame(body.len())[LENGTH_BYTES..] == body[..]));
            assert!(incoming.is_empty() && incoming.reserved_bytes() <= KEPT_BYTES_MAX.max(ROOM_BYTES));
        }
        assert_eq!(feed(&mut Incoming::new(10), &frame(10), 1).unwrap().len(), 1);
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_by_its_length() {
        assert_eq!(feed(&mut Incoming::new(10), &frame(11), 8), Err(11));
        assert_eq!(feed(&mut Incoming::new(u64::MAX), &[0xff; 8], 8), Err(u64::MAX));
    }

    #[test]
    fn what_is_only_claimed_takes_no_memory() {
        let mut incoming = Incoming::new(1 << 40);
        let mut bytes = (1_u64 << 39).to_le_bytes().to_vec();
        bytes.resize(1000, 0);
        assert_eq!(feed(&mut incoming, &bytes, 100), Ok(Vec::new()));
        assert_eq!(incoming.reserved_bytes(), ROOM_BYTES);
    }
}
