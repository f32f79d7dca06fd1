//! Waiting for a process and for its outcome: with a limit, by its descriptor, by an await.

use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use executor_core::JobError;
use executor_process::{Exit, Process};
use executor_testkit::{Gate, Log, jobs, scaled};
use futures::executor::block_on;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::common::{THREADED_METHODS, watched};
use crate::{quiet, sleep};

/// Longer than any test takes.
fn long() -> Duration {
    scaled(Duration::from_secs(20))
}

/// True if the descriptor is readable now.
fn is_readable(fd: &impl AsFd) -> bool {
    poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() > 0
}

#[test]
fn law_200_a_join_without_time_returns_at_once() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let mut process = quiet(method).spawn(jobs::pass::job(gate.pass(), 5)).unwrap();
        gate.wait_for(1);
        for limit in [Duration::ZERO, Duration::from_millis(1)] {
            assert_eq!(process.join_timeout(limit), None);
            assert!(matches!(process.result_timeout(limit), Err(JobError::Timeout)));
            assert!(process.is_alive() && process.exit_status().is_none());
        }
        gate.open();
        assert_eq!(process.join_timeout(Duration::MAX), Some(Exit::Code(0)));
        assert_eq!(process.join_timeout(Duration::ZERO), Some(Exit::Code(0)));
        assert_eq!(process.result_timeout(long()).unwrap(), 5);
    }
}

#[test]
fn law_204_the_descriptor_tells_of_the_end() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let process = quiet(method).spawn(jobs::pass::job(gate.pass(), 3)).unwrap();
        gate.wait_for(1);
        assert!(!is_readable(&process) && !is_readable(&process.handle()));
        gate.open();
        poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE).unwrap();
        // Whoever was told of the end by the descriptor finds it everywhere.
        assert_eq!(process.exit_status(), Some(Exit::Code(0)));
        assert!(!process.is_alive() && is_readable(&process.handle()));
        assert_eq!(process.join_timeout(Duration::ZERO), Some(Exit::Code(0)));
    }
}

#[test]
fn law_205_an_outcome_is_taken_once() {
    let _watched = watched();
    let mut process = Process::spawn(jobs::echo::job(5)).unwrap();
    let handle = process.handle();
    assert_eq!(process.result_timeout(long()).unwrap(), 5);
    assert!(matches!(process.result_timeout(long()), Err(JobError::Taken)));
    assert!(matches!(process.result(), Err(JobError::Taken)));
    assert_eq!((handle.join(), handle.is_alive()), (Exit::Code(0), false));
}

#[test]
fn it_is_awaited_without_a_runtime() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let processes = [1, 2, 3].map(|n| quiet(method).spawn(jobs::pass::job(gate.pass(), n)).unwrap());
        let handles = processes.each_ref().map(Process::handle);
        let all = futures::future::try_join_all(processes);
        let opens = thread::spawn(move || {
            gate.wait_for(3);
            gate.open();
        });
        assert_eq!(block_on(all).unwrap(), [1, 2, 3], "{method:?}");
        assert!(handles.iter().all(|handle| handle.exit_status() == Some(Exit::Code(0))));
        opens.join().unwrap();
    }
}

#[test]
fn under_tokio_a_wait_that_is_given_up_loses_nothing() {
    let _watched = watched();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for method in THREADED_METHODS {
        runtime.block_on(async {
            let gate = Gate::new();
            let mut process = quiet(method).spawn(jobs::pass::job(gate.pass(), 9)).unwrap();
            let limit = Duration::from_millis(2);
            assert!(tokio::time::timeout(limit, &mut process).await.is_err());
            assert!(process.is_alive());
            gate.open();
            assert_eq!((&mut process).await.unwrap(), 9);
            assert_eq!(process.exit_status(), Some(Exit::Code(0)));
            let log = Log::new();
            let mut process = quiet(method).spawn(sleep::job(log.pen())).unwrap();
            assert!(tokio::time::timeout(limit, &mut process).await.is_err());
            process.kill().unwrap();
            assert!(matches!(process.await, Err(JobError::WorkerDied { .. })));
        });
    }
}
