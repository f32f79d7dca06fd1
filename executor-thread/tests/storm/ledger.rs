//! What came of the jobs of a storm, as those see it who submitted them.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use executor_core::{JobError, Stats};
use executor_testkit::ON_PURPOSE;

/// More jobs than all storms of this file have.
const MARKS: usize = 1 << 22;

/// How often each job was begun.
static RUNS: [AtomicU8; MARKS] = [const { AtomicU8::new(0) }; MARKS];

/// The mark of a new job.
pub(crate) fn new_mark() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Notes that a job was begun.
pub(crate) fn mark_run(mark: usize) {
    RUNS[mark].fetch_add(1, Ordering::Relaxed);
}

/// What a job gives: its mark, in one way or the other.
pub(crate) type Outcome = Result<usize, usize>;

/// What is known of jobs from the outside.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) submitted: u64,
    pub(crate) refused: u64,
    pub(crate) finished: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    /// Those whose end nobody saw.
    pub(crate) dropped: u64,
    /// Those of them that may have been refused, because the pool ended or a map was dropped before it had room.
    pub(crate) unsure: u64,
    /// Jobs by their marks, with the least and the most number of runs.
    pub(crate) runs: Vec<(usize, u8, u8)>,
}

impl Ledger {
    /// Counts an outcome, which is that of the job with this mark if one is given. True if the job ran.
    pub(crate) fn count(&mut self, mark: Option<usize>, outcome: &Result<Outcome, JobError>) -> bool {
        let (column, ran) = match outcome {
            Ok(Ok(value)) if mark.is_none_or(|mark| mark == *value) => (&mut self.finished, true),
            Ok(Err(value)) if mark.is_none_or(|mark| mark == *value) => (&mut self.failed, true),
            Err(JobError::Panicked { message, .. }) if message.contains(ON_PURPOSE) => (&mut self.failed, true),
            Err(JobError::RunLimit { .. } | JobError::Killed) => (&mut self.failed, true),
            Err(JobError::Cancelled) => (&mut self.cancelled, false),
            Err(JobError::Rejected(_)) => (&mut self.refused, false),
            other => panic!("job {mark:?} ended as {other:?}"),
        };
        *column += 1;
        ran
    }

    /// Counts the end of a job that had some attempts.
    pub(crate) fn end(&mut self, (mark, attempts): Sheet, outcome: &Result<Outcome, JobError>) {
        let ran = self.count(Some(mark), outcome);
        self.runs.push(if ran { (mark, 1, attempts) } else { (mark, 0, 0) });
    }

    /// Checks all this against the counts of the pool, which has ended. A pool that ended `early` has refused jobs.
    pub(crate) fn assert_agrees(&self, stats: Stats, early: bool, seed: u32) {
        for (mark, least, most) in &self.runs {
            let runs = RUNS[*mark].load(Ordering::Relaxed);
            assert!((*least..=*most).contains(&runs), "seed {seed}: a job ran {runs} times, not {least} to {most}");
        }
        let Ledger { submitted, refused, finished, failed, cancelled, dropped, unsure, .. } = *self;
        let story = format!(
            "seed {seed}: of {submitted} jobs {refused} were refused, {finished} finished, {failed} failed, {cancelled} \
             were cancelled, {dropped} were dropped, of which {unsure} may have been refused; {stats:?}"
        );
        assert_eq!(refused + finished + failed + cancelled + dropped, submitted, "{story}");
        assert!(finished > 0 && (early || refused == 0), "{story}");
        assert_eq!((stats.queued, stats.running), (0, 0), "{story}");
        let accepted = submitted - refused;
        assert!((accepted - unsure..=accepted).contains(&stats.submitted()), "{story}");
        // Of those that were dropped nobody knows how they ended.
        for (count, seen) in [(stats.finished, finished), (stats.failed, failed), (stats.cancelled, cancelled)] {
            assert!((seen..=seen + dropped).contains(&count), "{story}");
        }
    }
}

/// The mark of a job, and how many attempts it has at the most.
pub(crate) type Sheet = (usize, u8);

/// Locks a ledger, though a thread failed while it held it.
pub(crate) fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
