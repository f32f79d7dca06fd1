//! Section 23, G9: priorities.

use executor_core::{Executor, JobOptions, MapOptions, Priority};

use crate::jobs;
use crate::lab::Lab;
use crate::log::Log;
use crate::subject::Subject;
use crate::verdict::{Claim, Verdict};

fn with(priority: Priority) -> JobOptions {
    JobOptions::new().priority(priority)
}

/// Law G9: a higher priority goes first; within one, the order of submission is kept.
pub fn higher_priority_goes_first<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.single()?;
    pool.claims(Claim::Priorities)?;
    let busy = pool.occupy()?;
    let log = Log::new();
    for value in 0..10 {
        drop(pool.submit_with(jobs::note::job(log.pen(), 200 + value), with(Priority::Low)));
        drop(pool.submit(jobs::note::job(log.pen(), 100 + value)));
        drop(pool.submit_with(jobs::note::job(log.pen(), value), with(Priority::High)));
    }
    busy.release();
    log.wait_for(30);
    let entries = log.entries();
    for first in [0, 100, 200] {
        let of_one: Vec<_> = entries.iter().copied().filter(|entry| (first..first + 10).contains(entry)).collect();
        assert_eq!(of_one, (first..first + 10).collect::<Vec<_>>(), "the order within one priority");
    }
    assert_eq!(entries[..10], (0..10).collect::<Vec<_>>());
    let last_normal = entries.iter().rposition(|entry| (100..200).contains(entry));
    let last_low = entries.iter().rposition(|entry| *entry >= 200);
    assert!(last_normal < last_low, "{entries:?}");
    Ok(())
}

/// Law G9: after as many jobs of a higher priority as `AGEING` says, one of a lower priority goes.
pub fn lower_priority_does_not_starve<S: Subject>(lab: &Lab<S>) -> Verdict {
    const AGEING: usize = Priority::AGEING as usize;
    let pool = lab.single()?;
    pool.claims(Claim::Priorities)?;
    for (low, high) in
        [(Priority::Low, Priority::Normal), (Priority::Low, Priority::High), (Priority::Normal, Priority::High)]
    {
        let busy = pool.occupy()?;
        let log = Log::new();
        for value in 0..3 {
            drop(pool.submit_with(jobs::note::job(log.pen(), 1000 + value), with(low)));
        }
        let many = 5 * AGEING as u64;
        for value in 0..many {
            drop(pool.submit_with(jobs::note::job(log.pen(), value), with(high)));
        }
        busy.release();
        log.wait_for(many as usize + 3);
        let places: Vec<_> =
            log.entries().iter().enumerate().filter(|(_, entry)| **entry >= 1000).map(|(place, _)| place).collect();
        for (nth, place) in places.iter().enumerate() {
            let latest = (nth + 1) * (AGEING + 1) - 1;
            assert!(
                *place <= latest,
                "number {nth} of the lower priority came as number {place}, {low:?} under {high:?}"
            );
            assert!(*place >= nth * AGEING, "the higher priority does not go first: {places:?}");
        }
    }
    Ok(())
}

/// Law G9: the lowest of three priorities does not starve under the other two.
pub fn lowest_of_three_does_not_starve<S: Subject>(lab: &Lab<S>) -> Verdict {
    const AGEING: usize = Priority::AGEING as usize;
    let pool = lab.single()?;
    pool.claims(Claim::Priorities)?;
    let busy = pool.occupy()?;
    let log = Log::new();
    drop(pool.submit_with(jobs::note::job(log.pen(), 1000), with(Priority::Low)));
    let many = 10 * AGEING as u64;
    for value in 0..many {
        drop(pool.submit_with(jobs::note::job(log.pen(), value), with(Priority::Normal)));
        drop(pool.submit_with(jobs::note::job(log.pen(), value), with(Priority::High)));
    }
    busy.release();
    log.wait_for(2 * many as usize + 1);
    let place = log.entries().iter().position(|entry| *entry == 1000).unwrap();
    assert!(place <= 2 * (AGEING + 1), "the lowest priority came as number {place}");
    Ok(())
}

/// Law G9: a job that was cancelled is no turn of its priority, and its neighbours keep their order.
pub fn cancelled_jobs_leave_the_order<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.single()?;
    pool.claims(Claim::Priorities)?;
    let busy = pool.occupy()?;
    let log = Log::new();
    let high: Vec<_> =
        (0..10).map(|value| pool.submit_with(jobs::note::job(log.pen(), value), with(Priority::High))).collect();
    let low: Vec<_> =
        (10..20).map(|value| pool.submit_with(jobs::note::job(log.pen(), value), with(Priority::Low))).collect();
    assert!(high[..9].iter().all(executor_core::JobFuture::cancel));
    assert!(low[0].cancel() && low[9].cancel());
    busy.release();
    low[8].wait();
    assert_eq!(log.entries(), (9..19).filter(|entry| *entry != 10).collect::<Vec<_>>());
    Ok(())
}

/// Law G9: the items of a map go by their priority, too.
pub fn items_of_a_map_have_their_priority<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.single()?;
    pool.claims(Claim::Priorities)?;
    let busy = pool.occupy()?;
    let log = Log::new();
    let item = |value| jobs::note::job(log.pen(), value);
    let options = |priority| MapOptions::new().window(5).job(with(priority));
    let low = pool.map_with(item, 20..25, options(Priority::Low)).unwrap();
    let normal = pool.map_with(item, 10..15, options(Priority::Normal)).unwrap();
    let high = pool.map_with(item, 0..5, options(Priority::High)).unwrap();
    busy.release();
    assert!(low.chain(normal).chain(high).all(|outcome| outcome.is_ok()));
    assert_eq!(log.entries(), [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24]);
    Ok(())
}
