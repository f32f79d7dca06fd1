//! What the tests of commands share: pools, folders, and processes that are found again.

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use executor_core::{Backend, Executor, InlineExecutor};
use executor_process::{Command, CommandError, CommandOutput, Exit, command};
use executor_testkit::eventually;

use crate::common::{THREADED_METHODS, has_ended, kill, named};

/// A short grace, for programs that are known to let it pass.
pub(crate) const SHORT: Duration = Duration::from_millis(100);

/// A tree of four processes that ignore `SIGTERM`, after it has sent that to its whole group.
pub(crate) const TREE: &str = "trap '' TERM; kill -TERM 0; sh -c 'sleep 1000 & wait' & sleep 1000 & echo up; wait";
pub(crate) const TREE_PROCESSES: usize = 4;

pub(crate) const KILLED: Exit = Exit::Signal { number: 9, core_dumped: false };

/// A pool of every kind that this crate can name, inline first.
pub(crate) fn pools() -> Vec<Box<dyn Backend>> {
    let mut pools: Vec<Box<dyn Backend>> = vec![Box::new(InlineExecutor::builder().encode(true).build().unwrap())];
    for method in THREADED_METHODS {
        pools.push(Box::new(named("command", 1).start_method(method).build().unwrap()));
    }
    pools
}

/// Runs a command without any pool and on each, and gives the one outcome.
#[track_caller]
pub(crate) fn everywhere(command: &Command) -> Result<CommandOutput, CommandError> {
    // Never dropped: its processes end with this one.
    static POOLS: OnceLock<Vec<Box<dyn Backend>>> = OnceLock::new();
    let here = command.clone().run();
    for pool in POOLS.get_or_init(pools) {
        let there = pool.submit(command.clone()).result().unwrap();
        assert_eq!(there, here, "{:?}", pool.capabilities());
    }
    here
}

pub(crate) fn sh(script: &str) -> Command {
    command("sh").args(["-c", script])
}

/// A folder that is removed with this value.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("executor-command-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Folder(folder)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Marks a command, so that every process it becomes is found by its environment.
pub(crate) struct Tag(String);

impl Tag {
    pub(crate) fn new() -> Tag {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Tag(format!("{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    pub(crate) fn on(&self, command: Command) -> Command {
        command.env("EXECUTOR_COMMAND_TAG", &self.0)
    }

    /// The processes that live.
    pub(crate) fn found(&self) -> Vec<u32> {
        let line = format!("EXECUTOR_COMMAND_TAG={}", self.0).into_bytes();
        let pids =
            fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let is_tagged = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|variable| variable == line) && !has_ended(*pid)
        };
        pids.filter(is_tagged).collect()
    }

    /// Waits until there are so many; gives them, and the guard of their group.
    pub(crate) fn all(&self, count: usize) -> Vec<u32> {
        eventually("the processes of the command are there", || self.found().len() == count);
        let mut pids = self.found();
        pids.push(group_of(pids[0]));
        pids
    }

    pub(crate) fn kill_all(&self) {
        for pid in self.found() {
            kill(pid);
        }
    }

    #[track_caller]
    pub(crate) fn assert_gone(&self, pids: &[u32]) {
        eventually("the group is gone", || pids.iter().all(|&pid| has_ended(pid)) && self.found().is_empty());
    }
}

/// The number of a process's group, which is that of the guard.
fn group_of(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(2).unwrap().parse().unwrap()
}
