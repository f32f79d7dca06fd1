//! A proxy in a value, in another process, on its way, and found by its name: what keeps its object, and what it refuses.

use executor_ipc::manager::{Counter, Dict, List, Manager, ManagerError, Namespace, Queue};
use serde::{Deserialize, Serialize};

use crate::board::BoardProxy;
use crate::child::{Host, Order, Peer, Toolkit};
use crate::{Test, eventually};

pub(crate) const TESTS: &[Test] = &[
    ("nested_proxies_share_state_and_keep_their_target", nested_proxies_share_state_and_keep_their_target),
    ("a_long_chain_of_containers_goes", a_long_chain_of_containers_goes),
    ("every_kind_through_a_proxy_in_another_process", every_kind_through_a_proxy_in_another_process),
    ("a_proxy_on_its_way_keeps_its_object", a_proxy_on_its_way_keeps_its_object),
    ("names_are_for_all", names_are_for_all),
    ("values_of_other_types_are_errors", values_of_other_types_are_errors),
    ("proxies_do_not_travel_without_descriptors", proxies_do_not_travel_without_descriptors),
];

#[derive(Debug, Serialize, Deserialize)]
struct Shelf {
    label: String,
    books: List<String>,
    more: Option<Dict<u8, List<String>>>,
}

/// Law 259: nested proxies share state and keep their target alive.
fn nested_proxies_share_state_and_keep_their_target(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let shelves: Dict<String, Shelf> = manager.dict().unwrap();
    let books = manager.list().unwrap();
    let inner: Dict<u8, List<String>> = manager.dict().unwrap();
    inner.insert(&1, &books).unwrap();
    let shelf = Shelf { label: "first".to_owned(), books, more: Some(inner) };
    shelves.insert("one", &shelf).unwrap();
    assert_eq!(manager.stats().unwrap().objects, 3);
    drop(shelf);

    // Only the values keep them now.
    let read = shelves.get("one").unwrap().unwrap();
    assert_eq!(read.label, "first");
    read.books.push(&"a".to_owned()).unwrap();
    let same = read.more.as_ref().unwrap().get(&1).unwrap().unwrap();
    assert_eq!(same, read.books);
    assert_eq!(same.to_vec().unwrap(), ["a"]);
    drop((read, same));

    // Taken out, they live as long as what was taken.
    let removed = shelves.remove("one").unwrap().unwrap();
    assert_eq!(removed.books.len().unwrap(), 1);
    assert_eq!(manager.stats().unwrap().objects, 3);
    drop(removed);
    eventually("they are gone", || manager.stats().unwrap().objects == 1);

    // One that contains itself is a value like any other, until it is taken out.
    let own: List<List<u8>> = manager.list().unwrap();
    let itself: List<List<u8>> = own.clone();
    let other: List<u8> = manager.list().unwrap();
    itself.push(&other).unwrap();
    drop((own, itself, other));
    eventually("they are gone", || manager.stats().unwrap().objects == 1);

    // The proxy of another manager has no place here.
    let elsewhere = Manager::new().unwrap();
    let foreign: List<String> = elsewhere.list().unwrap();
    let nested: List<List<String>> = manager.list().unwrap();
    let error = nested.push(&foreign).unwrap_err();
    assert!(matches!(error, ManagerError::OtherManager), "{error:?}");
    drop((elsewhere, foreign, nested, shelves));
    hosted.end();
}

/// What keeps what keeps what …: longer than a stack.
fn a_long_chain_of_containers_goes(host: Host) {
    let hosted = host.start();
    #[derive(Serialize, Deserialize)]
    struct Link(List<Link>);
    let mut last: List<Link> = hosted.manager.list().unwrap();
    let links = 20_000;
    for _ in 0..links {
        let next = hosted.manager.list().unwrap();
        next.push(&Link(last)).unwrap();
        last = next;
    }
    assert_eq!(hosted.manager.stats().unwrap().objects, links + 1);
    drop(last);
    eventually("they are gone", || hosted.manager.stats().unwrap().objects == 0);
    hosted.end();
}

fn toolkit(manager: &Manager) -> Toolkit {
    Toolkit {
        dict: manager.dict().unwrap(),
        namespace: manager.namespace().unwrap(),
        list: manager.list().unwrap(),
        queue: manager.bounded_queue(2).unwrap(),
        lock: manager.lock().unwrap(),
        condition: manager.condition().unwrap(),
        semaphore: manager.semaphore(1).unwrap(),
        event: manager.event().unwrap(),
        counter: manager.counter(0).unwrap(),
        barrier: manager.barrier(2).unwrap(),
        board: BoardProxy::new(manager, 100).unwrap(),
    }
}

/// Law 262: every kind of object through a proxy in another process.
fn every_kind_through_a_proxy_in_another_process(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let tools = toolkit(manager);
    let there = Toolkit {
        dict: tools.dict.clone(),
        namespace: tools.namespace.clone(),
        list: tools.list.clone(),
        queue: tools.queue.clone(),
        lock: tools.lock.clone(),
        condition: tools.condition.clone(),
        semaphore: tools.semaphore.clone(),
        event: tools.event.clone(),
        counter: tools.counter.clone(),
        barrier: tools.barrier.clone(),
        board: tools.board.clone(),
    };
    let peer = Peer::start();
    peer.tell(&Order::Use(manager.clone(), there));
    assert!(!tools.event.set().unwrap());
    tools.dict.fetch_add("both", 2).unwrap();
    tools.queue.put(&40).unwrap();
    tools.queue.join().unwrap();
    tools.board.add("parent", 6).unwrap().unwrap();
    {
        let _guard = tools.condition.lock().unwrap();
        tools.dict.insert("go", &1).unwrap();
        tools.condition.notify_all().unwrap();
    }
    tools.barrier.wait().unwrap();
    assert_eq!(peer.hear::<String>(), "done");
    assert_eq!(tools.dict.get("child").unwrap(), Some(1));
    assert_eq!(tools.dict.get("both").unwrap(), Some(3));
    assert_eq!(tools.namespace.get::<Vec<u8>>("child").unwrap(), Some(vec![1, 2]));
    assert_eq!(tools.list.to_vec().unwrap(), ["child"]);
    assert_eq!(tools.counter.get().unwrap(), 40);
    assert_eq!(tools.semaphore.available().unwrap(), 1);
    assert_eq!(tools.board.all().unwrap(), [("child".to_owned(), 5), ("parent".to_owned(), 6)]);
    // What the child published lives, by its name.
    let published: Queue<u8> = manager.find("from the child").unwrap();
    published.put(&1).unwrap();
    peer.end();
    eventually("there is one client", || manager.stats().unwrap().clients == 1);
    assert_eq!(published.get().unwrap(), 1);
    drop((tools, published));
    hosted.end();
}

fn a_proxy_on_its_way_keeps_its_object(host: Host) {
    let hosted = host.start();
    for _ in 0..20 {
        let peer = Peer::start();
        let outer: Dict<String, List<u32>> = hosted.manager.dict().unwrap();
        let inner = hosted.manager.list().unwrap();
        inner.push(&7).unwrap();
        outer.insert("one", &inner).unwrap();
        peer.tell(&Order::Keep(outer.clone()));
        // Before the other side has it, for all that anybody knows.
        drop((outer, inner));
        assert_eq!(peer.hear::<String>(), "got it");
        assert_eq!(peer.ask::<String>(&Order::Look), "[7]");
        peer.end();
        eventually("it is gone", || hosted.manager.stats().unwrap().objects == 0);
    }
    // Nobody ever receives it.
    let counter = hosted.manager.counter(1).unwrap();
    let (encoded, attachments) = executor_ipc::attach::collect(|| postcard::to_stdvec(&counter));
    drop(counter);
    assert_eq!(hosted.manager.stats().unwrap().objects, 1);
    // Twice over: two proxies of one object.
    let decode = || postcard::from_bytes::<Counter>(encoded.as_ref().unwrap()).unwrap();
    let (one, other) = executor_ipc::attach::supply(attachments.clone(), || (decode(), decode()));
    drop((attachments, one));
    assert_eq!(other.fetch_add(1).unwrap(), 1);
    drop(other);
    eventually("it is gone", || hosted.manager.stats().unwrap().objects == 0);
    hosted.end();
}

fn names_are_for_all(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let counter = manager.counter(3).unwrap();
    manager.publish("n", &counter).unwrap();
    manager.publish("n", &counter).unwrap();
    assert!(matches!(manager.publish("n", &manager.event().unwrap()), Err(ManagerError::NameTaken { .. })));
    drop(counter);
    assert_eq!(manager.find::<Counter>("n").unwrap().get().unwrap(), 3);
    assert!(matches!(manager.find::<Counter>("m"), Err(ManagerError::NotFound { .. })));
    assert!(matches!(manager.find::<Namespace>("n"), Err(ManagerError::WrongKind { .. })));
    assert!(manager.withdraw("n").unwrap() && !manager.withdraw("n").unwrap());
    eventually("it is gone", || manager.stats().unwrap().objects == 0);
    hosted.end();
}

fn values_of_other_types_are_errors(host: Host) {
    let hosted = host.start();
    let texts: Dict<String, String> = hosted.manager.dict().unwrap();
    texts.insert("a", &"text".to_owned()).unwrap();
    hosted.manager.publish("texts", &texts).unwrap();
    let wrong: Dict<String, (u64, Vec<String>)> = hosted.manager.find("texts").unwrap();
    assert!(matches!(wrong.get("a"), Err(ManagerError::Decode { .. })));
    // The connection is as good as before.
    assert_eq!(texts.get("a").unwrap().as_deref(), Some("text"));
    // What cannot be encoded is not sent.
    #[derive(Deserialize)]
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it does not want to"))
        }
    }
    let list: List<Stubborn> = hosted.manager.list().unwrap();
    assert!(matches!(list.push(&Stubborn), Err(ManagerError::Encode { .. })));
    assert_eq!(list.len().unwrap(), 0);
    // A proxy is no key.
    let keyed: Dict<List<u8>, u8> = hosted.manager.dict().unwrap();
    let key: List<u8> = hosted.manager.list().unwrap();
    assert!(matches!(keyed.insert(&key, &1), Err(ManagerError::Encode { .. })));
    drop((texts, wrong, list, keyed, key));
    hosted.manager.withdraw("texts").unwrap();
    eventually("all are gone", || hosted.manager.stats().unwrap().objects == 0);
    hosted.end();
}

fn proxies_do_not_travel_without_descriptors(host: Host) {
    let hosted = host.start();
    let counter = hosted.manager.counter(0).unwrap();
    let error = serde_json::to_string(&counter).unwrap_err().to_string();
    assert!(error.contains("descriptors travel"), "{error}");
    assert!(serde_json::to_string(&hosted.manager).is_err());
    let (server, _manager) = Manager::pair().unwrap();
    assert!(serde_json::to_string(&server).unwrap_err().to_string().contains("descriptors travel"));
    // Law 275: what is no proxy is an error, and no more.
    let (bytes, attachments) = executor_ipc::attach::collect(|| postcard::to_stdvec(&counter).unwrap());
    postcard::from_bytes::<Counter>(&bytes).unwrap_err();
    executor_ipc::attach::supply(Default::default(), || postcard::from_bytes::<Counter>(&bytes)).unwrap_err();
    for cut in 0..bytes.len() {
        executor_ipc::attach::supply(attachments.clone(), || postcard::from_bytes::<Counter>(&bytes[..cut]))
            .unwrap_err();
    }
    drop((attachments, counter));
    hosted.end();
}
