//! [`FdQueue`]: descriptors that came over a socket before somebody asked for them.
//!
//! A socket delivers bytes and descriptors in one order, but it cuts the bytes where it likes. What it promises (`unix(7)`)
//! is that descriptors come with the first byte of the write that they were sent with, and that one read brings the
//! descriptors of one write at most. So a frame says how many go with an item, the writer sends those of one item with one
//! write, and here they wait in order until their item is looked at.
//!
//! A plain read would drop them in silence. Only the rest of a large piece is read so, to which none belong.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use executor_ipc::attach::{ATTACHMENTS_MAX, Attachments};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};

use crate::wire::FrameError;
use crate::wire::error::malformed;
use crate::wire::incoming::{Filled, Incoming, Then};

/// The descriptors that were read, those of one write together.
#[derive(Debug, Default)]
pub(crate) struct FdQueue {
    arrived: VecDeque<Vec<OwnedFd>>,
}

impl FdQueue {
    /// [Fills](Incoming::fill) from this socket, whose descriptors come in here.
    ///
    /// # Errors
    ///
    /// As [`Incoming::fill`].
    pub(crate) fn fill(
        &mut self,
        incoming: &mut Incoming,
        socket: &UnixStream,
        bytes_max: usize,
    ) -> io::Result<Filled> {
        if incoming.is_inside_large() {
            // No descriptors go with what is left of a large piece, and so it is read at the speed of memory.
            incoming.fill(&mut &*socket, bytes_max)
        } else {
            let before = self.arrived.len();
            let mut filled = incoming.fill(&mut self.reader(socket), bytes_max)?;
            if filled.then == Then::Nothing && self.arrived.len() > before {
                // A read that brings descriptors ends with the write that they came with, whatever is behind it.
                filled.then = Then::More;
            }
            Ok(filled)
        }
    }

    /// A source of bytes over this socket, whose descriptors come in here.
    fn reader<S: AsFd>(&mut self, socket: S) -> FdReader<'_, S> {
        FdReader { socket, queue: self }
    }

    /// Those of the item of which a piece says how many it has. There are fewer if this process has no room for more
    /// descriptors.
    ///
    /// # Errors
    ///
    /// If the piece says nothing, or none came at all.
    pub(crate) fn of_piece(&mut self, piece: &[u8]) -> Result<Attachments, FrameError> {
        let Some(count) = piece.first().filter(|&&count| piece.len() == 1 && count > 0) else {
            return malformed("a number of descriptors is not one byte, or none");
        };
        self.take((*count).into()).map_or_else(|| malformed("it came without its descriptors"), Ok)
    }

    /// Those of the next item that has any, which has `count`; `None` if none came.
    fn take(&mut self, count: usize) -> Option<Attachments> {
        let arrived = self.arrived.pop_front()?;
        Some(arrived.into_iter().take(count).collect())
    }
}

/// Reads bytes, and puts the descriptors that come with them aside.
#[derive(Debug)]
pub(crate) struct FdReader<'a, S> {
    socket: S,
    queue: &'a mut FdQueue,
}

impl<S: AsFd> Read for FdReader<'_, S> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(ATTACHMENTS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(room)];
        let received = recvmsg(&self.socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let mut arrived = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                arrived.extend(descriptors);
            }
        }
        // What was cut off has its place in the order too.
        if !arrived.is_empty() || received.flags.contains(ReturnFlags::CTRUNC) {
            self.queue.arrived.push_back(arrived);
        }
        Ok(received.bytes)
    }
}

#[cfg(all(test, not(executor_loom)))]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::wire::head::HEAD_BYTES;
    use crate::wire::order::{Orders, put_run, run_bytes};
    use crate::wire::outgoing::{Bytes, Outgoing};
    use crate::wire::{Item, Order, Place};

    fn pipes(count: usize) -> Attachments {
        (0..count).map(|_| OwnedFd::from(io::pipe().expect("there is room for a pipe").0)).collect()
    }

    /// Reads all that is there, in portions.
    fn read_all(queue: &mut FdQueue, socket: &UnixStream, portion: usize) -> Vec<u8> {
        socket.set_nonblocking(true).expect("a socket need not block");
        let (mut bytes, mut room) = (Vec::new(), vec![0; portion]);
        loop {
            match queue.reader(socket).read(&mut room) {
                Ok(read) => bytes.extend_from_slice(&room[..read]),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    return bytes;
                }
            }
        }
    }

    #[test]
    fn descriptors_come_in_their_order_however_the_bytes_are_cut() {
        for portion in [1, 2, 3, 7, 64, 4096] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let mut outgoing = Outgoing::default();
            let mut expected = Vec::new();
            for count in [1, 0, 3, 0, 0, 2, ATTACHMENTS_MAX] {
                if count > 0 {
                    outgoing.attach(&pipes(count));
                }
                outgoing.buffer().extend_from_slice(format!("<{count}>").as_bytes());
                expected.extend_from_slice(format!("<{count}>").as_bytes());
            }
            let _ = outgoing.write_to(ours.as_fd()).unwrap();
            assert!(outgoing.is_empty());
            let mut queue = FdQueue::default();
            assert_eq!(read_all(&mut queue, &theirs, portion), expected);
            for count in [1, 3, 2, ATTACHMENTS_MAX] {
                let arrived = queue.take(count).unwrap();
                assert_eq!(arrived.len(), count);
                for descriptor in arrived.iter() {
                    let flags = nix::fcntl::fcntl(descriptor, nix::fcntl::FcntlArg::F_GETFD).unwrap();
                    assert_ne!(flags & nix::fcntl::FdFlag::FD_CLOEXEC.bits(), 0, "{}", descriptor.as_raw_fd());
                }
            }
            assert!(queue.take(1).is_none());
        }
    }

    #[test]
    fn descriptors_go_with_their_byte_and_not_with_a_body_before_it() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut outgoing = Outgoing::default();
        outgoing.put_piece(0, vec![1; 40_000].into());
        outgoing.attach(&pipes(2));
        outgoing.put_piece(0, vec![2; 40_000].into());
        outgoing.attach(&pipes(1));
        outgoing.buffer().push(9);
        let expected = outgoing.to_bytes();
        let _ = outgoing.write_to(ours.as_fd()).unwrap();
        let mut queue = FdQueue::default();
        let mut first = vec![0; 40_003];
        queue.reader(&theirs).read_exact(&mut first).unwrap();
        assert!(queue.take(1).is_none());
        let rest = read_all(&mut queue, &theirs, 100_000);
        assert!([first, rest].concat() == expected);
        assert_eq!([queue.take(2), queue.take(1)].map(|arrived| arrived.unwrap().len()), [2, 1]);
    }

    #[test]
    fn an_item_whose_descriptors_did_not_come_is_refused() {
        let (attachments, place) = (pipes(2), Place { slot: 0, sequence: 1 });
        let items = [Item { argument: Bytes::from(&b"x"[..]), options: None, attachments: Some(&attachments) }];
        let (_, body_bytes) = run_bytes(&items, 1 << 20).unwrap();
        let mut outgoing = Outgoing::default();
        put_run(&mut outgoing, place, 0, &items, body_bytes);
        let bytes = outgoing.to_bytes();
        assert_eq!(bytes.len() as u64, HEAD_BYTES as u64 + body_bytes);
        let mut orders = Orders::new(1 << 20);
        orders.incoming.fill(&mut &bytes[..], usize::MAX).unwrap();
        let refused = orders.next().unwrap_err();
        assert!(refused.to_string().contains("without its descriptors"), "{refused}");
        // If some of them were cut off, only the item suffers.
        let mut orders = Orders::new(1 << 20);
        orders.descriptors.arrived.push_back(Vec::new());
        orders.incoming.fill(&mut &bytes[..], usize::MAX).unwrap();
        let Some(Order::Item(item)) = orders.next().unwrap() else { unreachable!("it is an item") };
        assert!(item.attachments.is_some_and(|came| came.is_empty()) && &*item.argument == b"x");
    }

    #[test]
    fn what_is_never_sent_or_never_read_is_closed() {
        let (mut reader, writer) = io::pipe().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let attachments: Attachments = [OwnedFd::from(writer)].into_iter().collect();
        let mut outgoing = Outgoing::default();
        for _ in 0..3 {
            outgoing.attach(&attachments);
            outgoing.buffer().push(1);
        }
        drop(attachments);
        let _ = outgoing.write_to(ours.as_fd()).unwrap();
        outgoing.attach(&pipes(1));
        let mut queue = FdQueue::default();
        queue.reader(&theirs).read_exact(&mut [0; 2]).unwrap();
        drop((queue, theirs, ours));
        outgoing.clear();
        // No copy of the write end is open any more.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }
}
