//! The suite has teeth: backends that are wrong in one thing each are found out.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use executor_core::backend::{Capabilities, Control, PoolId, Refused, Room, Task};
use executor_core::{Backend, BuildError, Executor, InlineExecutor, JobError, Shutdown, Stats};
use executor_testkit::{
    Claim, Config, Gate, Lab, NotClaimed, SCALE_VARIABLE, Subject, Verdict, check, jobs, laws, test_law,
};

/// What is wrong with a backend.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    LosesTasks,
    CountsTwice,
    IgnoresShutdown,
    HidesItsWorker,
    LeavesAThread,
    PanicsElsewhere,
}

/// An inline executor with something wrong.
#[derive(Clone)]
struct Sly {
    inner: InlineExecutor,
    wrong: Wrong,
    accepted: Arc<AtomicU64>,
}

impl Backend for Sly {
    fn id(&self) -> PoolId {
        self.inner.id()
    }

    fn control(&self) -> &Arc<dyn Control> {
        self.inner.control()
    }

    fn accept(&self, task: Task, room: Room<'_>) -> Result<(), Refused> {
        let accepted = self.accepted.fetch_add(1, Ordering::Relaxed);
        match self.wrong {
            Wrong::LosesTasks if accepted % 50 == 49 => {
                drop(task);
                return Ok(());
            }
            Wrong::LeavesAThread if accepted == 0 => {
                drop(thread::Builder::new().name("left".into()).spawn(thread::park))
            }
            Wrong::PanicsElsewhere if accepted == 0 => {
                let panics = thread::Builder::new().name("careless".into()).spawn(|| panic!("nobody expects this"));
                drop(panics.map(thread::JoinHandle::join));
            }
            _ => {}
        }
        self.inner.accept(task, room)
    }

    fn begin_shutdown(&self, mode: Shutdown) {
        if self.wrong != Wrong::IgnoresShutdown {
            self.inner.begin_shutdown(mode);
        }
    }

    fn wait_ended(&self, deadline: Option<Instant>) -> usize {
        self.inner.wait_ended(deadline)
    }

    fn snapshot(&self) -> Stats {
        let mut stats = self.inner.snapshot();
        if self.wrong == Wrong::CountsTwice {
            stats.finished *= 2;
        }
        if self.wrong == Wrong::HidesItsWorker {
            stats.workers = 0;
        }
        stats
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

fn sly(wrong: Wrong) -> Result<Sly, BuildError> {
    Ok(Sly { inner: InlineExecutor::builder().build()?, wrong, accepted: Arc::default() })
}

/// Writes a subject for each of the wrong backends.
macro_rules! subjects {
    ($($name:ident)*) => {$(
        struct $name;

        impl Subject for $name {
            type Pool = Sly;

            fn build(_: &mut Config) -> Result<Sly, BuildError> {
                sly(Wrong::$name)
            }
        }
    )*};
}

subjects! { Nothing LosesTasks CountsTwice IgnoresShutdown HidesItsWorker LeavesAThread PanicsElsewhere }

/// What a law says of a subject that breaks it.
fn complaint<S: Subject>(law: fn(&Lab<S>) -> Verdict) -> String {
    let broken = catch_unwind(AssertUnwindSafe(|| check::<S>("a law", law)));
    match broken.unwrap_err().downcast::<String>() {
        Ok(text) => *text,
        Err(_) => String::new(),
    }
}

#[test]
fn a_sound_backend_passes() {
    for law in [
        laws::submit::many_jobs_give_their_own_values::<Nothing>,
        laws::stats::every_job_is_counted_where_it_belongs,
        laws::shutdown::submit_after_shutdown_is_refused,
        laws::context::job_knows_itself,
    ] {
        assert_eq!(check::<Nothing>("a law", law), Ok(()));
    }
}

#[test]
fn a_lost_task_is_found_out_and_hangs_nobody() {
    let said = complaint::<LosesTasks>(laws::submit::many_jobs_give_their_own_values);
    assert!(said.contains("Lost"), "{said}");
    let pool = sly(Wrong::LosesTasks).unwrap();
    let lost = (0..200).map(|value| pool.submit(jobs::echo::job(value)).result()).filter_map(Result::err);
    assert_eq!(lost.filter(|error| matches!(error, JobError::Lost { .. })).count(), 4);
}

#[test]
fn a_wrong_count_is_found_out() {
    complaint::<CountsTwice>(laws::stats::every_job_is_counted_where_it_belongs);
    complaint::<CountsTwice>(laws::stats::columns_add_up_in_every_snapshot);
    complaint::<HidesItsWorker>(laws::context::job_knows_itself);
}

#[test]
fn a_shutdown_that_does_nothing_is_found_out() {
    complaint::<IgnoresShutdown>(laws::shutdown::submit_after_shutdown_is_refused);
    complaint::<IgnoresShutdown>(laws::map::map_on_a_shut_down_pool_ends);
}

#[test]
fn a_panic_on_another_thread_is_found_out() {
    let said = complaint::<PanicsElsewhere>(laws::submit::submit_delivers_the_value);
    assert!(said.contains("careless") && said.contains("nobody expects this"), "{said}");
}

#[test]
fn a_law_that_is_skipped_must_be_listed_and_one_that_holds_must_not() {
    let skipped: fn(&Lab<Nothing>) -> Verdict = laws::stop::request_to_stop_is_seen;
    test_law("stop::request_to_stop_is_seen", &["request_to_stop_is_seen"], skipped);
    let unlisted = catch_unwind(|| test_law("stop::request_to_stop_is_seen", &[], skipped)).unwrap_err();
    let said = unlisted.downcast::<String>().unwrap();
    assert!(said.contains("not_claimed") && said.contains("run jobs beside"), "{said}");
    let holds: fn(&Lab<Nothing>) -> Verdict = laws::submit::submit_delivers_the_value;
    let listed = catch_unwind(|| test_law("submit::submit_delivers_the_value", &["submit_delivers_the_value"], holds));
    assert!(listed.unwrap_err().downcast::<String>().unwrap().contains("take it off"));
}

#[test]
fn a_setting_that_is_not_taken_is_not_claimed() {
    let verdict = check::<Nothing>("a law", |lab| lab.pool_with(Config::new().workers(3)).map(drop));
    assert_eq!(verdict, Err(NotClaimed::new("a chosen number of workers")));
    let verdict = check::<Nothing>("a law", |lab| lab.pool().claims(Claim::Kill));
    assert!(verdict.unwrap_err().to_string().contains("kill"));
}

/// The variable that tells the child which part it plays.
const PART: &str = "TEETH_PART";

/// Runs this program again, as the test [`child`] alone, with limits a fiftieth as long.
fn run_child(part: &str) -> std::process::Output {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program);
    child.args(["child", "--exact", "--test-threads=1"]).env(PART, part).env(SCALE_VARIABLE, "0.02");
    child.output().unwrap()
}

/// Does nothing, unless the program was started by [`run_child`].
#[test]
fn child() {
    match std::env::var(PART).as_deref() {
        Ok("hang") => {
            let _ = check::<Nothing>("a law that waits in vain", |lab| {
                let _pool = lab.pool();
                let gate = Gate::new();
                gate.wait_for(1);
                Ok(())
            });
        }
        Ok("leak") => {
            let said = complaint::<LeavesAThread>(laws::submit::submit_delivers_the_value);
            assert!(said.contains("1 threads (left)"), "{said}");
        }
        _ => {}
    }
}

#[test]
fn a_law_that_hangs_is_reported_and_aborted() {
    let output = run_child("hang");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("a law that waits in vain") && said.contains("hangs"), "{said}");
    assert!(said.contains("pool: Stats"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_is_left_is_found_out() {
    let output = run_child("leak");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
