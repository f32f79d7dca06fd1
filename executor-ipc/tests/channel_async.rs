//! Channels that are awaited, in any runtime.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod channels;

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use channels::watched;
use executor_ipc::{Receiver, RecvError, SendError, Sender, duplex, pipe};
use futures::future::{join, join_all};

/// Runs a future to its end.
type Run = fn(Pin<Box<dyn Future<Output = ()> + Send>>);

/// The runtimes. That of tokio has two threads.
const RUNTIMES: [(&str, Run); 3] = [
    ("futures", |future| futures::executor::block_on(future)),
    ("smol", |future| smol::block_on(smol::spawn(future))),
    ("tokio", |future| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(runtime.spawn(future)).unwrap();
    }),
];

/// True if the future is not ready. It is polled once.
fn is_pending<F: Future>(future: Pin<&mut F>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[test]
fn messages_are_awaited_in_any_runtime() {
    for (name, run) in RUNTIMES {
        watched(name, || {
            let (here, there) = duplex::<u64, String>().unwrap();
            let answers = thread::spawn(move || {
                while let Ok(number) = there.recv() {
                    there.send(&format!("{number}")).unwrap();
                }
            });
            run(Box::pin(async move {
                for number in 0..1000 {
                    here.send_async(&number).await.unwrap();
                    assert_eq!(here.recv_async().await.unwrap(), number.to_string());
                }
            }));
            answers.join().unwrap();
        });
    }
}

#[test]
fn a_full_channel_and_its_end_are_awaited() {
    for (name, run) in RUNTIMES {
        watched(name, || {
            let (tx, rx) = pipe::<String>().unwrap();
            run(Box::pin(async move {
                let sending = async move {
                    for number in 0..2000_usize {
                        // Some are in arenas.
                        tx.send_async(&"x".repeat(if number % 100 == 0 { 100_000 } else { number })).await.unwrap();
                    }
                };
                let receiving = async {
                    let mut count = 0;
                    loop {
                        match rx.recv_async().await {
                            Ok(text) => assert_eq!(text.len(), if count % 100 == 0 { 100_000 } else { count }),
                            Err(error) => return assert!(matches!(error, RecvError::Disconnected) && count == 2000),
                        }
                        count += 1;
                    }
                };
                join(sending, receiving).await;
            }));
        });
    }
}

#[test]
fn many_tasks_await_one_channel() {
    for (name, run) in RUNTIMES {
        watched(name, || {
            let (tx, rx) = pipe::<u64>().unwrap();
            run(Box::pin(async move {
                let receiving = join_all((0..8).map(|_| sum(rx.clone())));
                let sending = join_all((0..4).map(|_| count(tx.clone())));
                drop(tx);
                let (sums, _) = join(receiving, sending).await;
                assert_eq!(sums.into_iter().sum::<u64>(), 4 * (0..500).sum::<u64>());
            }));
        });
    }
}

async fn count(tx: Sender<u64>) {
    for number in 0..500 {
        tx.send_async(&number).await.unwrap();
    }
}

async fn sum(rx: Receiver<u64>) -> u64 {
    let mut sum = 0;
    while let Ok(number) = rx.recv_async().await {
        sum += number;
    }
    sum
}

/// A dropped receive loses nothing, and a dropped send has sent nothing.
#[test]
fn what_is_dropped_loses_nothing() {
    let (tx, rx) = pipe::<u64>().unwrap();
    for number in 0..300 {
        {
            let mut receiving = pin!(rx.recv_async());
            assert!(is_pending(receiving.as_mut()));
            tx.send(&number).unwrap();
            // It is woken now or later, and dropped before it looks.
        }
        assert_eq!(futures::executor::block_on(rx.recv_async()).unwrap(), number);
    }
    let sent = (0..).take_while(|number| tx.try_send(number).is_ok()).count() as u64;
    for _ in 0..20 {
        let mut sending = pin!(tx.send_async(&u64::MAX));
        assert!(is_pending(sending.as_mut()));
    }
    // One that was never polled has not sent anything either.
    drop(tx.send_async(&u64::MAX));
    drop(tx);
    assert_eq!(rx.iter().map(Result::unwrap).collect::<Vec<_>>(), (0..sent).collect::<Vec<_>>());
}

/// A receive with a time limit of the runtime's own is dropped at some instant or other of the arrival.
#[test]
fn receives_that_are_dropped_at_any_time_lose_nothing() {
    watched("dropped receives", || {
        let (tx, rx) = pipe::<u64>().unwrap();
        let sending = thread::spawn(move || {
            for number in 0..2000 {
                tx.send(&number).unwrap();
                if number % 3 == 0 {
                    thread::yield_now();
                }
            }
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        runtime.block_on(async {
            let mut next = 0;
            for round in 0_u64.. {
                let limit = Duration::from_micros(round % 50);
                match tokio::time::timeout(limit, rx.recv_async()).await {
                    Ok(Ok(number)) => {
                        assert_eq!(number, next);
                        next += 1;
                    }
                    Ok(Err(error)) => {
                        assert!(matches!(error, RecvError::Disconnected) && next == 2000);
                        break;
                    }
                    Err(_) => {}
                }
            }
        });
        sending.join().unwrap();
    });
}

#[test]
fn a_task_hears_of_the_end() {
    watched("the end", || {
        let (tx, rx) = pipe::<u64>().unwrap();
        let mut receiving = pin!(rx.recv_async());
        assert!(is_pending(receiving.as_mut()));
        let dropping = thread::spawn(move || drop(tx));
        assert!(matches!(futures::executor::block_on(receiving), Err(RecvError::Disconnected)));
        dropping.join().unwrap();
        let (tx, rx) = pipe::<u64>().unwrap();
        while tx.try_send(&1).is_ok() {}
        let mut sending = pin!(tx.send_async(&1));
        assert!(is_pending(sending.as_mut()));
        let dropping = thread::spawn(move || drop(rx));
        assert!(matches!(futures::executor::block_on(sending), Err(SendError::Disconnected)));
        dropping.join().unwrap();
    });
}

/// Errors of the message itself are those of the other forms.
#[test]
fn errors_are_the_same() {
    let (tx, rx) = pipe::<String>().unwrap();
    let short = tx.clone().with_message_bytes_max(3);
    let error = futures::executor::block_on(short.send_async(&"long".to_owned())).unwrap_err();
    assert!(matches!(error, SendError::TooLarge { bytes_max: 3 }));
    tx.send(&"long".to_owned()).unwrap();
    let rx = rx.with_message_bytes_max(3);
    let error = futures::executor::block_on(rx.recv_async()).unwrap_err();
    assert!(matches!(error, RecvError::TooLarge { bytes: 5, bytes_max: 3 }));
}

/// One end may be here more than once, under numbers of its own, and be awaited under each.
#[test]
fn an_end_that_came_twice_is_awaited_twice() {
    watched("twice", || {
        let (outer, arrives) = pipe::<(Receiver<u64>, Receiver<u64>)>().unwrap();
        let (tx, rx) = pipe::<u64>().unwrap();
        outer.send(&(rx.clone(), rx.clone())).unwrap();
        let (one, other) = arrives.recv().unwrap();
        let received = thread::spawn(move || {
            let all = join_all([one.recv_async(), other.recv_async(), rx.recv_async()]);
            futures::executor::block_on(all).into_iter().map(Result::unwrap).sum::<u64>()
        });
        [1, 2, 4].iter().for_each(|number| tx.send(number).unwrap());
        assert_eq!(received.join().unwrap(), 7);
    });
}

/// The futures go to any thread, whatever the messages are.
#[test]
fn futures_are_for_every_thread() {
    fn is_send(_: &impl Send) {}
    let (tx, rx) = pipe::<std::cell::Cell<u8>>().unwrap();
    is_send(&tx.send_async(&std::cell::Cell::new(1)));
    is_send(&rx.recv_async());
    let (here, there) = duplex::<std::cell::Cell<u8>, std::cell::Cell<u8>>().unwrap();
    is_send(&here.send_async(&std::cell::Cell::new(1)));
    is_send(&there.recv_async());
}
