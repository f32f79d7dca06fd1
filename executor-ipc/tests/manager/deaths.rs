//! Clients and servers that are killed.

use std::thread;

use executor_ipc::manager::{Counter, List, ManagerError, Queue};

use crate::child::{Host, Order, Peer, What};
use crate::{Test, eventually};

pub(crate) const TESTS: &[Test] = &[
    ("a_client_killed_while_it_waits_takes_nothing", a_client_killed_while_it_waits_takes_nothing),
    ("a_client_killed_in_the_line_is_passed_over", a_client_killed_in_the_line_is_passed_over),
    ("a_lock_whose_owner_died_is_released", a_lock_whose_owner_died_is_released),
    ("permits_go_back", permits_go_back),
    ("a_barrier_breaks_with_a_party", a_barrier_breaks_with_a_party),
    ("a_notification_is_not_lost_on_the_dead", a_notification_is_not_lost_on_the_dead),
    ("tasks_of_the_dead_are_told", tasks_of_the_dead_are_told),
    ("references_go_with_a_client", references_go_with_a_client),
    ("without_a_server_every_call_is_an_error", without_a_server_every_call_is_an_error),
    ("a_server_killed_under_many_calls_at_once_is_an_error", a_server_killed_under_many_calls_at_once_is_an_error),
    ("a_forked_process_is_told_that_it_has_no_connection", a_forked_process_is_told_that_it_has_no_connection),
    ("a_server_ends_with_its_last_handle", a_server_ends_with_its_last_handle),
];

/// A process that waits for `what`, or is about to: it has connected, and does nothing else.
fn waiting(manager: &executor_ipc::manager::Manager, what: What) -> Peer {
    let before = manager.stats().unwrap().clients;
    let peer = Peer::start();
    assert_eq!(peer.ask::<String>(&Order::Wait(what)), "begun");
    eventually("it waits", || manager.stats().unwrap().clients > before);
    peer
}

fn a_client_killed_while_it_waits_takes_nothing(host: Host) {
    let hosted = host.start();
    let queue: Queue<u64> = hosted.manager.queue().unwrap();
    for round in 0..10 {
        let peers = [(); 3].map(|()| waiting(&hosted.manager, What::Queue(queue.clone())));
        peers.into_iter().for_each(Peer::kill);
        queue.put(&round).unwrap();
        eventually("the clients are gone", || hosted.manager.stats().unwrap().clients == 1);
        assert_eq!((queue.len().unwrap(), queue.get().unwrap()), (1, round));
    }
    drop(queue);
    hosted.end();
}

fn a_client_killed_in_the_line_is_passed_over(host: Host) {
    let hosted = host.start();
    let lock = hosted.manager.lock().unwrap();
    let guard = lock.lock().unwrap();
    let [first, second, third] = [(); 3].map(|()| waiting(&hosted.manager, What::Lock(lock.clone())));
    first.kill();
    third.kill();
    // Their calls have come to an end too, wherever they were.
    eventually("they are gone", || hosted.manager.stats().unwrap().clients == 2);
    assert!(lock.is_locked().unwrap());
    drop(guard);
    assert_eq!(second.hear::<String>(), "it came");
    // Nobody died while it had the lock.
    assert!(!lock.lock().unwrap().owner_died());
    second.end();
    drop(lock);
    hosted.end();
}

fn a_lock_whose_owner_died_is_released(host: Host) {
    let hosted = host.start();
    let (lock, condition) = (hosted.manager.lock().unwrap(), hosted.manager.condition().unwrap());
    for _ in 0..5 {
        let peer = Peer::start();
        assert_eq!(peer.ask::<String>(&Order::Hold(What::Lock(lock.clone()))), "begun");
        thread::scope(|scope| {
            let waits = scope.spawn(|| lock.lock().unwrap().owner_died());
            assert!(lock.try_lock().unwrap().is_none());
            peer.kill();
            assert!(waits.join().unwrap(), "the next one is told");
        });
        assert!(!lock.lock().unwrap().owner_died(), "and nobody after it");
        let peer = Peer::start();
        assert_eq!(peer.ask::<String>(&Order::Hold(What::Condition(condition.clone()))), "begun");
        peer.kill();
        assert!(condition.lock().unwrap().owner_died());
    }
    drop((lock, condition));
    hosted.end();
}

fn permits_go_back(host: Host) {
    let hosted = host.start();
    let semaphore = hosted.manager.semaphore(2).unwrap();
    for _ in 0..5 {
        let peers = [(); 2].map(|()| Peer::start());
        for peer in &peers {
            assert_eq!(peer.ask::<String>(&Order::Hold(What::Permit(semaphore.clone()))), "begun");
        }
        assert!(semaphore.try_acquire().unwrap().is_none());
        peers.into_iter().for_each(Peer::kill);
        drop([semaphore.acquire().unwrap(), semaphore.acquire().unwrap()]);
        assert_eq!(semaphore.available().unwrap(), 2);
    }
    drop(semaphore);
    hosted.end();
}

fn a_barrier_breaks_with_a_party(host: Host) {
    let hosted = host.start();
    let barrier = hosted.manager.barrier(3).unwrap();
    let peer = waiting(&hosted.manager, What::Barrier(barrier.clone()));
    thread::scope(|scope| {
        let waits = scope.spawn(|| barrier.wait());
        eventually("two wait", || barrier.waiting().unwrap() == 2);
        peer.kill();
        assert!(matches!(waits.join().unwrap(), Err(ManagerError::Broken)));
    });
    drop(barrier);
    hosted.end();
}

fn a_notification_is_not_lost_on_the_dead(host: Host) {
    let hosted = host.start();
    let condition = hosted.manager.condition().unwrap();
    let dead = waiting(&hosted.manager, What::Condition(condition.clone()));
    let alive = waiting(&hosted.manager, What::Condition(condition.clone()));
    drop(condition.lock().unwrap());
    dead.kill();
    eventually("it is gone", || hosted.manager.stats().unwrap().clients == 2);
    eventually("the other one waits", || condition.notify_one().unwrap());
    assert_eq!(alive.hear::<String>(), "it came");
    alive.end();
    drop(condition);
    hosted.end();
}

/// A consumer that dies with an item takes it along, and whoever joins is told.
fn tasks_of_the_dead_are_told(host: Host) {
    let hosted = host.start();
    let queue: Queue<u64> = hosted.manager.queue().unwrap();
    queue.put_many(&[1, 2, 3]).unwrap();
    let peer = Peer::start();
    assert_eq!(peer.ask::<String>(&Order::Hold(What::Queue(queue.clone()))), "begun");
    assert_eq!(queue.get_many(5).unwrap(), [2, 3]);
    queue.task_done().unwrap();
    queue.task_done().unwrap();
    thread::scope(|scope| {
        let joins = scope.spawn(|| queue.join());
        peer.kill();
        let error = joins.join().unwrap().unwrap_err();
        assert!(matches!(error, ManagerError::TasksLost { tasks: 1 }), "{error:?}");
    });
    queue.join().unwrap();
    drop(queue);
    hosted.end();
}

fn references_go_with_a_client(host: Host) {
    let hosted = host.start();
    let outer = hosted.manager.dict().unwrap();
    for _ in 0..5 {
        let inner: List<u32> = hosted.manager.list().unwrap();
        outer.insert("one", &inner).unwrap();
        let peer = Peer::start();
        assert_eq!(peer.ask::<String>(&Order::Keep(outer.clone())), "got it");
        assert_eq!(peer.ask::<String>(&Order::Look), "[]");
        drop((inner, outer.remove("one").unwrap()));
        peer.kill();
        eventually("it is gone", || hosted.manager.stats().unwrap().objects == 1);
    }
    drop(outer);
    hosted.end();
}

fn without_a_server_every_call_is_an_error(host: Host) {
    if host == Host::Thread {
        // Its end is that of the program. A server that never ran is as good.
        let (server, manager) = executor_ipc::manager::Manager::pair().unwrap();
        let waits = thread::spawn(move || manager.counter(0).map(drop));
        drop(server);
        assert!(matches!(waits.join().unwrap(), Err(ManagerError::Disconnected { .. })));
        return;
    }
    let mut hosted = host.start();
    let counter: Counter = hosted.manager.counter(0).unwrap();
    let (queue, lock): (Queue<u64>, _) = (hosted.manager.queue().unwrap(), hosted.manager.lock().unwrap());
    let guard = lock.lock().unwrap();
    thread::scope(|scope| {
        let waits = [scope.spawn(|| queue.get().map(drop)), scope.spawn(|| lock.lock().map(drop))];
        eventually("they wait", || hosted.manager.stats().unwrap().connections >= 3);
        hosted.process.take().unwrap().kill();
        for wait in waits {
            let error = wait.join().unwrap().unwrap_err();
            assert!(matches!(error, ManagerError::Disconnected { .. }), "{error:?}");
        }
    });
    for _ in 0..20 {
        assert!(matches!(counter.get(), Err(ManagerError::Disconnected { .. })));
        assert!(matches!(hosted.manager.dict::<u8, u8>(), Err(ManagerError::Disconnected { .. })));
    }
    // Neither hangs nor panics.
    drop((guard, queue, lock, counter, hosted.manager));
}

/// With many calls on their way, some of which it has answered.
fn a_server_killed_under_many_calls_at_once_is_an_error(host: Host) {
    if host == Host::Thread {
        return;
    }
    for round in 0..10_usize {
        let mut hosted = host.start();
        let list: List<Vec<u8>> = hosted.manager.list().unwrap();
        list.push(&vec![7; 10_000]).unwrap();
        let mut process = hosted.process.take();
        // Calls without end, until the server has none more to answer.
        let indices = (0..).inspect(|&n: &usize| {
            if n == 500 * round
                && let Some(process) = process.take()
            {
                process.kill();
            }
        });
        let error = list.get_many(indices.map(|n| n % 2)).map(drop).unwrap_err();
        assert!(matches!(error, ManagerError::Disconnected { .. }), "{error:?}");
        let error = list.extend(&vec![vec![7; 10_000]; 100]).unwrap_err();
        assert!(matches!(error, ManagerError::Disconnected { .. }), "{error:?}");
    }
}

/// Two processes cannot speak over one connection.
fn a_forked_process_is_told_that_it_has_no_connection(host: Host) {
    let hosted = host.start();
    let counter = hosted.manager.counter(1).unwrap();
    #[expect(unsafe_code, reason = "a fork is what is tested")]
    // SAFETY: the child allocates, which the C library allows after a fork, and takes no lock of another thread's.
    match unsafe { nix::unistd::fork() }.unwrap() {
        nix::unistd::ForkResult::Child => {
            let is_told = matches!(counter.get(), Err(ManagerError::Forked));
            drop(counter);
            #[expect(unsafe_code, reason = "the parent's exit handlers are not the child's to run")]
            // SAFETY: it ends the process, and nothing else.
            unsafe {
                libc::_exit(if is_told { 0 } else { 1 })
            }
        }
        nix::unistd::ForkResult::Parent { child } => {
            let ended = nix::sys::wait::waitpid(child, None).unwrap();
            assert_eq!(ended, nix::sys::wait::WaitStatus::Exited(child, 0));
        }
    }
    // What the child dropped is as it was here.
    assert_eq!(counter.fetch_add(1).unwrap(), 1);
    drop(counter);
    hosted.end();
}

/// A proxy alone keeps it, here or in another process.
fn a_server_ends_with_its_last_handle(host: Host) {
    let hosted = host.start();
    let outer = hosted.manager.dict().unwrap();
    outer.insert("one", &hosted.manager.list().unwrap()).unwrap();
    let peer = Peer::start();
    assert_eq!(peer.ask::<String>(&Order::Keep(outer)), "got it");
    drop(hosted.manager);
    assert_eq!(peer.ask::<String>(&Order::Look), "[]");
    peer.end();
    if let Some(process) = hosted.process {
        process.end();
    }
}
