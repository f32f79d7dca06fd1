//! The executable is replaced on disk while a pool runs, as by an upgrade, or deleted: workers that start later are still
//! those of the program that runs, or the error says why there are none.
//!
//! Without a harness, so that the program has one thread and can be forked. Each case runs a copy of this program, which
//! does it to itself.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, without the harness by which a lint would know it"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{METHODS, THREADED_METHODS, all_workers_of, has_ended, kill, method_of, named, stat, watched};
use executor_core::{Executor, JobError, JobOptions, Retries};
use executor_process::{ProcessExecutor, StartMethod};
use executor_testkit::{eventually, jobs};

const WORKERS: usize = 2;

fn main() {
    executor_process::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let ["copy", method, change] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return outlive(method_of(method), change);
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("replaced-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut failures = Vec::new();
    for method in METHODS {
        for change in ["renamed_over", "deleted"] {
            let copy = folder.join(format!("{method:?}-{change}"));
            fs::copy("/proc/self/exe", &copy).unwrap();
            let status = Command::new(&copy).args(["copy", &format!("{method:?}"), change]).status().unwrap();
            println!("test {change}_under_{method:?} ... {}", if status.success() { "ok" } else { "FAILED" });
            failures.extend((!status.success()).then_some(status));
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    assert!(failures.is_empty(), "{failures:?}");
}

/// Puts another program in the place of this one, or nothing.
fn replace(change: &str) {
    let path = std::env::current_exe().unwrap();
    if change == "deleted" {
        return fs::remove_file(path).unwrap();
    }
    let other = path.with_extension("new");
    fs::copy("/bin/false", &other).unwrap();
    fs::rename(other, path).unwrap();
}

/// A pool whose executable is no more.
fn outlive(method: StartMethod, change: &str) {
    let pool = named("outlives", WORKERS).start_method(method).build().unwrap();
    let _watched = watched();
    assert_eq!(pool.map(jobs::echo::job, 0..100).filter(Result::is_ok).count(), 100);
    let workers = all_workers_of("outlives", WORKERS);
    replace(change);
    let others = replaced_workers(&pool, &workers);
    assert!(others.iter().all(|&pid| is_gone_from_disk(pid)));
    kill_server(method, &pool, &others);
    // Another pool of the same program.
    for method in THREADED_METHODS {
        let second = named("second", WORKERS).start_method(method).build().unwrap();
        assert_eq!(second.map(jobs::echo::job, 0..100).filter(Result::is_ok).count(), 100, "{method:?}");
    }
}

/// Kills these workers of the pool, and gives those that came after them.
fn replaced_workers(pool: &ProcessExecutor, workers: &[u32]) -> Vec<u32> {
    assert!(workers.iter().all(|&pid| kill(pid)));
    eventually("the workers have ended", || workers.iter().all(|&pid| has_ended(pid)));
    still_works(pool);
    let others = all_workers_of("outlives", WORKERS);
    assert!(others.iter().all(|pid| !workers.contains(pid)));
    others
}

/// Some of the jobs may have been sent to a worker just before it was known to be dead.
fn still_works(pool: &ProcessExecutor) {
    let again = || JobOptions::new().retries(Retries::times(20));
    let futures: Vec<_> = (0..50).map(|n| pool.submit_with(jobs::echo::job(n), again())).collect();
    for (n, future) in (0..).zip(futures) {
        assert_eq!(future.result().unwrap(), n);
    }
}

/// The fork server is started anew from the executable; one that was forked from the program cannot be.
fn kill_server(method: StartMethod, pool: &ProcessExecutor, workers: &[u32]) {
    let servers: BTreeSet<u32> = workers.iter().filter_map(|&pid| Some(stat(pid)?.1)).collect();
    assert_eq!(servers.len(), 1);
    let server = *servers.first().unwrap();
    if server == std::process::id() {
        return;
    }
    assert!(kill(server));
    eventually("the workers have ended", || workers.iter().all(|&pid| has_ended(pid)));
    if method != StartMethod::Fork {
        return still_works(pool);
    }
    match pool.submit_with(jobs::echo::job(1), JobOptions::new().retries(Retries::times(20))).result() {
        Err(JobError::Broken { cause }) => assert!(cause.contains("build the pool anew"), "{cause}"),
        other => panic!("{other:?}"),
    }
}

/// True if the file that a process runs has another name by now, or none.
fn is_gone_from_disk(pid: u32) -> bool {
    let path = fs::read_link(Path::new("/proc").join(pid.to_string()).join("exe")).unwrap();
    path.to_string_lossy().ends_with(" (deleted)")
}
