//! Clients that are killed at random instants: counts agree, nothing sticks, nothing is left behind.
//!
//! Each client goes round and round: it takes an item and marks it, adds under a lock, takes a permit, makes, nests and drops objects,
//! and waits in a line. `EXECUTOR_LONG_TESTS=1` kills ten thousand; `EXECUTOR_STORM_SEED` repeats a storm.

use std::collections::VecDeque;
use std::time::Duration;

use executor_ipc::manager::{Counter, Dict, List, Lock, Manager, ManagerError, Queue, Semaphore};
use serde::{Deserialize, Serialize};

use crate::child::{Host, Order, Peer};
use crate::peer::{Random, is_long};
use crate::rooms::RoomsProxy;
use crate::{Test, eventually};

pub(crate) const TESTS: &[Test] =
    &[("clients_that_are_killed_leave_nothing_behind", clients_that_are_killed_leave_nothing_behind)];

/// What the clients of a storm share.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Field {
    manager: Manager,
    items: Queue<u64>,
    /// Who took an item, by the item.
    taken: Dict<u64, u32>,
    /// How many items were taken twice.
    twice: Counter,
    lock: Lock,
    /// Both are the same when nobody has the lock.
    one: Counter,
    other: Counter,
    permits: Semaphore,
    /// How many have a permit at this moment; those who died are in it.
    shelf: Dict<u32, List<List<u8>>>,
    /// A service, which takes and gives proxies.
    rooms: RoomsProxy,
}

const PERMITS: u64 = 2;

/// How many clients there are at once.
const CLIENTS: usize = 3;

/// In the child.
pub(crate) fn rage(field: &Field, begun: impl FnOnce()) -> String {
    let mut begun = Some(begun);
    loop {
        match round(field) {
            Ok(()) => {}
            Err(error) => return format!("{error:?}"),
        }
        if let Some(begun) = begun.take() {
            begun();
        }
    }
}

fn round(field: &Field) -> Result<(), ManagerError> {
    let item = field.items.get()?;
    if field.taken.insert_if_absent(&item, &std::process::id())?.is_some() {
        field.twice.fetch_add(1)?;
    }
    {
        let guard = field.lock.lock()?;
        if guard.owner_died() {
            repair(field)?;
        }
        let before = field.one.get()?;
        field.one.set(before + 1)?;
        field.other.set(before + 1)?;
    }
    {
        let _permit = field.permits.acquire()?;
        let inner = field.manager.list()?;
        inner.push(&1)?;
        let outer = field.manager.list()?;
        outer.push(&inner)?;
        field.shelf.insert(&std::process::id(), &outer)?;
    }
    field.shelf.remove(&std::process::id())?;
    {
        let (name, own) = (std::process::id().to_string(), field.manager.list()?);
        field.rooms.adopt(name.clone(), own)?;
        let own = field.rooms.room(&name)?.expect("nobody else has its name");
        own.push(&name)?;
        if item % 2 == 0 {
            field.rooms.close(&name)?;
        }
    }
    match field.items.get_timeout(Duration::from_micros(item % 700)) {
        Ok(item) => field.items.put(&item)?,
        Err(ManagerError::Timeout | ManagerError::Empty) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// The one who had the lock died between the two, or before.
fn repair(field: &Field) -> Result<(), ManagerError> {
    field.other.set(field.one.get()?)
}

fn clients_that_are_killed_leave_nothing_behind(host: Host) {
    let kills: u64 = if is_long() { 10_000 } else { 100 };
    let mut dice = Random::new("clients_that_are_killed_leave_nothing_behind");
    let hosted = host.start();
    let manager = hosted.manager.clone();
    let field = Field {
        items: manager.queue().unwrap(),
        taken: manager.dict().unwrap(),
        twice: manager.counter(0).unwrap(),
        lock: manager.lock().unwrap(),
        one: manager.counter(0).unwrap(),
        other: manager.counter(0).unwrap(),
        permits: manager.semaphore(PERMITS).unwrap(),
        shelf: manager.dict().unwrap(),
        rooms: RoomsProxy::new(&manager, manager.clone()).unwrap(),
        manager,
    };
    let objects = field.manager.stats().unwrap().objects;
    let (mut put, mut killed) = (0, 0);
    let mut clients = VecDeque::new();
    while killed < kills {
        while clients.len() < CLIENTS {
            let peer = Peer::start();
            peer.tell(&Order::Storm(field.clone()));
            clients.push_back(peer);
        }
        // Few enough that clients wait for some, too.
        if field.items.len().unwrap() < 5 {
            let items: Vec<u64> = (put..put + 1 + dice.below(40)).collect();
            put += items.len() as u64;
            field.items.put_many(&items).unwrap();
        }
        if let Some(oldest) = clients.pop_front() {
            // It has begun, unless there was nothing to take for it.
            std::thread::sleep(Duration::from_micros(dice.below(6000)));
            oldest.kill();
            killed += 1;
        }
    }
    clients.into_iter().for_each(|client| {
        client.kill();
        killed += 1;
    });
    let told = format!("{host:?}: {killed} kills, {put} items");
    eventually(&format!("{told}: no client is left"), || field.manager.stats().unwrap().clients == 1);

    // Nothing sticks.
    {
        let guard = field.lock.lock().unwrap();
        if guard.owner_died() {
            repair(&field).unwrap();
        }
        assert_eq!(field.one.get().unwrap(), field.other.get().unwrap(), "{told}");
    }
    assert_eq!(field.permits.available().unwrap(), PERMITS, "{told}");

    // Counts agree: what was put is there, was taken, or went with a client that was killed with it.
    let mut there = Vec::new();
    while let Ok(item) = field.items.try_get() {
        there.push(item);
    }
    let taken = field.taken.len().unwrap() as u64;
    let twice = field.twice.get().unwrap() as u64;
    let marked = there.iter().filter(|item| field.taken.contains_key(item).unwrap()).count() as u64;
    println!("{told}: {taken} taken, {} there, {marked} of them marked, {twice} twice", there.len());
    let accounted = taken + there.len() as u64 - marked;
    assert!(accounted <= put && put - accounted <= killed, "{told}: {accounted}");
    // An item is put back only by clients that say so, and by those that never had it.
    assert!(taken > 0, "{told}");

    // Nothing is left behind: what clients had on the shelf goes with it, and so do their rooms.
    field.shelf.clear().unwrap();
    field.rooms.forget_all().unwrap();
    eventually(&format!("{told}: no object is left"), || field.manager.stats().unwrap().objects == objects);
    drop(field);
    hosted.end();
}
