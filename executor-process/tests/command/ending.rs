//! How a program ends, and its group with it.

use std::time::Duration;

use executor_core::{Executor, InlineExecutor, JobError, JobHandle, JobOptions};
use executor_process::{CommandError, Exit, StartMethod, command};
use executor_testkit::{eventually, hang_guard, scaled};

use crate::common::{THREADED_METHODS, all_workers_of, kill, named, watched};
use crate::tools::{Folder, KILLED, SHORT, TREE, TREE_PROCESSES, Tag, everywhere, pools, sh};

#[test]
fn a_run_limit_ends_a_whole_group_that_ignores_sigterm() {
    let _watched = watched();
    for pool in pools() {
        let tag = Tag::new();
        let limit = Duration::from_millis(500);
        let tree = tag.on(sh(TREE)).run_limit(limit).grace(SHORT);
        let error = pool.submit(tree).result().unwrap().unwrap_err();
        let CommandError::RunLimit { program, limit, output } = &error else { panic!("{error}") };
        assert_eq!((program.as_str(), *limit), ("sh", Duration::from_millis(500)));
        // On a busy machine it may not have come to ignore `SIGTERM` by then.
        assert!(matches!(output.exit, Exit::Signal { number: 9 | 15, .. }), "{error}");
        tag.assert_gone(&[]);
    }
}

#[test]
fn a_run_limit_gives_its_grace() {
    let _watched = watched();
    let heeds = sh("trap 'echo bye; exit 5' TERM; echo up; sleep 1000 & wait");
    for pool in pools() {
        let limited = heeds.clone().run_limit(scaled(Duration::from_secs(2))).grace(hang_guard());
        let error = pool.submit(limited).result().unwrap().unwrap_err();
        assert!(matches!(error, CommandError::RunLimit { .. }), "{error}");
        assert_eq!(error.output().unwrap().exit, Exit::Code(5));
        assert_eq!(error.output().unwrap().stdout, b"up\nbye\n");
    }
    // Limits beyond what the clock counts are none.
    let output = everywhere(&command("echo").run_limit(Duration::MAX).grace(Duration::MAX)).unwrap();
    assert_eq!(output.stdout, b"\n");
    let error = command("sleep").arg("1000").run_limit(Duration::ZERO).grace(Duration::ZERO).run().unwrap_err();
    assert!(matches!(error, CommandError::RunLimit { .. }), "{error}");
}

#[test]
fn request_stop_ends_the_program() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("stop", 1).start_method(method).build().unwrap();
        let tag = Tag::new();
        let future = pool.submit(tag.on(sh(TREE)).grace(SHORT));
        let pids = tag.all(TREE_PROCESSES);
        future.request_stop();
        let error = future.result().unwrap().unwrap_err();
        let CommandError::Stopped { output, .. } = &error else { panic!("{error}") };
        assert_eq!((output.exit, &output.stdout[..]), (KILLED, &b"up\n"[..]));
        tag.assert_gone(&pids);
        assert_eq!(pool.stats().worker_restarts, 0);
    }
}

#[test]
fn whoever_was_asked_to_end_has_the_grace_although_the_program_has_ended() {
    let _watched = watched();
    let pool = named("grace", 1).build().unwrap();
    let folder = Folder::new();
    // The program ends by `SIGTERM` at once. What it started holds none of its outputs, and takes its time.
    let slow = "trap 'sleep 0.3; echo > written; exit' TERM; echo > up; sleep 1000 & wait";
    let future =
        pool.submit(sh(&format!("sh -c \"{slow}\" >/dev/null 2>&1 & wait")).current_dir(&folder.0).grace(hang_guard()));
    eventually("it is up", || folder.file("up").exists());
    future.request_stop();
    let error = future.result().unwrap().unwrap_err();
    assert!(matches!(error.output().unwrap().exit, Exit::Signal { number: 15, .. }), "{error:?}");
    assert!(folder.file("written").exists());
}

/// Runs the tree on a pool, does something to it, and checks that the whole group goes, the guard too.
fn ends_by(name: &str, options: &JobOptions, act: impl Fn(&JobHandle, u32)) -> Vec<JobError> {
    let ends = |method: StartMethod| {
        let pool = named(name, 1).start_method(method).build().unwrap();
        let tag = Tag::new();
        // Nobody but the guard would end it for a long time.
        let future = pool.submit_with(tag.on(sh(TREE)).grace(Duration::MAX), options.clone());
        let pids = tag.all(TREE_PROCESSES);
        act(&future.handle(), all_workers_of(name, 1)[0]);
        let error = future.result().unwrap_err();
        tag.assert_gone(&pids);
        assert_eq!(pool.submit(command("echo")).result().unwrap().unwrap().stdout, b"\n");
        error
    };
    THREADED_METHODS.map(ends).into()
}

#[test]
fn a_killed_job_takes_its_group_along() {
    let _watched = watched();
    for error in ends_by("killed", &JobOptions::new(), |job, _| assert!(job.kill())) {
        assert!(matches!(error, JobError::Killed), "{error}");
    }
}

#[test]
fn the_run_limit_of_a_job_takes_its_group_along() {
    let _watched = watched();
    for error in ends_by("limited", &JobOptions::new().run_limit(scaled(Duration::from_secs(4))), |_, _| {}) {
        assert!(matches!(error, JobError::RunLimit { .. }), "{error}");
    }
    // Where it is asked, and not enforced.
    let tag = Tag::new();
    let pool = InlineExecutor::new();
    let future = pool.submit_with(tag.on(sh(TREE)).grace(SHORT), JobOptions::new().run_limit(SHORT));
    assert!(matches!(future.result(), Err(JobError::RunLimit { .. })));
    tag.assert_gone(&[]);
}

#[test]
fn a_killed_worker_takes_the_group_along() {
    let _watched = watched();
    for error in ends_by("worker", &JobOptions::new(), |_, worker| assert!(kill(worker))) {
        assert!(matches!(error, JobError::WorkerDied { .. }), "{error}");
    }
}

#[test]
fn output_beyond_the_bound_is_an_error() {
    let _watched = watched();
    let bytes =
        |count: usize| sh(&format!("head -c {count} /dev/zero; head -c 10 /dev/zero >&2")).output_bytes_max(1000);
    assert_eq!(everywhere(&bytes(1000)).unwrap().stdout.len(), 1000);
    for pool in pools() {
        // Whether it comes to its end before it is ended, is open.
        let error = pool.submit(bytes(1001)).result().unwrap().unwrap_err();
        let CommandError::OutputTooLong { program, bytes_max, output } = &error else { panic!("{error}") };
        assert_eq!((program.as_str(), *bytes_max, output.stdout.len()), ("sh", 1000, 1000));
        // One that writes without end is ended, also one that does not heed it.
        for endless in ["yes", "yes >&2", "trap '' TERM; yes"] {
            let error = pool.submit(sh(endless).output_bytes_max(5).grace(SHORT)).result().unwrap().unwrap_err();
            let CommandError::OutputTooLong { output, .. } = &error else { panic!("{error}") };
            assert_eq!([&output.stdout[..], &output.stderr].concat(), b"y\ny\ny");
        }
    }
}

#[test]
fn whoever_holds_the_outputs_open_does_not_hold_the_job() {
    let _watched = watched();
    for (script, grace) in [
        ("sleep 1000 & echo out", SHORT),
        // Nobody waits for what holds no output, however long the grace is.
        ("sleep 1000 >/dev/null 2>&1 & echo out", Duration::MAX),
        // What it writes within the grace comes too.
        ("(sleep 0.1; echo out) &", hang_guard()),
    ] {
        for pool in pools() {
            let tag = Tag::new();
            let output = pool.submit(tag.on(sh(script)).grace(grace)).result().unwrap().unwrap();
            assert_eq!(output.stdout, b"out\n", "{script}");
            tag.assert_gone(&[]);
        }
    }
}

#[test]
fn a_program_that_leaves_its_group_is_ended_apart() {
    let _watched = watched();
    for script in ["sleep 1000", "trap '' TERM; sleep 1000"] {
        let tag = Tag::new();
        let leaves = command("setsid").args(["sh", "-c", script]);
        let error = tag.on(leaves).run_limit(SHORT).grace(SHORT).run().unwrap_err();
        assert!(matches!(error, CommandError::RunLimit { .. }), "{error}");
        // What had left with it is nobody's.
        tag.kill_all();
    }
    // One that leaves with the outputs open is waited for no longer than the grace.
    let tag = Tag::new();
    let output = tag.on(sh("setsid sleep 1000 & echo out")).grace(SHORT).run().unwrap();
    assert_eq!(output.stdout, b"out\n");
    tag.kill_all();
}

#[test]
fn a_dropped_future_lets_the_program_run() {
    let _watched = watched();
    for pool in pools() {
        let folder = Folder::new();
        drop(pool.submit(sh("sleep 0.1; echo > done").current_dir(&folder.0)));
        // The last handle waits for what runs.
        drop(pool);
        assert!(folder.file("done").exists());
    }
}
