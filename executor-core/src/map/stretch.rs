//! Some items in a row that a map handed over together, as its reader sees them.

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::bells::Waiter;
use crate::cell::Outcome;
use crate::drive::note_awaited;
use crate::error::JobError;
use crate::future::JobFuture;
use crate::job::Job;
use crate::job_ref::JobRef;
use crate::payload::JobPayload;
use crate::sync::{park_until, thread};
use crate::waiting::{Limit, block_on};

use super::chunk::Chunk;

/// How long a reader waits for a whole chunk before it asks to be woken for the very item it wants. A chunk of short
/// items is over by then; a slow item holds up what is done before it for no longer than this.
const PATIENCE: Duration = Duration::from_millis(1);

/// Some items in a row.
pub(super) enum Stretch<J: Job> {
    /// One job with options of its own.
    One(JobFuture<J::Output>),
    /// Plain jobs.
    Chunk(Arc<Chunk<JobPayload<J>>>),
}

impl<J: Job> Stretch<J> {
    pub(super) fn len(&self) -> usize {
        match self {
            Stretch::One(_) => 1,
            Stretch::Chunk(chunk) => chunk.len(),
        }
    }

    fn job(&self, index: u32) -> JobRef {
        match self {
            Stretch::One(future) => future.job(),
            Stretch::Chunk(chunk) => chunk.job(index),
        }
    }

    /// What came of an item that is done.
    #[inline]
    pub(super) fn take(&mut self, index: u32) -> Option<Outcome<JobPayload<J>>> {
        match self {
            Stretch::Chunk(chunk) => chunk.take(index),
            Stretch::One(future) => future.take(),
        }
    }

    /// Blocks until the item may be done.
    pub(super) fn wait(&self, index: u32) -> Result<(), JobError> {
        match self {
            Stretch::One(future) => block_on(&future.job(), Limit::None).map(drop),
            Stretch::Chunk(chunk) => wait_in_chunk(chunk, index),
        }
    }

    /// Sees to it that `waker` is woken when the item is done.
    pub(super) fn register(&self, index: u32, waker: &Waker) {
        let job = self.job(index);
        job.hang(Waiter::Task(waker.clone()));
        note_awaited(&job);
    }

    /// Cancels the items from `index` on that have not begun.
    pub(super) fn cancel(&self, index: u32) {
        for index in index..self.len() as u32 {
            let job = self.job(index);
            if !job.state_word().is_done() {
                job.record().control.cancel(&job);
            }
        }
    }
}

/// Blocks until item `index` is done. A worker of the pool runs the item itself if no other has begun it.
///
/// To be woken for each of many short items would cost more than the items. So the reader first waits for the end of
/// the chunk, for a moment; only then does it say, in the item's own cell, that it waits for that one.
fn wait_in_chunk<J: Job>(chunk: &Arc<Chunk<JobPayload<J>>>, index: u32) -> Result<(), JobError> {
    let job = chunk.job(index);
    let state = job.state_word();
    let control = &job.record().control;
    control.may_block()?;
    let helps = control.is_own_worker();
    let mut patient = chunk.len() > 1;
    while !state.is_done() {
        if helps && control.help(&job) {
            continue;
        }
        job.record().bells.hang(Waiter::Thread(thread::current()));
        let heard = if patient { !chunk.is_ended() } else { state.wait() };
        if heard && !state.is_done() {
            park_until(patient.then(|| Instant::now() + PATIENCE));
            patient = false;
        }
        job.record().bells.forget_thread();
    }
    Ok(())
}
