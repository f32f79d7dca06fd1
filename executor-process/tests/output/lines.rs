//! Lines come whole and in order, and each has the job that printed it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use executor_core::{Executor, JobError, JobId, JobOptions, Shutdown, job};
use executor_process::{LineEnd, OutputLine, OutputStream, StartMethod};
use executor_testkit::{Gate, Log, jobs};

use crate::common::{Dice, THREADED_METHODS, kill, named, watched, workers_of};
use crate::printers::{line_text, pour, print_at_start, print_behind_the_gate, print_many, print_one, write_raw};
use crate::{all_lines, capturing};

/// The texts of the lines of a job on a stream, each joined to the one that it was cut off.
fn texts(lines: &[OutputLine], job: JobId, stream: OutputStream) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in lines.iter().filter(|line| line.stream == stream && line.job.as_ref().map(|job| job.id) == Some(job)) {
        if goes_on {
            texts.last_mut().unwrap().push_str(&line.text);
        } else {
            texts.push(line.text.clone());
        }
        goes_on = line.end == LineEnd::Cut;
    }
    texts
}

/// Closes its standard streams.
#[job]
fn close_streams() {
    nix::unistd::close(1).unwrap();
    nix::unistd::close(2).unwrap();
}

#[test]
fn lines_of_workers_and_streams_never_mix() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let (builder, lines) = capturing("whole", 2);
        let pool = builder.start_method(method).build().unwrap();
        let futures: Vec<_> = (0..30).map(|number| pool.submit(print_many::job(number, 100))).collect();
        let ids: Vec<_> = futures.iter().map(|future| future.id()).collect();
        futures.into_iter().for_each(|future| assert!(future.result().is_ok()));
        let lines = all_lines(pool, &lines);
        assert_eq!(lines.len(), 2 * 30 * 100);
        for (number, id) in (0..).zip(ids) {
            let wanted: Vec<_> = (0..100).map(|line| line_text(number, line)).collect();
            for stream in [OutputStream::Stdout, OutputStream::Stderr] {
                assert_eq!(texts(&lines, id, stream), wanted, "{method:?}, job {number}, {stream}");
            }
        }
        let pids: HashMap<u32, usize> = lines.iter().map(|line| (line.pid, line.worker)).collect();
        assert!(
            lines.iter().all(|line| pids[&line.pid] == line.worker && line.worker < 2 && line.end == LineEnd::Newline)
        );
    }
}

#[test]
fn each_line_has_the_name_of_its_job() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let (builder, lines) = capturing("names", 2);
        let pool = builder.start_method(method).build().unwrap();
        let name = |number: u64| JobOptions::new().name(format!("job {number}"));
        let futures: Vec<_> = (0..600).map(|number| pool.submit_with(print_one::job(number), name(number))).collect();
        let ids: Vec<_> = futures.iter().map(|future| future.id()).collect();
        for (number, result) in (600..).zip(pool.map(print_one::job, 600..1200)) {
            assert_eq!(result.unwrap(), number);
        }
        futures.into_iter().for_each(|future| assert!(future.result().is_ok()));
        let lines = all_lines(pool, &lines);
        assert_eq!(lines.len(), 1200, "{method:?}");
        let mut seen = HashMap::new();
        for line in lines {
            let number: u64 = line.text.parse().unwrap();
            assert_eq!(line.end == LineEnd::Newline, number.is_multiple_of(2), "{number}");
            let job = line.job.unwrap();
            if let Some(id) = ids.get(number as usize) {
                assert_eq!((job.id, &*job.name), (*id, &*format!("job {number}")));
            }
            assert!(seen.insert(job.id, number).is_none(), "{number}: two lines have one job");
        }
    }
}

#[test]
fn what_a_job_printed_is_on_its_way_before_it_is_done() {
    let _watched = watched();
    let (builder, lines) = capturing("before", 1);
    let pool = builder.build().unwrap();
    let gate = Gate::new();
    let future = pool.submit(print_behind_the_gate::job(gate.pass()));
    assert_eq!(lines.recv().unwrap().text, "before the gate");
    assert!(!future.is_done());
    gate.open();
    future.result().unwrap();
    assert_eq!(lines.recv().unwrap().text, "behind the gate");
}

#[test]
fn an_initializer_prints_in_nobodys_name() {
    let _watched = watched();
    let (builder, lines) = capturing("start", 2);
    let pool = builder.initializer(print_at_start::job()).build().unwrap();
    let both = [0, 1].map(|_| lines.iter().take(2).collect::<Vec<_>>()).concat();
    assert_eq!(both.iter().filter(|line| line.text == "at the start" && line.job.is_none()).count(), 2);
    let id = {
        let future = pool.submit(print_one::job(4));
        let id = future.id();
        future.result().unwrap();
        id
    };
    let more = all_lines(pool, &lines);
    assert_eq!(texts(&more, id, OutputStream::Stdout), ["4"]);
    let unfinished = both.iter().chain(&more).filter(|line| line.text == "without an end");
    assert!(unfinished.clone().all(|line| line.job.is_none() && line.end == LineEnd::Missing));
    assert_eq!(unfinished.count(), 2);
}

#[test]
fn fifty_megabytes_come_whole() {
    const BYTES: usize = 50 << 20;
    let _watched = watched();
    let sum = Arc::new(Mutex::new((0_usize, 0_usize)));
    let theirs = Arc::clone(&sum);
    let add = move |line: OutputLine| {
        let mut sum = theirs.lock().unwrap();
        sum.0 += line.text.len() + 1;
        sum.1 += usize::from(line.text.len() != 63 || line.end != LineEnd::Newline);
    };
    let pool = named("much", 2).on_output(add).build().unwrap();
    let poured = pool.submit(pour::job(None, BYTES));
    assert_eq!(pool.map(jobs::echo::job, 0..1000).filter(Result::is_ok).count(), 1000);
    let written = poured.result().unwrap();
    pool.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(*sum.lock().unwrap(), (written, 0));
}

#[test]
fn long_lines_are_cut_and_can_be_joined() {
    let _watched = watched();
    let (builder, lines) = capturing("long", 1);
    let pool = builder.build().unwrap();
    let text = "äöü€".repeat(20_000);
    let future = pool.submit(write_raw::job(false, format!("{text}\nshort\n").into_bytes()));
    let id = future.id();
    future.result().unwrap();
    let lines = all_lines(pool, &lines);
    assert!(lines.iter().all(|line| line.text.len() <= 16 << 10));
    assert_eq!(texts(&lines, id, OutputStream::Stdout), [&*text, "short"]);
}

#[test]
fn streams_and_protocol_do_not_touch() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let (builder, lines) = capturing("bytes", 1);
        let pool = builder.start_method(method).build().unwrap();
        // What a frame could look like, and bytes that are no text.
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(|n| n.wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
        for to_stderr in [false, true] {
            assert_eq!(pool.submit(write_raw::job(to_stderr, bytes.clone())).result().unwrap(), bytes.len());
            assert_eq!(pool.submit(jobs::echo::job(1)).result().unwrap(), 1);
        }
        pool.submit(close_streams::job()).result().unwrap();
        for number in 0..50 {
            assert_eq!(pool.submit(print_one::job(number)).result().unwrap(), number);
        }
        assert_eq!(pool.stats().worker_restarts, 0);
        let lines = all_lines(pool, &lines);
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let newlines = lines.iter().filter(|line| line.stream == stream && line.end == LineEnd::Newline).count();
            assert_eq!(newlines, bytes.iter().filter(|&&byte| byte == b'\n').count(), "{stream}");
        }
    }
}

#[test]
fn workers_that_are_killed_while_they_print_tear_no_line() {
    let _watched = watched();
    let before = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&before);
    let pool = named("torn", 2)
        .start_method(StartMethod::ForkServer)
        .on_output(move |line| theirs.lock().unwrap().push(line))
        .build()
        .unwrap();
    let mut dice = Dice::new(7);
    for round in 0..15 {
        let futures: Vec<_> = (0..4).map(|number| pool.submit(print_many::job(number, 300))).collect();
        let until = Instant::now() + Duration::from_micros(dice.below(4000));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        workers_of("torn").into_iter().take(1 + round % 2).for_each(|pid| {
            kill(pid);
        });
        for future in futures {
            match future.result() {
                Ok(_) | Err(JobError::WorkerDied { .. } | JobError::OutcomeLost { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    pool.shutdown(Shutdown::Drain).unwrap();
    let lines = before.lock().unwrap();
    assert!(lines.len() > 100);
    for line in lines.iter().filter(|line| line.end == LineEnd::Newline) {
        let mut words = line.text.split(':');
        let (job, number) = (words.next().unwrap().parse().unwrap(), words.next().unwrap().parse().unwrap());
        assert_eq!(line.text, line_text(job, number));
    }
}

/// The next process is there before the one that is killed is gone, and has pipes of its own.
#[test]
fn whoever_replaces_a_killed_worker_can_print() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("next", 1).start_method(method).on_output(drop).build().unwrap();
        for round in 0..150 {
            let log = Log::new();
            let poured = pool.submit(pour::job(Some(log.pen()), usize::MAX));
            log.wait_for(1);
            assert!(poured.kill());
            assert!(matches!(poured.result(), Err(JobError::Killed)));
            let printed = pool.submit(print_one::job(round)).result();
            assert!(matches!(printed, Ok(number) if number == round), "{method:?}, round {round}: {printed:?}");
        }
    }
}

#[test]
fn the_last_word_of_the_builder_counts() {
    let _watched = watched();
    let (builder, lines) = capturing("nowhere", 1);
    let pool = builder.discard_output().build().unwrap();
    pool.submit(print_one::job(2)).result().unwrap();
    pool.submit(print_many::job(3, 10)).result().unwrap();
    assert_eq!(all_lines(pool, &lines), []);
    assert!(lines.recv().is_err(), "nobody kept the callback");
}
