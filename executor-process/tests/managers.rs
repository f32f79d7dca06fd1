//! A manager in a process of its own, used by jobs.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::sync::Mutex;

use common::{descriptors, named, watched};
use executor_core::{Executor, job};
use executor_ipc::manager::service;
use executor_ipc::manager::{AuthKey, Counter, Dict, List, Manager, ManagerError, Queue};
use executor_process::{active_children, spawn_manager};
use executor_testkit::eventually;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[job]
fn count(counter: Counter, seen: Dict<i64, u32>, n: i64) -> i64 {
    let before = counter.fetch_add(1).unwrap();
    seen.insert_if_absent(&before, &std::process::id()).unwrap();
    n + 1
}

#[job]
fn make_list(manager: Manager, n: u32) -> List<u32> {
    let list = manager.list().unwrap();
    list.push(&n).unwrap();
    list
}

#[job]
fn take(queue: Queue<u64>) -> u64 {
    queue.get().unwrap()
}

/// Where it was made, and what jobs bring there.
struct Home {
    process: u32,
    lists: Mutex<Vec<List<u32>>>,
}

#[service]
impl Home {
    fn make() -> Home {
        Home { process: std::process::id(), lists: Mutex::default() }
    }

    pub(crate) fn new() -> Self {
        Home::make()
    }

    pub(crate) fn process(&self) -> u32 {
        self.process
    }

    pub(crate) fn keep(&self, list: List<u32>) {
        self.lists.lock().unwrap().push(list);
    }

    pub(crate) fn lists(&self) -> Vec<List<u32>> {
        self.lists.lock().unwrap().clone()
    }
}

/// A worker makes it, and the service keeps it.
#[job]
fn bring(manager: Manager, home: HomeProxy, n: u32) {
    let list = manager.list().unwrap();
    list.push(&n).unwrap();
    home.keep(list).unwrap();
}

fn managers() -> Vec<executor_process::ProcessHandle> {
    active_children().into_iter().filter(|child| child.name() == "manager").collect()
}

/// One after the other, so that descriptors and children can be counted.
#[test]
fn a_manager_serves_jobs() {
    let _watched = watched();
    let pool = named("managed", 2).build().unwrap();
    assert_eq!(pool.submit(executor_testkit::jobs::echo::job(1)).result().unwrap(), 1);
    drop(spawn_manager(Manager::builder()).unwrap());
    eventually("the first one is gone", || managers().is_empty());
    let before = descriptors();

    let manager = spawn_manager(Manager::builder()).unwrap();
    let (counter, seen) = (manager.counter(0).unwrap(), manager.dict().unwrap());
    let counted = pool.map(|n| count::job(counter.clone(), seen.clone(), n), 0..500);
    assert_eq!(counted.map(Result::unwrap).sum::<i64>(), (1..=500).sum());
    assert_eq!((counter.get().unwrap(), seen.len().unwrap()), (500, 500));
    assert!(!seen.values().unwrap().contains(&std::process::id()));

    // A proxy comes back out of a job, and lives on without the worker.
    let lists: Vec<List<u32>> = pool.map(|n| make_list::job(manager.clone(), n), 0..10).map(Result::unwrap).collect();
    assert!(lists.iter().zip(0..).all(|(list, n)| list.to_vec().unwrap() == [n]));

    // A job that waits is ended with its worker, and takes nothing.
    let queue: Queue<u64> = manager.queue().unwrap();
    let waits = pool.submit(take::job(queue.clone()));
    eventually("it waits", || waits.is_running());
    assert!(waits.kill());
    waits.result().unwrap_err();
    queue.put(&5).unwrap();
    assert_eq!(pool.submit(take::job(queue.clone())).result().unwrap(), 5);

    let server = managers().pop().unwrap();
    assert_eq!(managers().len(), 1);
    let home = HomeProxy::new(&manager).unwrap();
    assert_eq!(home.process().unwrap(), server.pid());

    // What jobs brought to a service lives there without the workers.
    pool.map(|n| bring::job(manager.clone(), home.clone(), n), 0..10).try_for_each(|done| done).unwrap();
    let brought: u32 = home.lists().unwrap().iter().map(|list| list.get(0).unwrap().unwrap()).sum();
    assert_eq!(brought, (0..10).sum());

    // Law 264: Ctrl-C does not end it.
    kill(Pid::from_raw(server.pid().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(counter.get().unwrap(), 500);

    // Remote clients come to it as to any other.
    let key = AuthKey::random();
    let address = manager.listen("127.0.0.1:0".parse::<executor_ipc::manager::Address>().unwrap(), &key).unwrap();
    manager.publish("counter", &counter).unwrap();
    let remote = Manager::connect(address, &key).unwrap();
    assert_eq!(remote.find::<Counter>("counter").unwrap().fetch_add(1).unwrap(), 500);

    drop((remote, home, queue, lists, seen, counter));
    // It ends with the last handle.
    assert!(server.is_alive());
    drop(manager);
    assert!(server.join().is_success());
    drop(server);
    eventually("nothing is left", || descriptors() <= before);

    // One that is killed is an error, and no more.
    let manager = spawn_manager(Manager::builder()).unwrap();
    let counter = manager.counter(0).unwrap();
    managers()[0].kill().unwrap();
    eventually("it is gone", || matches!(counter.get(), Err(ManagerError::Disconnected { .. })));
    assert!(spawn_manager(Manager::builder().connections_max(0)).is_err());
}
