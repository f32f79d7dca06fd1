//! Processes of this program, and what they are told to do.

use std::time::Duration;

use executor_ipc::manager::{Address, AuthKey, Barrier, Dict, List, Manager, ManagerError, Queue, Server};
use serde::{Deserialize, Serialize};

use crate::board::BoardProxy;
use crate::{peer, rooms, storm};

/// Where the server of a test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Thread,
    Process,
}

/// A manager, and the process of its server if it has one.
pub(crate) struct Hosted {
    pub(crate) manager: Manager,
    pub(crate) process: Option<Peer>,
}

impl Host {
    pub(crate) fn start(self) -> Hosted {
        self.start_with(Manager::builder())
    }

    pub(crate) fn start_with(self, builder: executor_ipc::manager::ManagerBuilder) -> Hosted {
        match self {
            Host::Thread => Hosted { manager: builder.start().unwrap(), process: None },
            Host::Process => {
                let (server, manager) = builder.pair().unwrap();
                let process = Peer::start();
                process.tell(&Order::Serve(server));
                Hosted { manager, process: Some(process) }
            }
        }
    }
}

impl Hosted {
    /// Drops the manager, and sees the server end by itself.
    pub(crate) fn end(self) {
        let Hosted { manager, process } = self;
        drop(manager);
        if let Some(process) = process {
            process.end();
        }
    }
}

/// What a child is to do. It answers each order with one message, but for the first.
#[derive(Serialize, Deserialize)]
pub(crate) enum Order {
    /// And nothing else.
    Serve(Server),
    /// `"done"`, or what went wrong.
    Use(Manager, Toolkit),
    /// `"got it"`, and keeps it.
    Keep(Dict<String, List<u32>>),
    /// `"done"` when it has put a 1 into it.
    Put(Queue<u64>),
    /// What is in what is kept.
    Look,
    /// Connects, and multiplies each task by itself until there are none.
    Work { address: Address, key: Vec<u8> },
    /// A proxy that came from another machine: the number of its items, before it is connected and after.
    Elsewhere { queue: Queue<u64>, address: Address, key: Vec<u8> },
    /// `"done"`, or what went wrong.
    Visit { manager: Manager, name: String },
    /// The same, of a manager that listens.
    VisitAt { address: Address, key: Vec<u8>, name: String },
    /// Says `"begun"` when it is at it, and then waits for what never comes.
    Wait(What),
    /// Says `"begun"` when it holds it, and holds it until it is killed.
    Hold(What),
    /// Says `"begun"` after the first round, and goes on until it is killed.
    Storm(storm::Field),
}

#[derive(Serialize, Deserialize)]
pub(crate) enum What {
    Queue(Queue<u64>),
    Lock(executor_ipc::manager::Lock),
    Permit(executor_ipc::manager::Semaphore),
    Event(executor_ipc::manager::Event),
    Barrier(Barrier),
    Condition(executor_ipc::manager::Condition),
}

/// One of each kind, for a process that uses them all.
#[derive(Serialize, Deserialize)]
pub(crate) struct Toolkit {
    pub(crate) dict: Dict<String, i64>,
    pub(crate) namespace: executor_ipc::manager::Namespace,
    pub(crate) list: List<String>,
    pub(crate) queue: Queue<u64>,
    pub(crate) lock: executor_ipc::manager::Lock,
    pub(crate) condition: executor_ipc::manager::Condition,
    pub(crate) semaphore: executor_ipc::manager::Semaphore,
    pub(crate) event: executor_ipc::manager::Event,
    pub(crate) counter: executor_ipc::manager::Counter,
    pub(crate) barrier: Barrier,
    pub(crate) board: BoardProxy,
}

/// A process with this program, which answers in words.
pub(crate) type Peer = peer::Peer<Order>;

/// The child, if this process is one.
pub(crate) fn serve() -> bool {
    let mut kept = None;
    peer::serve(|asker, order| {
        let said = match order {
            Order::Serve(server) => return server.run(),
            Order::Keep(dict) => {
                kept = Some(dict);
                "got it".to_owned()
            }
            Order::Look => look(kept.as_ref().unwrap()),
            Order::Use(manager, tools) => in_words(use_all(&manager, &tools), "done"),
            Order::Work { address, key } => in_words(work(address, key), "done"),
            Order::Put(queue) => in_words(queue.put(&1), "done"),
            Order::Visit { manager, name } => in_words(rooms::visit(&manager, &name), "done"),
            Order::VisitAt { address, key, name } => in_words(rooms::visit_at(address, key, &name), "done"),
            Order::Elsewhere { queue, address, key } => {
                let before = queue.len().unwrap_err().to_string();
                let _manager = Manager::connect(address, &AuthKey::new(key).unwrap()).unwrap();
                format!("{before}; {}", queue.len().unwrap())
            }
            Order::Wait(what) => {
                asker.tell(&"begun");
                in_words(wait(&what), "it came")
            }
            Order::Hold(what) => {
                let held = hold(&what);
                asker.tell(&"begun");
                std::thread::park();
                drop(held);
                "released".to_owned()
            }
            Order::Storm(field) => storm::rage(&field, || asker.tell(&"begun")),
        };
        asker.tell(&said);
    })
}

fn in_words(done: Result<(), ManagerError>, words: &str) -> String {
    done.map_or_else(|error| format!("{error:?}"), |()| words.to_owned())
}

fn look(kept: &Dict<String, List<u32>>) -> String {
    format!("{:?}", kept.get("one").unwrap().unwrap().to_vec().unwrap())
}

fn wait(what: &What) -> Result<(), ManagerError> {
    match what {
        What::Queue(queue) => queue.get().map(drop),
        What::Lock(lock) => lock.lock().map(drop),
        What::Permit(semaphore) => semaphore.acquire().map(drop),
        What::Event(event) => event.wait(),
        What::Barrier(barrier) => barrier.wait().map(drop),
        What::Condition(condition) => condition.lock()?.wait().map(drop),
    }
}

fn hold(what: &What) -> Box<dyn std::any::Any> {
    match what {
        What::Lock(lock) => Box::new(lock.lock().unwrap()),
        What::Permit(semaphore) => Box::new(semaphore.acquire().unwrap()),
        What::Condition(condition) => Box::new(condition.lock().unwrap()),
        What::Queue(queue) => Box::new(queue.get().unwrap()),
        What::Event(_) | What::Barrier(_) => Box::new(()),
    }
}

/// Uses one of each kind, as the test that sent them does at the same time.
fn use_all(manager: &Manager, tools: &Toolkit) -> Result<(), ManagerError> {
    tools.event.wait()?;
    tools.dict.insert("child", &1)?;
    tools.dict.fetch_add("both", 1)?;
    tools.namespace.set("child", &vec![1_u8, 2])?;
    tools.list.push(&"child".to_owned())?;
    let item = tools.queue.get()?;
    tools.queue.task_done()?;
    {
        let _guard = tools.lock.lock()?;
        let before = tools.counter.get()?;
        tools.counter.set(before + i64::try_from(item).unwrap())?;
    }
    {
        let _permit = tools.semaphore.acquire()?;
        assert_eq!(tools.semaphore.available()?, 0);
    }
    assert_eq!(tools.board.add("child", 5)?, Ok(5));
    let own: Queue<u8> = manager.queue()?;
    manager.publish("from the child", &own)?;
    {
        let mut guard = tools.condition.lock()?;
        while !tools.dict.contains_key("go")? {
            guard = guard.wait_timeout(Duration::from_secs(3600))?.0;
        }
    }
    tools.barrier.wait()?;
    Ok(())
}

fn work(address: Address, key: Vec<u8>) -> Result<(), ManagerError> {
    let manager = Manager::connect(address, &AuthKey::new(key).unwrap())?;
    let tasks: Queue<u64> = manager.find("tasks")?;
    let results: Queue<(u64, u64)> = manager.find("results")?;
    loop {
        match tasks.get() {
            Ok(n) => results.put(&(n, n * n))?,
            Err(ManagerError::Closed) => return Ok(()),
            Err(error) => return Err(error),
        }
        tasks.task_done()?;
    }
}
