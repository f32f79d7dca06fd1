//! Dicts, lists, namespaces and counters: what they hold, and calls that read and write in one.

use std::thread;

use executor_ipc::manager::{Dict, List, ManagerError};

use crate::Test;
use crate::child::Host;

pub(crate) const TESTS: &[Test] = &[
    ("containers_hold_and_change_values", containers_hold_and_change_values),
    ("entries_are_a_copy", entries_are_a_copy),
    ("read_and_write_is_one_call", read_and_write_is_one_call),
    ("many_calls_in_one_go", many_calls_in_one_go),
];

/// Law 259: containers behave as local ones do.
fn containers_hold_and_change_values(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let dict: Dict<String, Vec<u8>> = manager.dict().unwrap();
    assert_eq!(dict.insert("a", &vec![1]).unwrap(), None);
    assert_eq!(dict.insert("a", &vec![2]).unwrap(), Some(vec![1]));
    assert_eq!(dict.get("a").unwrap(), Some(vec![2]));
    assert_eq!(dict.get("b").unwrap(), None);
    assert_eq!(dict.insert_if_absent("a", &vec![9]).unwrap(), Some(vec![2]));
    assert_eq!(dict.insert_if_absent("b", &vec![9]).unwrap(), None);
    assert_eq!(dict.get_or_insert("c", vec![7]).unwrap(), vec![7]);
    assert_eq!(dict.compare_exchange("a", Some(&vec![1]), None).unwrap(), Err(Some(vec![2])));
    assert_eq!(dict.compare_exchange("z", Some(&vec![1]), None).unwrap(), Err(None));
    assert_eq!(dict.compare_exchange("z", None, Some(&vec![1])).unwrap(), Ok(()));
    assert_eq!(dict.compare_exchange("z", Some(&vec![1]), Some(&vec![3])).unwrap(), Ok(()));
    assert_eq!(dict.compare_exchange("z", Some(&vec![3]), None).unwrap(), Ok(()));
    assert_eq!(dict.update("a", |value| value.map(|value| [value, vec![5]].concat())).unwrap(), Some(vec![2, 5]));
    assert_eq!(dict.update("new", |value| value.or(Some(vec![0]))).unwrap(), Some(vec![0]));
    assert_eq!(dict.update("new", |_| None).unwrap(), None);
    assert!(dict.contains_key("b").unwrap() && !dict.contains_key("new").unwrap());
    assert_eq!((dict.len().unwrap(), dict.remove("b").unwrap(), dict.remove("b").unwrap()), (3, Some(vec![9]), None));
    dict.clear().unwrap();
    assert!(dict.is_empty().unwrap());

    let list: List<String> = manager.list().unwrap();
    let texts = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(list.push(&texts[1]).unwrap(), 1);
    assert_eq!(list.push_front(&texts[0]).unwrap(), 2);
    assert_eq!(list.extend(&texts).unwrap(), 5);
    assert_eq!(list.insert(5, &texts[2]).unwrap(), 6);
    assert_eq!(list.remove(2).unwrap(), "a");
    assert_eq!(list.set(0, &texts[2]).unwrap(), "a");
    assert_eq!(list.compare_exchange(0, &texts[0], &texts[1]).unwrap(), Err("c".to_owned()));
    assert_eq!(list.compare_exchange(0, &texts[2], &texts[1]).unwrap(), Ok(()));
    assert_eq!(list.to_vec().unwrap(), ["b", "b", "b", "c", "c"]);
    assert_eq!((list.get(4).unwrap().as_deref(), list.get(5).unwrap()), (Some("c"), None));
    assert!(matches!(list.set(5, &texts[0]), Err(ManagerError::OutOfRange { index: 5, len: 5 })));
    assert!(matches!(list.remove(5), Err(ManagerError::OutOfRange { .. })));
    assert!(matches!(list.insert(6, &texts[0]), Err(ManagerError::OutOfRange { .. })));
    assert_eq!((list.pop().unwrap().as_deref(), list.pop_front().unwrap().as_deref()), (Some("c"), Some("b")));
    list.clear().unwrap();
    assert!(list.is_empty().unwrap() && list.pop().unwrap().is_none());

    let names = manager.namespace().unwrap();
    names.set("n", &1_i64).unwrap();
    assert_eq!(names.fetch_add("n", 4).unwrap(), 1);
    assert_eq!(names.fetch_add("m", -1).unwrap(), 0);
    assert_eq!(names.swap("n", &7_i64).unwrap(), Some(5_i64));
    assert_eq!(names.compare_exchange("n", Some(&8_i64), &9).unwrap(), Err(Some(7)));
    assert_eq!(names.compare_exchange("n", Some(&7_i64), &9).unwrap(), Ok(()));
    names.set("text", &"words".to_owned()).unwrap();
    assert!(matches!(names.fetch_add("text", 1), Err(ManagerError::NotANumber)));
    let mut all = names.names().unwrap();
    all.sort_unstable();
    assert_eq!(all, ["m", "n", "text"]);
    assert!(names.remove("m").unwrap() && !names.remove("m").unwrap());
    drop((dict, list, names));
    hosted.end();
}

/// Law 259, otherwise: what is read is a copy, so that nobody changes it under a reader.
fn entries_are_a_copy(host: Host) {
    let hosted = host.start();
    let dict: Dict<u32, String> = hosted.manager.dict().unwrap();
    (0..1000).try_for_each(|n| dict.insert(&n, &n.to_string()).map(drop)).unwrap();
    let mut entries = dict.entries().unwrap();
    for (key, value) in &entries {
        dict.insert(key, &format!("{value}!")).unwrap();
        dict.remove(&(key + 1)).unwrap();
    }
    entries.sort_unstable();
    assert!(entries.len() == 1000 && entries.iter().all(|(key, value)| *value == key.to_string()));
    assert_eq!(dict.keys().unwrap().len(), dict.values().unwrap().len());
    drop(dict);
    hosted.end();
}

fn read_and_write_is_one_call(host: Host) {
    const THREADS: i64 = 4;
    const TIMES: i64 = 250;
    let hosted = host.start();
    let manager = &hosted.manager;
    let (counter, list) = (manager.counter(0).unwrap(), manager.list::<i64>().unwrap());
    let dict: Dict<String, i64> = manager.dict().unwrap();
    let seen: Dict<usize, i64> = manager.dict().unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (counter, list, dict, seen) = (&counter, &list, &dict, &seen);
            scope.spawn(move || {
                for n in 0..TIMES {
                    counter.fetch_add(1).unwrap();
                    dict.fetch_add("added", 1).unwrap();
                    dict.update("updated", |value| Some(value.unwrap_or(0) + 1)).unwrap();
                    let mut found = dict.get("exchanged").unwrap();
                    while let Err(now) =
                        dict.compare_exchange("exchanged", found.as_ref(), Some(&(found.unwrap_or(0) + 1))).unwrap()
                    {
                        found = now;
                    }
                    // The length is another one for each.
                    let len = list.push(&(thread * TIMES + n)).unwrap();
                    assert_eq!(seen.insert_if_absent(&len, &thread).unwrap(), None);
                }
            });
        }
    });
    let all = Some(THREADS * TIMES);
    assert_eq!(Some(counter.get().unwrap()), all);
    assert_eq!(["added", "updated", "exchanged"].map(|key| dict.get(key).unwrap()), [all; 3]);
    assert_eq!((list.len().unwrap(), seen.len().unwrap()), (1000, 1000));
    assert_eq!(counter.fetch_max(5000).unwrap(), 1000);
    assert_eq!(counter.fetch_min(-1).unwrap(), 5000);
    assert_eq!((counter.swap(i64::MAX).unwrap(), counter.fetch_sub(-1).unwrap()), (-1, i64::MAX));
    assert_eq!(counter.get().unwrap(), i64::MIN);
    drop((counter, list, dict, seen));
    hosted.end();
}

fn many_calls_in_one_go(host: Host) {
    const COUNT: u32 = 10_000;
    let hosted = host.start();
    let dict: Dict<u32, String> = hosted.manager.dict().unwrap();
    dict.insert_many((0..COUNT).map(|n| (n, format!("value {n}")))).unwrap();
    let keys: Vec<u32> = (0..COUNT + 10).collect();
    let values = dict.get_many(&keys).unwrap();
    for (key, value) in keys.iter().zip(&values) {
        assert_eq!(*value, (*key < COUNT).then(|| format!("value {key}")));
    }
    assert_eq!(dict.get_many(&[] as &[u32]).unwrap(), Vec::new());
    // Answers that are far longer than the calls: both sides have much to send.
    let large: List<Vec<u8>> = hosted.manager.list().unwrap();
    large.push(&vec![7; 100_000]).unwrap();
    let many = large.get_many((0..2000).map(|n| if n % 50 == 0 { 0 } else { 1 })).unwrap();
    assert_eq!(many.iter().flatten().map(Vec::len).sum::<usize>(), 40 * 100_000);
    // And calls that are.
    dict.insert_many((0..40).map(|n| (n, "x".repeat(100_000)))).unwrap();
    assert_eq!(dict.get(&39).unwrap().unwrap().len(), 100_000);
    // An iterator that panics in the midst costs nobody the connection, or what the session has.
    let stats = hosted.manager.stats().unwrap();
    let panicking = std::panic::AssertUnwindSafe(|| {
        let keys = (0..5000_usize).inspect(|&n| {
            if n == 4000 {
                std::panic::resume_unwind(Box::new(()))
            }
        });
        large.get_many(keys.map(|n| n % 2)).map(drop)
    });
    std::panic::catch_unwind(panicking).unwrap_err().downcast::<()>().unwrap();
    assert_eq!((large.len().unwrap(), hosted.manager.stats().unwrap()), (1, stats));
    drop((dict, large));
    hosted.end();
}
