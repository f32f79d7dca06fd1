//! Every example, run as a user runs it: its exit code, and the lines that its reader came for.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod checksums;
mod program;
#[cfg(feature = "beside")]
mod squares;

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;

use program::{INLINE, run};

#[test]
fn primes_tells_which_are_prime() {
    let ran = run(env!("CARGO_BIN_EXE_primes"), &[]);
    ran.succeeded();
    ran.says("112272535095293 is prime: true");
    let in_order = ran.lines_after("in the order of the list:", 6);
    assert!(in_order[..5].iter().all(|line| line.ends_with("true")), "{in_order:?}");
    assert_eq!(in_order[5], "  1099726899285419 is prime: false");
    let as_done = ran.lines_after("as each is done:", 6);
    assert_eq!(as_done.iter().filter(|line| line.ends_with(": true")).count(), 5, "{as_done:?}");
    assert_eq!(as_done.iter().filter(|line| line.ends_with(": false")).count(), 1, "{as_done:?}");
}

#[test]
fn checks_tells_of_each_kind_what_it_found() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("seven");
    fs::write(&file, b"7 bytes").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (there, gone) = (listener.local_addr().unwrap(), directory.path().join("gone"));
    let words = [
        format!("port:{there}"),
        format!("file:{}", file.display()),
        format!("file:{}|file:{}", gone.display(), file.display()),
    ];
    let [port, has, either] = &words;
    let ran = run(env!("CARGO_BIN_EXE_checks"), &words.each_ref().map(OsStr::new));
    ran.succeeded();
    let found = format!("{} has 7 bytes", file.display());
    let expected = [
        format!("ok      {port}: {there} answers"),
        format!("ok      {has}: {found}"),
        format!("ok      {either}: {found}"),
    ];
    assert_eq!(ran.lines(), expected);
}

#[test]
fn checks_fails_if_one_does_and_names_what_it_does_not_know() {
    let wrong = run(env!("CARGO_BIN_EXE_checks"), &["file:/".as_ref(), "file:/etc/passwd".as_ref()]);
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.lines()[0].starts_with("FAILED  file:/: "), "{wrong:?}");
    assert!(wrong.lines()[1].starts_with("ok      file:/etc/passwd: "), "{wrong:?}");
    let unknown = run(env!("CARGO_BIN_EXE_checks"), &["disk:full".as_ref()]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.stderr.contains("disk:full is no check"), "{unknown:?}");
}

#[test]
fn calc_comes_to_the_same_numbers() {
    let ran = run(env!("CARGO_BIN_EXE_calc"), &[]);
    ran.succeeded();
    ran.says("the same numbers: true");
}

#[cfg(feature = "beside")]
#[test]
fn amicable_hears_of_each_pair() {
    let ran = run(env!("CARGO_BIN_EXE_amicable"), &[]);
    ran.succeeded();
    ran.says("220 and 284");
    ran.says("79750 and 88730");
    ran.says("13 pairs among 80000 numbers");
}

#[cfg(feature = "beside")]
#[test]
fn joinable_queue_has_each_task_done_once() {
    let ran = run(env!("CARGO_BIN_EXE_joinable_queue"), &[]);
    ran.succeeded();
    ran.says("the producer has joined 100 tasks");
    let of_one = |consumer: u32| -> u32 {
        let tasks = ran.rest_of(&format!("consumer {consumer} has stopped at its mark, after "));
        tasks.strip_suffix(" tasks").unwrap().parse().unwrap()
    };
    assert_eq!((0..3).map(of_one).sum::<u32>(), 100);
    ran.says("100 tasks done, and the sum of the squares is 338350");
}

#[cfg(feature = "beside")]
#[test]
fn printer_prints_whole_blocks() {
    let ran = run(env!("CARGO_BIN_EXE_printer"), &[]);
    ran.succeeded();
    let lines = ran.lines();
    let (blocks, last) = lines.split_at(12 * 6);
    let mut blocks_of_job = [0; 4];
    for (block, number) in blocks.chunks(6).zip(1..) {
        let job = block[0].strip_prefix(&format!("block {number}, of job ")).expect("a block begins here");
        let job: usize = job.strip_suffix(':').unwrap().parse().unwrap();
        let rest: Vec<_> = (1..=5).map(|line| format!("  job {job}, line {line} of 5")).collect();
        assert_eq!(block[1..], rest);
        blocks_of_job[job - 1] += 1;
    }
    assert_eq!(blocks_of_job, [3; 4]);
    assert_eq!(last, ["12 blocks of 4 jobs, and each in one piece"]);
}

#[cfg(feature = "beside")]
#[test]
fn points_are_squared_where_they_are() {
    let ran = run(env!("CARGO_BIN_EXE_points"), &[]);
    ran.succeeded();
    let expected = [
        "(3.515625, 39.0625)",
        "(33.0625, 4)",
        "(5.640625, 90.25)",
        "3 points squared",
        "in the quadrants there were [1, 1, 0, 1]",
    ];
    assert_eq!(ran.lines(), expected);
}

#[cfg(feature = "beside")]
#[test]
fn managed_loses_no_count() {
    let ran = run(env!("CARGO_BIN_EXE_managed"), &[]);
    ran.succeeded();
    let expected = [
        "verses: 4",
        r#"words that come again: [("little", 2), ("twinkle", 4), ("when", 2)]"#,
        "the longest of each verse: diamond, nothing, twinkle, twinkle",
    ];
    assert_eq!(ran.lines(), expected);
}

#[test]
fn five_on_four_runs_each_task_once() {
    let ran = run(env!("CARGO_BIN_EXE_five_on_four"), &[]);
    ran.succeeded();
    ran.says(if INLINE { "jobs submitted: 5, workers: 1" } else { "jobs submitted: 5, workers: 4" });
    let workers = if INLINE { 1 } else { 4 };
    for task in 0..5 {
        let prefix = format!("task {task} ran on worker ");
        let worker: usize = ran.rest_of(&prefix).parse().unwrap();
        assert!(worker < workers, "{ran:?}");
    }
}

#[test]
fn states_tells_what_became_of_both_jobs() {
    let ran = run(env!("CARGO_BIN_EXE_states"), &[]);
    ran.succeeded();
    let expected = if INLINE {
        [
            "first: Finished, second: Finished",
            "cancel the first: false, the second: false",
            "first: Finished, second: Finished",
            "first: Finished, second: Finished",
            r#"first gave Ok("came to its end"), second gave Ok("came to its end")"#,
        ]
    } else {
        [
            "first: Running, second: Pending",
            "cancel the first: false, the second: true",
            "first: Running, second: Cancelled",
            "first: Finished, second: Cancelled",
            r#"first gave Ok("asked to stop"), second gave Err(Cancelled)"#,
        ]
    };
    assert_eq!(ran.lines(), expected);
}

#[cfg(feature = "thread")]
#[test]
fn bank_loses_money_without_a_lock_only() {
    let ran = run(env!("CARGO_BIN_EXE_bank"), &[]);
    ran.succeeded();
    // Which of the two payments is lost is open; that one is, is not.
    let lost = ran.rest_of("without a lock: 100 + 30 + 50 = ");
    assert!(["150, so 30 is lost", "130, so 50 is lost"].contains(&lost), "{ran:?}");
    ran.says("with a lock:    100 + 30 + 50 = 180");
    ran.says("after 10000 transfers each way: 60000 and 40000, together 100000");
}

#[cfg(feature = "process")]
#[test]
fn process_tells_how_each_ended() {
    let ran = run(env!("CARGO_BIN_EXE_process"), &[]);
    ran.succeeded();
    ran.says("heart runs beside the program: true");
    ran.says("12: 12; it exited with code 0");
    ran.says("twelve: `twelve` is no number; it exited with code 1");
    ran.says("panic: nobody expected this; it exited with code 101");
    assert!(ran.rest_of("crash: it died; ").starts_with("signal 6 (SIGABRT) ended it"), "{ran:?}");
    ran.says("the heart stops as it was asked to: it exited with code 0");
    ran.says("it has beaten: true");
    ran.says("children left: 0");
}

#[cfg(feature = "async")]
#[test]
fn ten_thousand_requests_are_made_five_hundred_at_once() {
    let ran = run(env!("CARGO_BIN_EXE_ten_thousand"), &[]);
    ran.succeeded();
    let percentiles = ran.lines_after("       P50        P90        P99        MAX", 1)[0];
    let times: Vec<f64> = percentiles.split(" ms").filter_map(|time| time.trim().parse().ok()).collect();
    assert_eq!(times.len(), 4, "{ran:?}");
    // No answer is there before the server sends it, after 20 ms.
    assert!(times[0] >= 20.0 && times.is_sorted(), "{ran:?}");
    assert!(ran.rest_of("10000 requests in ").ends_with(" a second"), "{ran:?}");
    ran.says("the server had 500 of them at once, and never more");
}

#[cfg(feature = "in-process")]
#[test]
fn nested_waits_for_thousands_of_jobs_on_one_worker() {
    let ran = run(env!("CARGO_BIN_EXE_nested"), &[]);
    ran.succeeded();
    assert_eq!(ran.lines(), ["fib(16) = 987", "by 3193 jobs on 1 worker"]);
}

#[test]
fn callbacks_hear_of_every_end_in_the_order_they_were_added() {
    let ran = run(env!("CARGO_BIN_EXE_callbacks"), &[]);
    ran.succeeded();
    for (n, failed, outcome) in [
        (10, "", "a value, 5"),
        (7, ", failed", "an error of its own, 7 is odd"),
        (0, ", failed", "a panic, nothing to halve"),
    ] {
        let job = format!("half of {n}: ");
        let heard: Vec<_> = ran.lines().into_iter().filter_map(|line| line.strip_prefix(&job)).collect();
        let first = format!("the first listener hears Finished{failed}");
        let second = format!("the second listener hears Finished{failed}");
        assert_eq!(heard, [first.as_str(), &second, outcome]);
    }
}

#[test]
fn timeouts_end_the_wait_the_job_or_neither() {
    let ran = run(env!("CARGO_BIN_EXE_timeouts"), &[]);
    ran.succeeded();
    assert!(ran.rest_of("run limit: Err(").contains("passed its run limit of 20ms"), "{ran:?}");
    if INLINE {
        ran.says("wait limit: it came to its end");
        ran.says("request_stop: it came to its end");
        ran.says("cancel: the running one false, the queued one false");
    } else {
        ran.says("wait limit: not done in time, and the job is Running");
        ran.says("request_stop: it stopped when asked");
        ran.says("cancel: the running one false, the queued one true");
        ran.says("cancel: the queued one ends as Err(Cancelled)");
    }
}

#[test]
fn backpressure_never_pulls_more_than_its_window() {
    let ran = run(env!("CARGO_BIN_EXE_backpressure"), &[]);
    ran.succeeded();
    ran.says("before anything is read, 8 items are pulled");
    assert!(ran.rest_of("result 20 is 361; ").ends_with(" items are pulled"), "{ran:?}");
    ran.says("the source was never more than 8 items ahead");
}

#[test]
fn retries_run_a_failing_job_again_and_give_up_at_last() {
    let ran = run(env!("CARGO_BIN_EXE_retries"), &[]);
    ran.succeeded();
    let expected = [
        "a server that fails 0 times: an answer on attempt 1",
        "a server that fails 2 times: an answer on attempt 3",
        "a server that fails 9 times: given up, no answer on attempt 4",
    ];
    assert_eq!(ran.lines(), expected);
}

#[test]
fn commands_tells_each_failure_apart() {
    let ran = run(env!("CARGO_BIN_EXE_commands"), &[]);
    ran.succeeded();
    let expected = [
        "sorted: fig pear",
        "sorted: one three two",
        "grep: it exited with code 1",
        "limit: program `sh` passed its run limit of 200ms and was ended; raise the limit",
        r#"limit: until then it wrote "half\n", and took less than a minute: true"#,
        "error: program `sh` failed: it exited with code 3; its last words: the disk is full",
        "error: program `sh` failed: signal 9 (SIGKILL) ended it",
        "error: program `no-such-program` was not found; install it, give its path, or check the `PATH` that the command gets",
        "error: program `/etc/passwd` cannot be executed: permission is denied; give it the right to be executed, by \
         `chmod +x`, if it is a program",
        "error: program `ls` cannot begin in the directory `/no/such/directory`: No such file or directory (os error 2)",
        "error: program `yes` wrote more than 1000 bytes to its standard output or its standard error and was ended; raise \
         `output_bytes_max`, or let it write to a file",
    ];
    assert_eq!(ran.lines(), expected);
}

#[test]
fn crawl_fetches_what_can_be_fetched() {
    let ran = run(env!("CARGO_BIN_EXE_crawl"), &[]);
    ran.succeeded();
    assert_eq!(ran.lines()[0], "/         links: 4");
    ran.says("/broken   http status: 500");
    assert!(ran.rest_of("/slow ").contains("timeout"), "{ran:?}");
    assert_eq!(ran.lines().last(), Some(&"6 pages fetched, 2 failed"));
}
