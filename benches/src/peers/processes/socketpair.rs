//! The floor of everything that crosses a socket: bare bytes between two processes, with no pool around them.

use std::cell::OnceCell;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use super::{Payload, Processes, Start, Trips, check_pattern, median_ms, pattern};
use crate::helper::{Helper, receive_new};
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::{Open, Peer};

/// One helper for each worker, which adds 1 to each number that it gets.
pub(crate) const PEER: Peer = Peer {
    name: "socketpair",
    package: "benches",
    how: "the floor: numbers of 16 bytes, 512 in a write, two writes ahead of each of the workers; start is posix_spawn",
    open: Open::Processes(|workers| Ok(Box::new(Socketpair::new(workers)))),
};

/// The bytes of a message: what it is about, and a number.
const MESSAGE_BYTES: usize = 16;

/// How many messages go in one write.
const MESSAGES_PER_WRITE: usize = 512;

/// How many writes each worker has in hand.
const WRITES_AHEAD: u64 = 2;

/// The helpers, which are started when they are first needed.
pub(crate) struct Socketpair {
    workers: usize,
    helpers: OnceCell<Vec<Helper>>,
}

impl Socketpair {
    pub(crate) fn new(workers: usize) -> Self {
        Socketpair { workers, helpers: OnceCell::new() }
    }

    fn helpers(&self) -> Outcome<&[Helper]> {
        if self.helpers.get().is_none() {
            let helpers = (0..self.workers).map(|_| Helper::start(&["echo"])).collect::<Outcome<Vec<_>>>()?;
            self.helpers.get_or_init(|| helpers);
        }
        Ok(self.helpers.get().expect("it was set just now"))
    }
}

impl Processes for Socketpair {
    fn submit(&self, jobs: u64) -> Outcome<u64> {
        let helpers = self.helpers()?;
        let mut buffer = vec![0; MESSAGE_BYTES * MESSAGES_PER_WRITE];
        let writes = jobs.div_ceil(MESSAGES_PER_WRITE as u64);
        // The messages of a write, of which the last may have fewer.
        let numbers = |write: u64| {
            let first = write * MESSAGES_PER_WRITE as u64;
            first..jobs.min(first + MESSAGES_PER_WRITE as u64)
        };
        let ahead = WRITES_AHEAD * helpers.len() as u64;
        let mut sum = 0;
        for write in 0..writes + ahead {
            let helper = &helpers[(write % helpers.len() as u64) as usize];
            if let Some(back) = write.checked_sub(ahead) {
                let bytes = &mut buffer[..numbers(back).count() * MESSAGE_BYTES];
                helper.receive(bytes)?;
                sum += bytes.chunks_exact(MESSAGE_BYTES).map(number_of).sum::<u64>();
            }
            if write < writes {
                let mut length = 0;
                for n in numbers(write) {
                    put(&mut buffer[length..length + MESSAGE_BYTES], n);
                    length += MESSAGE_BYTES;
                }
                helper.send(&buffer[..length])?;
            }
        }
        Ok(sum)
    }

    fn map(&self, items: u64) -> Outcome<u64> {
        self.submit(items)
    }

    fn round_trips(&self, count: u64) -> Outcome<Trips> {
        let helper = &self.helpers()?[0];
        let mut message = [0; MESSAGE_BYTES];
        Trips::measure(count, |n| {
            put(&mut message, n);
            helper.send(&message)?;
            helper.receive(&mut message)?;
            Ok(number_of(&message))
        })
    }

    fn gets(&self, count: u64) -> Outcome<Trips> {
        self.round_trips(count)
    }

    fn gets_at_once(&self, count: u64) -> Outcome<u64> {
        self.submit(count)
    }

    fn start(&self, times: usize) -> Outcome<Start> {
        let first_ms = median_ms(times, || {
            let helper = Helper::start(&["echo"])?;
            let mut message = [0; MESSAGE_BYTES];
            helper.send(&message)?;
            helper.receive(&mut message)?;
            check_sum(number_of(&message), 1)?;
            Ok(helper)
        })?;
        Ok(Start { first_ms, further_ms: None, idle_kib: None })
    }

    fn payload(&self, bytes: usize, times: usize) -> Outcome<Payload> {
        let sent = pattern(bytes);
        let length = bytes.to_string();

        let helper = Helper::start(&["payload", &length])?;
        let fresh = || {
            helper.send(&sent)?;
            helper.receive_new(bytes)
        };
        check_pattern(&fresh()?, bytes)?;
        let fresh_ms = median_ms(times, fresh)?;

        let helper = Helper::start(&["payload-kept", &length])?;
        let mut kept = vec![0; bytes];
        let mut back = || {
            helper.send(&sent)?;
            helper.receive(&mut kept)
        };
        back()?;
        let kept_ms = median_ms(times, back)?;
        check_pattern(&kept, bytes)?;
        Ok(Payload { fresh_ms: Some(fresh_ms), kept_ms: Some(kept_ms) })
    }
}

/// In the helper: answers what is there with each read, until the socket is closed.
pub(crate) fn echo(mut socket: &UnixStream) -> io::Result<()> {
    let mut buffer = vec![0; 2 * MESSAGE_BYTES * MESSAGES_PER_WRITE];
    let mut length = 0;
    loop {
        match socket.read(&mut buffer[length..])? {
            0 => return Ok(()),
            read => length += read,
        }
        let whole = length - length % MESSAGE_BYTES;
        for message in buffer[..whole].chunks_exact_mut(MESSAGE_BYTES) {
            put(message, kernel::inc(number_of(message)));
        }
        socket.write_all(&buffer[..whole])?;
        buffer.copy_within(whole..length, 0);
        length -= whole;
    }
}

/// In the helper: takes `length` bytes into new memory and sends them back, until the socket is closed.
pub(crate) fn payload(mut socket: &UnixStream, length: usize) -> io::Result<()> {
    loop {
        match receive_new(socket, length) {
            Ok(bytes) => socket.write_all(&bytes)?,
            Err(_) => return Ok(()),
        }
    }
}

/// In the helper: the same with memory that is kept.
pub(crate) fn payload_kept(mut socket: &UnixStream, length: usize) -> io::Result<()> {
    let mut bytes = vec![0; length];
    while socket.read_exact(&mut bytes).is_ok() {
        socket.write_all(&bytes)?;
    }
    Ok(())
}

fn put(message: &mut [u8], number: u64) {
    message[8..].copy_from_slice(&number.to_ne_bytes());
}

fn number_of(message: &[u8]) -> u64 {
    let bytes = message[8..].try_into().expect("a message has 16 bytes");
    u64::from_ne_bytes(bytes)
}
