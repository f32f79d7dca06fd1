//! The arenas of this process that no Blob of its own is in, kept to be filled again.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::arena::Arena;
use crate::hold::Watch;

/// How many arenas a process has at once, at most: those of its own Blobs, those that others hold, and those that wait to
/// be filled again. Further Blobs are plain bytes meanwhile. Each takes up to three descriptors, of which a process can
/// often open 1024.
pub const ARENAS_MAX: usize = 64;

/// How many bytes of arenas wait to be filled again, at most: 256 MiB, twice what one Blob of 100 MB takes. The memory of
/// what is beyond that is given back.
pub const IDLE_BYTES_MAX: usize = 256 << 20;

/// An arena without a Blob in this process.
#[derive(Debug)]
struct Kept {
    arena: Arena,
    /// Others may still hold it, if it was ever sent.
    watch: Option<Watch>,
}

impl Kept {
    fn is_idle(&self) -> bool {
        self.watch.as_ref().is_none_or(Watch::is_over)
    }
}

#[derive(Debug)]
struct Pool {
    /// The one that was given back last is at the end.
    kept: Vec<Kept>,
    /// How many arenas there are in all.
    arenas: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { kept: Vec::new(), arenas: 0 });

fn lock() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The size of the arenas in which contents of `len` bytes are: the next power of two. What is not touched of it takes
/// addresses and no memory.
fn arena_bytes(len: usize) -> Option<NonZeroUsize> {
    len.checked_next_power_of_two().and_then(NonZeroUsize::new)
}

/// An arena for contents of `len` bytes, with whatever was in it last; `None` if there are too many, or the system has
/// none.
pub(crate) fn take(len: usize) -> Option<Arena> {
    let bytes = arena_bytes(len)?;
    let mut pool = lock();
    // Memory is unmapped after the lock.
    let mut gone = pool.forget_forked();
    let fits = |kept: &Kept| kept.arena.bytes.len() == bytes.get() && kept.is_idle();
    if let Some(place) = pool.kept.iter().rposition(fits) {
        let Kept { arena, .. } = pool.kept.remove(place);
        drop(pool);
        return Some(arena);
    }
    if pool.arenas >= ARENAS_MAX
        && let Some(oldest) = pool.forget_oldest_idle()
    {
        if oldest.arena.bytes.len() == bytes.get() {
            // It has become idle just now.
            pool.arenas += 1;
            return Some(oldest.arena);
        }
        gone.push(oldest);
    }
    if pool.arenas >= ARENAS_MAX {
        return None;
    }
    pool.arenas += 1;
    drop(pool);
    drop(gone);
    let made = Arena::new(bytes);
    if made.is_err() {
        lock().arenas -= 1;
    }
    made.ok()
}

/// Keeps an arena whose last Blob in this process is gone.
pub(crate) fn give_back(arena: Arena, watch: Option<Watch>) {
    let mut pool = lock();
    pool.kept.push(Kept { arena, watch });
    let mut gone = pool.forget_forked();
    while pool.idle_bytes() > IDLE_BYTES_MAX
        && let Some(oldest) = pool.forget_oldest_idle()
    {
        gone.push(oldest);
    }
    drop(pool);
    drop(gone);
}

impl Pool {
    /// What others hold is theirs, and not ours to give back.
    fn idle_bytes(&self) -> usize {
        let kept: usize = self.kept.iter().map(|kept| kept.arena.bytes.len()).sum();
        if kept <= IDLE_BYTES_MAX {
            // Nobody needs to know better, and the system need not be asked.
            return kept;
        }
        self.kept.iter().filter(|kept| kept.is_idle()).map(|kept| kept.arena.bytes.len()).sum()
    }

    fn forget_oldest_idle(&mut self) -> Option<Kept> {
        let place = self.kept.iter().position(Kept::is_idle)?;
        self.arenas -= 1;
        Some(self.kept.remove(place))
    }

    /// Arenas that a forked process may have too are filled no more.
    fn forget_forked(&mut self) -> Vec<Kept> {
        let gone: Vec<Kept> = self.kept.extract_if(.., |kept| !kept.arena.is_ours_alone()).collect();
        self.arenas -= gone.len();
        gone
    }
}
