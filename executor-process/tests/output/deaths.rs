//! What a worker said last is told with its death.

use executor_core::{Executor, JobError, WorkerDeath, job};
use executor_process::{LineEnd, OutputLine, OutputStream};

use crate::common::{THREADED_METHODS, named, watched};
use crate::printers::{die_talking, write_raw};
use crate::{all_lines, capturing};

/// Dies without a word.
#[job]
fn die_silently() {
    std::process::abort();
}

/// Panics where a panic aborts, as in a program that is built so.
#[job]
fn panic_and_abort() {
    let tells = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        tells(info);
        std::process::abort();
    }));
    panic!("it cannot go on");
}

/// Needs more memory than there is.
#[job]
fn allocate(bytes: usize) -> usize {
    std::hint::black_box(vec![1_u8; bytes]).len()
}

#[test]
fn last_words_are_told_with_the_death() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let (builder, lines) = capturing("last", 2);
        let pool = builder.start_method(method).build().unwrap();
        let mut ids = Vec::new();
        for round in 0..10 {
            // What another job said is not what this one said.
            pool.submit(write_raw::job(true, b"an older word\n".to_vec())).result().unwrap();
            let future = pool.submit(die_talking::job(format!("word {round}")));
            ids.push(future.id());
            match future.result() {
                Err(error @ JobError::WorkerDied { .. }) => {
                    let text = error.to_string();
                    assert!(
                        text.ends_with(&format!("; it last wrote to its standard error: err word {round}")),
                        "{text}"
                    );
                    let JobError::WorkerDied { stderr, .. } = error else { unreachable!() };
                    assert_eq!(stderr.as_deref(), Some(&*format!("err word {round}")));
                }
                other => panic!("{other:?}"),
            }
        }
        let silent = pool.submit(die_silently::job()).result().unwrap_err();
        assert!(matches!(silent, JobError::WorkerDied { stderr: None, .. }), "{silent}");
        let lines = all_lines(pool, &lines);
        for (round, id) in (0..).zip(ids) {
            for (stream, short) in [(OutputStream::Stdout, "out"), (OutputStream::Stderr, "err")] {
                let of_job =
                    |line: &&OutputLine| line.job.as_ref().is_some_and(|job| job.id == id) && line.stream == stream;
                let of_job: Vec<_> = lines.iter().filter(of_job).collect();
                assert_eq!(of_job.len(), 1, "{lines:?}");
                assert_eq!((&*of_job[0].text, of_job[0].end), (&*format!("{short} word {round}"), LineEnd::Missing));
            }
        }
    }
}

#[test]
fn a_death_tells_what_the_runtime_said() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("said", 1)
            .start_method(method)
            .address_space_max(1 << 30)
            .env("RUST_BACKTRACE", "0")
            .on_output(drop)
            .build()
            .unwrap();
        let panicked = pool.submit(panic_and_abort::job()).result().unwrap_err();
        let JobError::WorkerDied { death, stderr: Some(stderr), .. } = &panicked else { panic!("{panicked:?}") };
        assert_eq!(*death, WorkerDeath::Signalled { number: 6, name: "SIGABRT" });
        assert!(stderr.contains("deaths.rs") && stderr.contains("\nit cannot go on\n"), "{stderr}");
        let text = panicked.to_string();
        assert!(text.lines().count() == 1 && text.contains("| it cannot go on |"), "{text}");
        let large = pool.submit(allocate::job(2 << 30)).result().unwrap_err();
        assert!(large.to_string().contains("memory allocation of 2147483648 bytes failed"), "{large}");
        assert_eq!(pool.submit(allocate::job(1 << 20)).result().unwrap(), 1 << 20);
    }
}

#[test]
fn without_capture_a_death_has_no_words() {
    let _watched = watched();
    let pool = named("silent", 1).build().unwrap();
    let error = pool.submit(die_talking::job("nothing".to_owned())).result().unwrap_err();
    assert!(matches!(error, JobError::WorkerDied { stderr: None, .. }), "{error}");
}
