//! What the system says about the threads of this process: who there is, who sleeps, and in what.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The number of a thread, as the system counts.
pub(crate) type ThreadNumber = u32;

const TASKS: &str = "/proc/self/task";

/// The threads of this process. Empty where the system does not tell.
pub(crate) fn all() -> BTreeSet<ThreadNumber> {
    let Ok(entries) = fs::read_dir(TASKS) else { return BTreeSet::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The calling thread.
pub(crate) fn current() -> Option<ThreadNumber> {
    let link = fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

/// The name of a thread, of which the system keeps 15 bytes. `None` once the thread has ended.
pub(crate) fn name(thread: ThreadNumber) -> Option<String> {
    read(thread, "comm")
}

/// True if the thread waits for something. `None` where the system does not tell, or once the thread has ended.
pub(crate) fn is_asleep(thread: ThreadNumber) -> Option<bool> {
    let stat = read(thread, "stat")?;
    // The state follows the name, which stands in parentheses and may hold any character.
    let state = stat.rsplit(')').next()?.trim_start().chars().next()?;
    Some(matches!(state, 'S' | 'D'))
}

fn read(thread: ThreadNumber, file: &str) -> Option<String> {
    let path = Path::new(TASKS).join(thread.to_string()).join(file);
    fs::read_to_string(path).ok().map(|text| text.trim_end().to_owned())
}

/// One line for each thread: its name, its state, and what it waits in.
pub(crate) fn describe_all() -> String {
    let mut text = String::new();
    for thread in all() {
        let [name, wait, call] = ["comm", "wchan", "syscall"].map(|file| read(thread, file).unwrap_or_default());
        let state = match is_asleep(thread) {
            Some(true) => "asleep",
            Some(false) => "awake",
            None => "unknown",
        };
        let call = call.split(' ').next().unwrap_or_default();
        text.push_str(&format!("  thread {thread} `{name}`: {state}, waits in `{wait}`, system call {call}\n"));
    }
    text
}
