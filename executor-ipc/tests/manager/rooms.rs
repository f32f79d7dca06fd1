//! A service that takes, keeps, calls and gives proxies; and what it promises of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use executor_ipc::manager::{Address, AuthKey, Counter, Dict, List, Lock, Manager, ManagerError, Queue, service};
use serde::{Deserialize, Serialize};

use crate::child::{Host, Order, Peer};
use crate::remote::{any_port, key, start};
use crate::{Test, eventually};

pub(crate) const TESTS: &[Test] = &[
    ("a_service_takes_and_gives_proxies", a_service_takes_and_gives_proxies),
    ("what_a_service_gives_lives_in_its_client", what_a_service_gives_lives_in_its_client),
    ("proxies_go_to_services_from_everywhere", proxies_go_to_services_from_everywhere),
    ("a_service_waits_and_locks_like_a_client", a_service_waits_and_locks_like_a_client),
    ("a_lock_that_a_dead_caller_holds_comes_to_a_service", a_lock_that_a_dead_caller_holds_comes_to_a_service),
    ("proxies_of_another_manager_are_refused", proxies_of_another_manager_are_refused),
    ("a_service_does_not_keep_its_server", a_service_does_not_keep_its_server),
    ("a_service_may_call_when_it_is_dropped", a_service_may_call_when_it_is_dropped),
    ("a_service_that_calls_itself_comes_to_an_end", a_service_that_calls_itself_comes_to_an_end),
    ("a_manager_is_a_value_too", a_manager_is_a_value_too),
];

/// Lists by name, some of which others have made.
pub(crate) struct Rooms {
    manager: Manager,
    rooms: Mutex<BTreeMap<String, List<String>>>,
}

/// Proxies inside other values.
#[derive(Serialize, Deserialize)]
pub(crate) struct Furniture {
    label: String,
    tables: Vec<List<u32>>,
    by_name: Option<Dict<String, List<u32>>>,
}

#[service]
impl Rooms {
    pub(crate) fn new(manager: Manager) -> Self {
        Rooms { manager, rooms: Mutex::default() }
    }

    /// One that begins with a room.
    pub(crate) fn with_room(manager: &Manager, name: &str, room: &List<String>) -> Self {
        let rooms = Mutex::new([(name.to_owned(), room.clone())].into());
        Rooms { manager: manager.clone(), rooms }
    }

    pub(crate) fn open(&self, name: &str) -> Result<List<String>, String> {
        let room = self.manager.list().map_err(|error| error.to_string())?;
        self.rooms.lock().unwrap().insert(name.to_owned(), room.clone());
        Ok(room)
    }

    pub(crate) fn adopt(&self, name: String, room: List<String>) -> Option<List<String>> {
        self.rooms.lock().unwrap().insert(name, room)
    }

    pub(crate) fn room(&self, name: &str) -> Option<List<String>> {
        self.rooms.lock().unwrap().get(name).cloned()
    }

    pub(crate) fn close(&self, name: &str) -> Option<List<String>> {
        self.rooms.lock().unwrap().remove(name)
    }

    pub(crate) fn forget_all(&self) {
        self.rooms.lock().unwrap().clear();
    }

    /// Says something in all rooms, by calls from inside. How many lines there are then.
    pub(crate) fn say(&self, line: String) -> Result<u64, String> {
        let rooms: Vec<_> = self.rooms.lock().unwrap().values().cloned().collect();
        let said = rooms.iter().try_fold(0, |lines, room| Ok(lines + room.push(&line)? as u64));
        said.map_err(|error: ManagerError| error.to_string())
    }

    /// Puts each table into the dictionary, by its number.
    pub(crate) fn furnish(&self, mut furniture: Furniture) -> Result<Furniture, String> {
        let by_name = furniture.by_name.as_ref().unwrap();
        for (number, table) in furniture.tables.iter().enumerate() {
            by_name.insert(&number.to_string(), table).map_err(|error| error.to_string())?;
        }
        furniture.tables.truncate(1);
        furniture.label.push_str(", furnished");
        Ok(furniture)
    }

    pub(crate) fn take(&self, tasks: Queue<u64>) -> Result<u64, String> {
        tasks.get().map_err(|error| error.to_string())
    }

    /// Adds under a lock; whether the one before died with it.
    pub(crate) fn add(&self, lock: Lock, counter: Counter) -> Result<bool, String> {
        let added = || {
            let guard = lock.lock()?;
            counter.set(counter.get()? + 1)?;
            Ok(guard.owner_died())
        };
        added().map_err(|error: ManagerError| error.to_string())
    }

    /// Calls itself, as often as there is room for connections.
    pub(crate) fn dig(&self, own: RoomsProxy, depth: u64) -> (u64, String) {
        own.dig(own.clone(), depth + 1).unwrap_or_else(|error| (depth, error.to_string()))
    }

    /// Waits on a thread of its own for what never comes, and says at a Unix socket how it came out.
    pub(crate) fn wait_forever(&self, tasks: Queue<u64>, begun: Counter, told: String) {
        thread::spawn(move || {
            begun.fetch_add(1).unwrap();
            let error = tasks.get().unwrap_err();
            drop((tasks, begun));
            let words = format!("{}", matches!(error, ManagerError::Disconnected { .. }));
            // Where the server has a process, nobody waits for it.
            let _ = std::os::unix::net::UnixDatagram::unbound().unwrap().send_to(words.as_bytes(), told);
        });
    }

    /// A proxy of a manager that its client does not know.
    pub(crate) fn foreign(&self) -> List<u8> {
        Manager::new().unwrap().list().unwrap()
    }
}

/// Says when it goes.
pub(crate) struct Farewell(Counter);

#[service]
impl Farewell {
    pub(crate) fn new(said: Counter) -> Self {
        Farewell(said)
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.fetch_add(1).unwrap();
    }
}

fn objects(manager: &Manager) -> u64 {
    manager.stats().unwrap().objects
}

fn a_service_takes_and_gives_proxies(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let rooms = RoomsProxy::new(manager, manager.clone()).unwrap();
    let hall: List<String> = manager.list().unwrap();
    assert!(rooms.adopt("hall".into(), hall.clone()).unwrap().is_none());
    let kitchen = rooms.open("kitchen").unwrap().unwrap();
    kitchen.push(&"tea".into()).unwrap();
    assert_eq!(rooms.say("hello".into()).unwrap(), Ok(3));
    assert_eq!(
        (hall.to_vec().unwrap(), kitchen.to_vec().unwrap()),
        (vec!["hello".to_owned()], vec!["tea".into(), "hello".into()])
    );
    // The same object, and not a copy.
    assert_eq!(rooms.room("hall").unwrap().unwrap(), hall);
    assert_eq!(rooms.adopt("hall".into(), kitchen.clone()).unwrap().unwrap(), hall);

    // A constructor takes them too.
    let other = RoomsProxy::with_room(manager, manager, "kitchen", &kitchen).unwrap();
    assert_eq!(other.room("kitchen").unwrap().unwrap(), kitchen);

    // In the midst of other values, and twice.
    let tables = [(); 2].map(|()| manager.list().unwrap());
    tables[1].push(&7).unwrap();
    let furniture = Furniture {
        label: "some".into(),
        tables: vec![tables[0].clone(), tables[1].clone(), tables[0].clone()],
        by_name: Some(manager.dict().unwrap()),
    };
    let furnished = rooms.furnish(furniture).unwrap().unwrap();
    assert_eq!((furnished.label.as_str(), &furnished.tables[..]), ("some, furnished", &tables[..1]));
    let by_name = furnished.by_name.unwrap();
    assert_eq!(by_name.get("1").unwrap().unwrap().to_vec().unwrap(), [7]);
    assert_eq!(by_name.get("2").unwrap().unwrap(), tables[0]);

    // The server's own calls are those of no client.
    assert_eq!(manager.stats().unwrap().clients, 1);
    drop((rooms, hall, kitchen, other, tables, furnished.tables, by_name));
    eventually("all are gone", || objects(manager) == 0);
    hosted.end();
}

/// An object lives as long as a service or a client has a proxy of it, and no longer.
fn what_a_service_gives_lives_in_its_client(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let rooms = RoomsProxy::new(manager, manager.clone()).unwrap();
    for _ in 0..20 {
        let hall = manager.list().unwrap();
        hall.push(&"first".into()).unwrap();
        rooms.adopt("hall".into(), hall.clone()).unwrap();
        // Only the service keeps it now.
        drop(hall);
        assert_eq!((rooms.say("second".into()).unwrap(), objects(manager)), (Ok(2), 2));
        // And now only the client.
        let hall = rooms.close("hall").unwrap().unwrap();
        assert_eq!(hall.to_vec().unwrap(), ["first", "second"]);
        drop(hall);
        eventually("it is gone", || objects(manager) == 1);
        // One that the service has made, and nobody keeps.
        drop(rooms.open("kitchen").unwrap().unwrap());
        assert_eq!(objects(manager), 2);
        rooms.forget_all().unwrap();
        eventually("it is gone", || objects(manager) == 1);
    }
    // What a service keeps goes with it.
    rooms.adopt("hall".into(), manager.list().unwrap()).unwrap();
    rooms.open("kitchen").unwrap().unwrap();
    drop(rooms);
    eventually("all are gone", || objects(manager) == 0);
    hosted.end();
}

/// In another process, with the rooms by a name, from there on as every client would.
pub(crate) fn visit(manager: &Manager, name: &str) -> Result<(), ManagerError> {
    let rooms: RoomsProxy = manager.find("rooms")?;
    let own = manager.list()?;
    own.push(&"from a visitor".into())?;
    rooms.adopt(name.to_owned(), own.clone())?;
    drop(own);
    let hall = rooms.room("hall")?.expect("the other side has opened it");
    hall.push(&format!("{name} was here"))?;
    rooms.open(&format!("{name} too"))?.expect("there is room").push(&name.to_owned())?;
    Ok(())
}

/// [`visit`] of a manager that listens.
pub(crate) fn visit_at(address: Address, key: Vec<u8>, name: &str) -> Result<(), ManagerError> {
    visit(&Manager::connect(address, &AuthKey::new(key).expect("it is not empty"))?, name)
}

fn proxies_go_to_services_from_everywhere(host: Host) {
    let hosted = start(host);
    let manager = &hosted.manager;
    let rooms = RoomsProxy::new(manager, manager.clone()).unwrap();
    let hall = rooms.open("hall").unwrap().unwrap();
    manager.publish("rooms", &rooms).unwrap();
    let address = manager.listen(any_port(), &key()).unwrap();
    let near = Peer::start();
    assert_eq!(near.ask::<String>(&Order::Visit { manager: manager.clone(), name: "near".into() }), "done");
    let far = Peer::start();
    let key = key().as_bytes().to_vec();
    assert_eq!(far.ask::<String>(&Order::VisitAt { address, key, name: "far".into() }), "done");
    assert_eq!(hall.to_vec().unwrap(), ["near was here", "far was here"]);
    near.end();
    far.kill();
    eventually("they have left", || manager.stats().unwrap().clients == 1);
    // What they brought is still there.
    for name in ["near", "far"] {
        assert_eq!(rooms.close(name).unwrap().unwrap().to_vec().unwrap(), ["from a visitor"]);
        assert_eq!(rooms.close(&format!("{name} too")).unwrap().unwrap().to_vec().unwrap(), [name]);
    }
    drop((rooms, hall));
    assert!(manager.withdraw("rooms").unwrap());
    eventually("all are gone", || objects(manager) == 0);
    hosted.end();
}

fn a_service_waits_and_locks_like_a_client(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let rooms = RoomsProxy::new(manager, manager.clone()).unwrap();
    let tasks: Queue<u64> = manager.queue().unwrap();
    let (lock, counter) = (manager.lock().unwrap(), manager.counter(0).unwrap());
    thread::scope(|scope| {
        let takes = [(); 3].map(|()| scope.spawn(|| rooms.take(tasks.clone()).unwrap().unwrap()));
        tasks.put_many(&[1, 2, 3]).unwrap();
        let mut taken = takes.map(|take| take.join().unwrap());
        taken.sort_unstable();
        assert_eq!(taken, [1, 2, 3]);
        let adds = [(); 3].map(|()| {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(rooms.add(lock.clone(), counter.clone()).unwrap(), Ok(false));
                    let _guard = lock.lock().unwrap();
                    counter.set(counter.get().unwrap() + 1).unwrap();
                }
            })
        });
        adds.into_iter().for_each(|add| add.join().unwrap());
    });
    assert_eq!(counter.get().unwrap(), 300);
    drop((rooms, tasks, lock, counter));
    hosted.end();
}

fn a_lock_that_a_dead_caller_holds_comes_to_a_service(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let rooms = RoomsProxy::new(manager, manager.clone()).unwrap();
    let (lock, counter) = (manager.lock().unwrap(), manager.counter(0).unwrap());
    let peer = Peer::start();
    assert_eq!(peer.ask::<String>(&Order::Hold(crate::child::What::Lock(lock.clone()))), "begun");
    thread::scope(|scope| {
        let adds = scope.spawn(|| rooms.add(lock.clone(), counter.clone()).unwrap());
        assert!(lock.is_locked().unwrap());
        peer.kill();
        assert_eq!(adds.join().unwrap(), Ok(true), "the service is told");
    });
    assert_eq!(rooms.add(lock.clone(), counter.clone()).unwrap(), Ok(false));
    drop((rooms, lock, counter));
    hosted.end();
}

fn proxies_of_another_manager_are_refused(host: Host) {
    let (hosted, elsewhere) = (host.start(), Manager::new().unwrap());
    let manager = &hosted.manager;
    let rooms = RoomsProxy::new(manager, manager.clone()).unwrap();
    let foreign: List<String> = elsewhere.list().unwrap();
    let refused = [
        rooms.adopt("hall".into(), foreign.clone()).map(drop).unwrap_err(),
        RoomsProxy::new(manager, elsewhere.clone()).map(drop).unwrap_err(),
        RoomsProxy::with_room(manager, manager, "hall", &foreign).map(drop).unwrap_err(),
        manager.publish("hall", &foreign).unwrap_err(),
        rooms
            .furnish(Furniture { label: String::new(), tables: vec![elsewhere.list().unwrap()], by_name: None })
            .map(drop)
            .unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(error, ManagerError::OtherManager), "{error:?}");
        assert!(error.to_string().contains("of another manager"), "{error}");
    }
    // What a method returns is looked at in the same way.
    let error = rooms.foreign().unwrap_err();
    assert!(
        matches!(&error, ManagerError::Answer { method, cause, .. } if method == "foreign" && cause.contains("of another manager")),
        "{error:?}"
    );
    assert!(rooms.room("hall").unwrap().is_none());
    drop((elsewhere, foreign, rooms));
    hosted.end();
}

/// It ends with its last client, whatever its services have and wait for.
fn a_service_does_not_keep_its_server(host: Host) {
    let hosted = host.start();
    let told = std::env::temp_dir().join(format!("executor-manager-{}-told", std::process::id()));
    let ear = std::os::unix::net::UnixDatagram::bind(&told).unwrap();
    let manager = &hosted.manager;
    let rooms = RoomsProxy::new(manager, manager.clone()).unwrap();
    rooms.open("hall").unwrap().unwrap();
    let (tasks, begun) = (manager.queue().unwrap(), manager.counter(0).unwrap());
    rooms.wait_forever(tasks, begun.clone(), told.to_str().unwrap().to_owned()).unwrap();
    eventually("it waits", || begun.get().unwrap() == 1);
    drop((rooms, begun));
    // A server in a process ends with it, and may do so before its thread has told anything.
    let is_thread = hosted.process.is_none();
    hosted.end();
    if is_thread {
        let mut words = [0; 4];
        assert_eq!(ear.recv(&mut words).unwrap(), 4);
        assert_eq!(&words, b"true");
    }
    std::fs::remove_file(told).unwrap();
}

/// Whatever it was that referred to it last: a client, a value, or a proxy on its way, of whose end the server's own thread hears.
fn a_service_may_call_when_it_is_dropped(host: Host) {
    let hosted = host.start();
    let said = hosted.manager.counter(0).unwrap();
    let farewell = || FarewellProxy::new(&hosted.manager, said.clone()).unwrap();
    let (_, on_its_way) = executor_ipc::attach::collect(|| postcard::to_stdvec(&farewell()).unwrap());
    assert_eq!((said.get().unwrap(), objects(&hosted.manager)), (0, 2));
    drop(on_its_way);
    eventually("the one on its way is gone", || said.get().unwrap() == 1);
    drop(farewell());
    eventually("the one of this client is gone", || said.get().unwrap() == 2);
    let list = hosted.manager.list().unwrap();
    list.push(&farewell()).unwrap();
    list.clear().unwrap();
    eventually("the one in the list is gone", || said.get().unwrap() == 3);
    drop((said, list));
    hosted.end();
}

/// It is refused when there is no room for one more connection, and what it has is as good as before.
fn a_service_that_calls_itself_comes_to_an_end(host: Host) {
    let hosted = host.start_with(Manager::builder().connections_max(20));
    let rooms = RoomsProxy::new(&hosted.manager, hosted.manager.clone()).unwrap();
    // One connection is this thread's. Those of the round before leave their places soon.
    for _ in 0..3 {
        eventually("it comes to an end where the connections do", || {
            let (depth, error) = rooms.dig(rooms.clone(), 0).unwrap();
            assert!(error.contains("20 connections"), "{error}");
            depth == 19
        });
    }
    assert!(rooms.open("hall").unwrap().unwrap().is_empty().unwrap());
    drop(rooms);
    hosted.end();
}

fn a_manager_is_a_value_too(host: Host) {
    let hosted = host.start();
    let managers: List<(u8, Manager)> = hosted.manager.list().unwrap();
    managers.push(&(1, hosted.manager.clone())).unwrap();
    let (_, same) = managers.get(0).unwrap().unwrap();
    assert_eq!(same, hosted.manager);
    let counter = same.counter(4).unwrap();
    assert_eq!(counter.get().unwrap(), 4);
    drop((managers, same, counter));
    eventually("all are gone", || objects(&hosted.manager) == 0);
    hosted.end();
}
