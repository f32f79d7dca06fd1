//! [`Page`]: what the owner and one worker share without a message.
//!
//! A frame of jobs that was sent lies in a socket, where nobody can take it back. So the frame only says what the jobs
//! are; which of them may begin is decided here, in one word per frame. The owner takes jobs back from a worker that is
//! busy by changing that word, and a worker begins none without asking it.
//!
//! # The words
//!
//! | word | written by | says |
//! |---|---|---|
//! | status | worker | the item that runs, or the last that ended ([`Activity`]) |
//! | since | worker | when the item in the status began, if somebody wants to know |
//! | stop | owner | the item that was asked to stop |
//! | sparing | owner | 1 while it has little room for descriptors, so that outputs had better be plain bytes |
//! | slot, [`SLOTS`] times | both | of frame `sequence`, `begun` items have begun, and those below `limit` may ([`SlotWord`]) |
//!
//! # States of a slot
//!
//! ```text
//!            post             begin, begin, …                 the worker's last look
//!   free ───────────► 0 of n ────────────────► n of n ─────────────────────► passed ──► free
//!                       │                        ▲
//!                       │ withdraw_tail          │ begin, …
//!                       └────────────► k of m ───┘     (k begun, limit lowered from n to m, k ≤ m)
//! ```
//!
//! `begun` only grows and `limit` only shrinks, and never do they cross. So each item ends in one of two ways: it is
//! begun, once, or it is withdrawn, by one caller. An item that is neither may still become either.
//!
//! # The owner, step by step
//!
//! 1. `post`: stores (sequence, 0, n) into a free slot, then sends the frame.
//! 2. `withdraw_tail(from..n)`, from any thread, any number of times: lowers the limit to `from`, or to what has begun if
//!    that is more, and gets the items between the new limit and the old. They never begin: a cancel of them is
//!    the truth, and they may go to another worker. Whoever wants one item out of the middle takes the tail from there
//!    and posts the rest anew.
//! 3. Until an item is known to have begun, the owner keeps its bytes.
//! 4. When the worker reports the frame as passed, the slot is free.
//!
//! # The worker, step by step
//!
//! It takes the frames in the order in which they were posted, and the items of each in order. For item `i`:
//!
//! 1. *claim*: begun from `i` to `i + 1`, if the sequence is that of the frame and `i` is below the limit. If not, no
//!    item of the frame will begin any more, and the worker has passed it.
//! 2. *enter*: status is Running(i). Only then does any code of the job run.
//! 3. The job is decoded, run, and its output encoded.
//! 4. *leave*: status is Ended(i). Only then is the outcome handed to the socket.
//!
//! After the last item, or after the claim that failed, it reports the frame as *passed*, in one flag, with the last
//! outcomes or alone. Every frame is reported so exactly once, also one of which every item was withdrawn. After that the
//! worker does not look at its word again. The owner learns from this report, and from nothing else, that the slot is free.
//!
//! # Races that were feared
//!
//! * *Claim against withdrawal.* Both swap the same word, from a value that each has seen whole. One wins; the loser sees
//!   the new counts and finds its item gone, or begun.
//! * *A late withdrawal against the next frame in the slot.* A caller that was slow holds a place with the old sequence.
//!   The word has another, and the swap, which compares the whole word, fails.
//! * *A late worker against the next frame.* There is none, since the slot is free only after the worker's last look;
//!   and if there were one, it names the sequence too.
//! * *Stop against the next item.* The word of the stop names the item, so that another is not meant.
//! * *Death at any point.* The memory of a dead process is what its instructions wrote in their order, up to one of them.
//!   The table says what it holds then, of the frame and of the item `i` at which the worker was:
//!
//! | died after | begun | status | item `i` is |
//! |---|---|---|---|
//! | the report before | `i` | ended, or of a frame before | not begun; the owner may still withdraw it |
//! | claim | `i + 1` | the same | *claimed*: none of its code has run, so it may run elsewhere |
//! | enter, or in the job | `i + 1` | Running(i) | *blamed* |
//! | leave | `i + 1` | Ended(i) | *lost*: it ended, and its outcome went with the worker |
//! | the outcome is in the journal, or sent | `i + 1` | Ended(i) | *told*: the owner finds it |
//!
//!   A worker runs one item at a time, and there is one status, so at most one item is blamed, and none is blamed
//!   that had not been entered. The one error is on the cautious side: a worker that is killed from outside between the
//!   end of a job and `leave` has that job blamed though it had ended. It would have been lost in any case.
//!   See [`Verdict`] for how it is read.
//!
//! # What happens before what
//!
//! * `post` happens before the worker's claims, and what the owner did before it: release and acquire on the word, beside
//!   the socket, which orders them too.
//! * What a worker did before a claim is seen by whoever sees the item begun.
//! * *enter* comes before the job's code and *leave* after it. A compiler could move the job's own reads and writes
//!   across a store of ours, so a compiler fence stands on both sides. The machine may order them as it likes: a process
//!   that dies does so between two instructions, and those before are complete.
//! * After the death was seen (end of the socket, or the exit status) every write of the worker is seen.

use std::ops::Range;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::wire::region::{PAGE_WORDS, Region};
use crate::wire::word::{Activity, SLOT_BITS, SlotWord};
use crate::wire::{Place, Verdict};

// What the worker writes, what the owner writes, and the slots keep to cache lines of their own, of eight words each.
#[cfg(not(executor_loom))]
const LAYOUT: [usize; 5] = [0, 1, 8, 9, 16];
#[cfg(executor_loom)]
const LAYOUT: [usize; 5] = [0, 1, 2, 3, 4];

const STATUS: usize = LAYOUT[0];
const SINCE: usize = LAYOUT[1];
const STOP: usize = LAYOUT[2];
const SPARING: usize = LAYOUT[3];
const FIRST_SLOT: usize = LAYOUT[4];

/// How many frames of a lane may be open at once: what is left of the page. A window of 512 jobs in flight was the widest
/// that gained anything, and frames hold many.
pub(crate) const SLOTS: u16 = (PAGE_WORDS - FIRST_SLOT) as u16;
const _: () = assert!(SLOTS < 1 << SLOT_BITS, "a slot fits the status word");

/// Asks whatever item runs, and every later one, to stop.
const STOP_ALL: u64 = u64::MAX;

/// How far a frame has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// How many of its items have begun.
    pub(crate) begun: u16,
    /// The items from here on were withdrawn.
    pub(crate) limit: u16,
}

/// The shared page of a lane, seen from either side.
#[derive(Debug)]
pub(crate) struct Page {
    region: Region,
}

impl Page {
    /// A page over a region, which the owner has just made, or which the worker has just mapped.
    pub(crate) fn new(region: Region) -> Self {
        Page { region }
    }

    /// The words behind the page, for outcomes that the worker keeps back.
    pub(crate) fn journal(&self) -> &[AtomicU64] {
        &self.region[PAGE_WORDS..]
    }

    /// The word at an index below [`PAGE_WORDS`].
    fn word(&self, index: usize) -> &AtomicU64 {
        &self.region[index]
    }

    /// The word of a slot; `None` for a slot that no page has, which only foreign bytes can name.
    fn slot(&self, place: Place) -> Option<&AtomicU64> {
        (place.slot < SLOTS).then(|| self.word(FIRST_SLOT + usize::from(place.slot)))
    }

    /// Swaps the counts of a frame by `change` until it fits, and gives those before and after; `None` if the slot has
    /// another frame by now, or if `change` declines.
    #[inline]
    fn update(&self, place: Place, change: impl Fn(SlotWord) -> Option<SlotWord>) -> Option<(SlotWord, SlotWord)> {
        let slot = self.slot(place)?;
        // Acquire pairs with the release of whoever wrote the word: the answer `None` is given from this load alone.
        let mut seen = slot.load(Ordering::Acquire);
        loop {
            let word = SlotWord::unpack(seen);
            if word.sequence != place.sequence {
                return None;
            }
            let next = change(word)?;
            // Release hands on what this side did before, to the acquire of the other; acquire takes the same from it.
            match slot.compare_exchange_weak(seen, next.pack(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some((word, next)),
                Err(now) => seen = now,
            }
        }
    }
}

/// The owner's side.
impl Page {
    /// Lets a frame of `items` begin, in a slot that is free.
    pub(crate) fn post(&self, place: Place, items: u16) {
        let word = SlotWord { sequence: place.sequence, begun: 0, limit: items };
        if let Some(slot) = self.slot(place) {
            // Release pairs with the acquire of the worker's first claim.
            slot.store(word.pack(), Ordering::Release);
        }
    }

    /// How far the frame has come; `None` if its slot has another by now.
    pub(crate) fn reach(&self, place: Place) -> Option<Reach> {
        // Acquire pairs with the release of the claim that is seen.
        let word = SlotWord::unpack(self.slot(place)?.load(Ordering::Acquire));
        (word.sequence == place.sequence).then_some(Reach { begun: word.begun, limit: word.limit })
    }

    /// Takes back those items of `tail` that have not begun and were not taken back before, and everything behind them.
    /// The tail must reach to the end of the frame; an empty answer says that there was nothing left to take.
    #[must_use = "what is withdrawn never begins, and whoever withdrew it must end it or send it elsewhere"]
    pub(crate) fn withdraw_tail(&self, place: Place, tail: Range<u16>) -> Range<u16> {
        let lowered = |word: SlotWord| {
            let limit = word.begun.max(tail.start);
            (limit < word.limit).then_some(SlotWord { limit, ..word })
        };
        match self.update(place, lowered) {
            // A worker that wrote a limit of its own cannot make the answer longer than the frame.
            Some((before, after)) => after.limit.min(tail.end)..before.limit.min(tail.end),
            None => tail.end..tail.end,
        }
    }

    /// Asks an item to stop. It is of use only while the item runs: ask for it after `begun` was seen. An item that has
    /// not begun is withdrawn instead, and sent again with the wish among its options.
    pub(crate) fn ask_stop(&self, place: Place, item: u16) {
        // Release pairs with the acquire of `stop_asked`.
        self.word(STOP).store(Activity::Running(place, item).pack(), Ordering::Release);
    }

    /// Says whether outputs had better be plain bytes. One that is on its way, or whose job runs, may have descriptors yet.
    pub(crate) fn spare_descriptors(&self, sparing: bool) {
        // Relaxed: nothing else is read because of it.
        self.word(SPARING).store(sparing.into(), Ordering::Relaxed);
    }

    /// Asks the running item, and every later one, to stop.
    pub(crate) fn ask_stop_all(&self) {
        // Release pairs with the acquire of `stop_asked`.
        self.word(STOP).store(STOP_ALL, Ordering::Release);
    }

    /// What the worker does at this moment.
    pub(crate) fn activity(&self) -> Activity {
        // Acquire pairs with the release of enter and leave.
        Activity::unpack(self.word(STATUS).load(Ordering::Acquire))
    }

    /// What the worker does, and since when by the clock of [`begin`](Page::begin), 0 if nobody asked for the time. `None` if it
    /// went on while this looked.
    pub(crate) fn activity_since(&self) -> Option<(Activity, u64)> {
        let activity = self.activity();
        // Acquire pairs with the release of the store in `enter`: if this is the time of a later item, the end of the
        // earlier one is seen below.
        let since = self.word(SINCE).load(Ordering::Acquire);
        (self.activity() == activity).then_some((activity, since))
    }

    /// What the death of the worker did to the items of a frame, of which the outcomes below `received` had arrived.
    /// Everything that had not begun is withdrawn by this call, so that no other caller gets it.
    ///
    /// To be asked after the death was seen and the socket was read to its end.
    pub(crate) fn verdict(&self, place: Place, items: u16, received: u16) -> Verdict {
        let unbegun = self.withdraw_tail(place, received..items);
        match self.reach(place) {
            Some(Reach { begun, limit }) if received <= begun && begun <= limit && limit <= items => {
                Verdict::new(self.activity(), place, received, begun, unbegun)
            }
            // The worker wrote over its page. Nothing is known to be safe to run again.
            _ => Verdict::torn(received, items),
        }
    }
}

/// The worker's side.
impl Page {
    /// True if outputs had better be plain bytes.
    pub(crate) fn spares_descriptors(&self) -> bool {
        // Relaxed: nothing else is read because of it.
        self.word(SPARING).load(Ordering::Relaxed) != 0
    }

    /// Begins the next item of a frame, if it may. If not, the frame is passed: none of its items will begin any more.
    ///
    /// `since_ns` is the time by a clock that the owner reads too; 0 if nobody asks for it.
    #[must_use = "an item that may not begin must not run"]
    #[inline]
    pub(crate) fn begin(&self, place: Place, item: u16, since_ns: u64) -> bool {
        let claimed = self.claim(place, item);
        if claimed {
            self.enter(place, item, since_ns);
        }
        claimed
    }

    /// The first half of [`begin`](Page::begin): the item is the worker's.
    #[must_use]
    #[inline]
    pub(super) fn claim(&self, place: Place, item: u16) -> bool {
        let next = |word: SlotWord| {
            (word.begun == item && item < word.limit).then_some(SlotWord { begun: item.saturating_add(1), ..word })
        };
        self.update(place, next).is_some()
    }

    /// The second half of [`begin`](Page::begin): the item can be blamed.
    #[inline]
    pub(super) fn enter(&self, place: Place, item: u16, since_ns: u64) {
        // Release pairs with the acquire of `activity_since`, as it says there.
        self.word(SINCE).store(since_ns, Ordering::Release);
        // Release pairs with the acquire of `activity`: whoever sees the item running sees it begun, and its time.
        self.word(STATUS).store(Activity::Running(place, item).pack(), Ordering::Release);
        fence_compiler();
    }

    /// Ends the item that runs, after its last code has run and before its outcome is handed on.
    #[inline]
    pub(crate) fn leave(&self, place: Place, item: u16) {
        fence_compiler();
        // Release pairs with the acquire of `activity`.
        self.word(STATUS).store(Activity::Ended(place, item).pack(), Ordering::Release);
    }

    /// Says that the initializer runs.
    pub(crate) fn enter_start(&self) {
        // Release pairs with the acquire of `activity`.
        self.word(STATUS).store(Activity::Starting.pack(), Ordering::Release);
        fence_compiler();
    }

    /// Says that the initializer has ended.
    pub(crate) fn leave_start(&self) {
        fence_compiler();
        // Release pairs with the acquire of `activity`.
        self.word(STATUS).store(Activity::Fresh.pack(), Ordering::Release);
    }

    /// True if this item, which runs, was asked to stop.
    #[inline]
    pub(crate) fn stop_asked(&self, place: Place, item: u16) -> bool {
        // Acquire pairs with the release of `ask_stop`.
        let asked = self.word(STOP).load(Ordering::Acquire);
        asked == STOP_ALL || asked == Activity::Running(place, item).pack()
    }
}

/// Keeps the compiler from moving a job's code across the stores that tell when it runs; in a model there is none.
#[inline]
fn fence_compiler() {
    #[cfg(not(executor_loom))]
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
}
