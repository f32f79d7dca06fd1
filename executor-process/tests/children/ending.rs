//! How a process ends, and who is told: its exit status, its outcome, and the error where it never began.

use executor_core::{JobError, WorkerDeath, current, job};
use executor_process::{Exit, Process, SpawnError};
use executor_testkit::jobs::{self, Fault, Faulty};
use executor_testkit::{Gate, Log, ON_PURPOSE, Pen, eventually};
use nix::sys::signal::{Signal, raise};
use serde::{Deserialize, Serialize};

use crate::common::{THREADED_METHODS, watched};
use crate::{by, quiet, sleep};

#[test]
fn law_201_signals_end_a_process_and_are_told() {
    let _watched = watched();
    type Way = fn(&Process<()>) -> bool;
    for method in THREADED_METHODS {
        let ways: [(Signal, Way); 3] = [
            (Signal::SIGTERM, |process| process.terminate().unwrap()),
            (Signal::SIGKILL, |process| process.kill().unwrap()),
            (Signal::SIGUSR1, |process| process.signal(libc::SIGUSR1).unwrap()),
        ];
        for (signal, send) in ways {
            let log = Log::new();
            let process = quiet(method).spawn(sleep::job(log.pen())).unwrap();
            log.wait_for(1);
            let pid = process.pid();
            assert!(send(&process));
            assert_eq!(process.join(), by(signal), "{method:?}");
            assert!(!send(&process), "{method:?}: it has ended");
            match process.result() {
                Err(JobError::WorkerDied { pid: died, death: WorkerDeath::Signalled { number, .. }, .. }) => {
                    assert_eq!((died, number), (pid, signal as i32), "{method:?}");
                }
                other => panic!("{method:?}, {signal}: {other:?}"),
            }
        }
    }
}

#[test]
fn law_201_an_interrupt_is_left_to_the_program() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let process = quiet(method).spawn(jobs::pass::job(gate.pass(), 3)).unwrap();
        gate.wait_for(1);
        assert!(process.signal(libc::SIGINT).unwrap());
        assert_eq!(process.signal(4000).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
        gate.open();
        assert_eq!(process.result().unwrap(), 3);
    }
}

/// How a job ends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum End {
    Value,
    Err,
    Panic,
    Exit(i32),
    Raise(i32),
    Abort,
}

#[job]
fn end(how: End) -> Result<u64, String> {
    match how {
        End::Value => Ok(7),
        End::Err => Err("as it should be".to_owned()),
        End::Panic => panic!("it panics, {ON_PURPOSE}"),
        End::Exit(code) => std::process::exit(code),
        End::Raise(number) => {
            raise(Signal::try_from(number).unwrap()).unwrap();
            Err("it survived".to_owned())
        }
        End::Abort => std::process::abort(),
    }
}

#[test]
fn law_211_the_exit_code_says_how_the_job_ended() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let ended = |how| {
            let process = quiet(method).spawn(end::job(how)).unwrap();
            let (pid, exit) = (process.pid(), process.join());
            (pid, exit, process.result())
        };
        let (_, exit, result) = ended(End::Value);
        assert_eq!((exit, result.unwrap()), (Exit::Code(0), Ok(7)));
        let (_, exit, result) = ended(End::Err);
        assert_eq!((exit, result.unwrap()), (Exit::Code(1), Err("as it should be".to_owned())));
        let (_, exit, result) = ended(End::Panic);
        assert_eq!(exit, Exit::Code(101));
        match result.unwrap_err() {
            JobError::Panicked { message, location, .. } => {
                assert!(message.contains("it panics") && location.unwrap().contains("ending.rs"));
            }
            other => panic!("{other}"),
        }
        for code in [0, 3] {
            let (pid, exit, result) = ended(End::Exit(code));
            assert_eq!(exit, Exit::Code(code));
            match result.unwrap_err() {
                JobError::WorkerDied { pid: died, death, .. } => {
                    assert_eq!((died, death), (pid, WorkerDeath::Exited(code)));
                }
                other => panic!("{other}"),
            }
        }
        for (how, signal) in [(End::Abort, Signal::SIGABRT), (End::Raise(libc::SIGSEGV), Signal::SIGSEGV)] {
            let (pid, exit, result) = ended(how);
            assert_eq!(exit.signal_name(), Some(signal.as_str()));
            match result.unwrap_err() {
                JobError::WorkerDied { pid: died, death: WorkerDeath::Signalled { number, .. }, .. } => {
                    assert_eq!((died, number), (pid, signal as i32));
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn law_216_a_process_is_asked_to_stop_and_tells_how_far_it_is() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let log = Log::new();
        let process = quiet(method).spawn(jobs::spin_until_stop::job(log.pen(), 6)).unwrap();
        log.wait_for(1);
        process.request_stop();
        assert_eq!(process.result().unwrap(), 6, "{method:?}");
        let log = Log::new();
        let process = quiet(method).spawn(wait_for_stop::job(log.pen())).unwrap();
        log.wait_for(1);
        eventually("it has told", || process.progress() == Some((1, 2)));
        process.handle().request_stop();
        assert_eq!(process.result().unwrap(), 2, "{method:?}");
    }
}

/// An async job that ends when it is asked to.
#[job]
async fn wait_for_stop(pen: Pen) -> u64 {
    current().progress(1, 2);
    pen.write(1);
    current().stopped().await;
    2
}

#[test]
fn what_cannot_be_decoded_or_encoded_is_told() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let process = quiet(method).spawn(jobs::take_badly::job(Faulty(Fault::DecodeError))).unwrap();
        assert_eq!(process.join(), Exit::Code(1));
        assert!(matches!(process.result(), Err(JobError::Decode { .. })));
        let process = quiet(method).spawn(jobs::return_badly::job(Fault::EncodeError)).unwrap();
        assert_eq!(process.join(), Exit::Code(1));
        assert!(matches!(process.result(), Err(JobError::Encode { .. })));
        // Here the process has done its part.
        let process = quiet(method).spawn(jobs::return_badly::job(Fault::DecodeError)).unwrap();
        assert_eq!(process.join(), Exit::Code(0));
        assert!(matches!(process.result(), Err(JobError::Decode { .. })));
        match quiet(method).name("stillborn").spawn(jobs::take_badly::job(Faulty(Fault::EncodeError))) {
            Err(SpawnError::Job { name, cause: JobError::Encode { .. } }) => assert_eq!(name, "stillborn"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_process_that_cannot_begin_is_an_error_of_the_spawn() {
    let _watched = watched();
    for method in THREADED_METHODS {
        // Too little for the page that it shares with its owner.
        match quiet(method).name("narrow").address_space_max(4096).spawn(jobs::echo::job(1)) {
            Err(SpawnError::Start { name, cause }) => {
                assert_eq!(name, "narrow");
                assert!(cause.to_string().contains("ended before it was ready"), "{method:?}: {cause}");
            }
            other => panic!("{method:?}: {other:?}"),
        }
    }
}
