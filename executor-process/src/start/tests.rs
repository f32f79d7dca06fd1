//! The start methods, from inside.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::launch::Limits;
use super::{Event, Launch, StartMethod, Starter, Stream};
use crate::exit::Exit;
use crate::testing::{Crew, patience};

/// The methods that a test with threads can use; those of a fork of the program are in `tests/forked.rs`.
const METHODS: [StartMethod; 2] = [StartMethod::ForkServer, StartMethod::Spawn];

fn eventually(what: &str, mut test: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience();
    while !test() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

fn is_gone(pid: u32) -> bool {
    !fs::exists(format!("/proc/{pid}")).unwrap()
}

#[test]
fn a_worker_starts_and_answers() {
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        for index in 0..3 {
            let mut witness = crew.start().unwrap();
            assert_eq!(witness.ask("echo hello").unwrap(), "hello");
            assert_eq!(witness.ask("index").unwrap(), index.to_string());
            assert_eq!(witness.ask("depth").unwrap(), "1");
            assert_eq!(witness.ask("pool").unwrap(), "crew");
            assert_eq!(witness.ask("name").unwrap(), format!("crew-{index}"));
            assert_eq!(witness.ask("stdin").unwrap(), "/dev/null");
        }
    }
}

#[test]
fn a_worker_can_what_a_program_can() {
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        let mut witness = crew.start().unwrap();
        assert_eq!(witness.ask("panic").unwrap(), "caught true");
        assert_eq!(witness.ask("thread").unwrap(), "joined");
        assert_eq!(witness.ask("execute echo hello; exit 3").unwrap(), "hello");
    }
}

#[test]
fn how_a_worker_ended_is_told_truthfully() {
    let core = |number| [false, true].map(|core_dumped| Exit::Signal { number, core_dumped });
    let ends: [(&str, [Exit; 2]); 8] = [
        ("exit 0", [Exit::Code(0); 2]),
        ("exit 3", [Exit::Code(3); 2]),
        ("exit 255", [Exit::Code(255); 2]),
        ("abort", core(Signal::SIGABRT as i32)),
        ("overflow", core(Signal::SIGSEGV as i32)),
        ("raise 11", core(Signal::SIGSEGV as i32)),
        ("raise 15", core(Signal::SIGTERM as i32)),
        ("raise 9", core(Signal::SIGKILL as i32)),
    ];
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        for (question, exits) in ends {
            let mut witness = crew.start().unwrap();
            assert!(witness.ask(question).is_err(), "{question} should end the worker");
            let exit = crew.end_of(&witness);
            assert!(exits.contains(&exit), "{method:?}, {question}: {exit:?}");
        }
    }
}

#[test]
fn a_signal_goes_to_the_worker_and_after_its_end_to_nobody() {
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        let witness = crew.start().unwrap();
        assert!(witness.worker.signal(Signal::SIGTERM).unwrap());
        assert_eq!(crew.end_of(&witness), Exit::Signal { number: 15, core_dumped: false });
        assert!(witness.worker.pidfd().wait_ended(Duration::ZERO), "its descriptor says so too");
        eventually("the worker is reaped", || is_gone(witness.pid()));
        assert!(!witness.kill().unwrap());
    }
}

#[test]
fn the_handlers_of_signals_are_those_of_a_worker() {
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        let mut witness = crew.start().unwrap();
        let bit = |mask: &str, signal: Signal| u64::from_str_radix(mask, 16).unwrap() >> (signal as i32 - 1) & 1 == 1;
        let (caught, ignored) = (witness.ask("status SigCgt").unwrap(), witness.ask("status SigIgn").unwrap());
        assert!(bit(&caught, Signal::SIGINT), "swallowed here");
        assert!(bit(&ignored, Signal::SIGPIPE));
        assert_eq!(u64::from_str_radix(&witness.ask("status SigBlk").unwrap(), 16).unwrap(), 0, "nothing is blocked");
        assert_eq!(witness.ask("raise 2").unwrap(), "still here");
        let program = witness.ask("execute grep SigIgn /proc/self/status; grep SigBlk /proc/self/status").unwrap();
        let mut words = program.split_whitespace();
        assert!(!bit(words.nth(1).unwrap(), Signal::SIGINT), "a program that a job executes gets it: {program}");
        assert!(!bit(words.nth(1).unwrap(), Signal::SIGCHLD), "{program}");
    }
}

#[test]
fn the_environment_is_that_of_the_owner_with_changes() {
    for method in METHODS {
        let mut launch = Launch::default();
        launch.environment.insert("CREW_COLOUR".into(), Some("blue and = green".into()));
        launch.environment.insert("CARGO_PKG_NAME".into(), None);
        let mut crew = Crew::with(method, launch).unwrap();
        let mut witness = crew.start().unwrap();
        assert_eq!(witness.ask("variable CREW_COLOUR").unwrap(), "blue and = green");
        assert_eq!(witness.ask("variable CARGO_PKG_NAME").unwrap(), "not set");
        assert_eq!(witness.ask("variable PATH").unwrap(), std::env::var("PATH").unwrap());
        assert_eq!(witness.ask("variable EXECUTOR_PROCESS_START").unwrap(), "not set");
    }
}

#[test]
fn pools_with_one_environment_share_a_server_and_others_do_not() {
    let coloured = |colour: &str| {
        let mut launch = Launch::default();
        launch.environment.insert("CREW_SHARED".into(), Some(colour.into()));
        Crew::with(StartMethod::ForkServer, launch).unwrap()
    };
    let (mut red, mut red_too, mut green) = (coloured("red"), coloured("red"), coloured("green"));
    let (mut one, mut two, mut three) = (red.start().unwrap(), red_too.start().unwrap(), green.start().unwrap());
    let server = one.ask("parent").unwrap();
    assert_eq!(two.ask("parent").unwrap(), server);
    assert_ne!(three.ask("parent").unwrap(), server);
    drop(red);
    eventually("the workers of a pool end with it", || is_gone(one.pid()));
    assert_eq!(two.ask("echo still here").unwrap(), "still here");
    drop(red_too);
    eventually("the server ends with its last pool", || is_gone(server.parse().unwrap()));
    assert_eq!(three.ask("variable CREW_SHARED").unwrap(), "green");
}

#[test]
fn directory_niceness_and_limits_are_in_force() {
    for method in METHODS {
        let mut launch = Launch::default();
        launch.settings.directory = Some("/usr/share".into());
        launch.settings.niceness = 3;
        launch.settings.limits =
            Limits { address_space_bytes: Some(2 << 30), cpu_seconds: Some(100), open_files: Some(50) };
        let mut crew = Crew::with(method, launch).unwrap();
        let mut witness = crew.start().unwrap();
        assert_eq!(witness.ask("directory").unwrap(), "/usr/share");
        let own = fs::read_to_string("/proc/self/stat").unwrap();
        let own: i32 = own.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().parse().unwrap();
        assert_eq!(witness.ask("niceness").unwrap(), (own + 3).min(19).to_string());
        assert_eq!(witness.ask("limit files").unwrap(), "(50, 50)");
        assert_eq!(witness.ask("limit cpu").unwrap(), "(100, 101)");
        assert_eq!(witness.ask("limit memory").unwrap(), format!("({0}, {0})", 2_u64 << 30));
        assert_eq!(witness.ask("allocate 3000000000").unwrap(), "no");
        assert_eq!(witness.ask("allocate 300000").unwrap(), "yes");
    }
}

#[test]
fn processor_time_beyond_the_limit_ends_the_worker() {
    let mut launch = Launch::default();
    launch.settings.limits.cpu_seconds = Some(1);
    let mut crew = Crew::with(StartMethod::ForkServer, launch).unwrap();
    let mut witness = crew.start().unwrap();
    witness.tell("spin").unwrap();
    let Exit::Signal { number, .. } = crew.end_of(&witness) else { panic!("a signal ends it") };
    assert_eq!(number, Signal::SIGXCPU as i32);
}

#[test]
fn output_goes_where_it_is_told_to() {
    for method in METHODS {
        let mut launch = Launch::default();
        launch.settings.stdout = Stream::Piped;
        launch.settings.stderr = Stream::Null;
        let mut crew = Crew::with(method, launch).unwrap();
        let mut witness = crew.start().unwrap();
        assert!(witness.worker.stderr.is_none());
        assert_eq!(witness.ask("complain of nothing").unwrap(), "complained");
        assert_eq!(witness.ask("print some words").unwrap(), "printed");
        witness.ask("exit 0").unwrap_err();
        crew.end_of(&witness);
        let mut output = String::new();
        fs::File::from(witness.worker.stdout.take().unwrap()).read_to_string(&mut output).unwrap();
        assert_eq!(output, "some words\n");
    }
}

#[test]
fn descriptors_that_are_handed_over_arrive_and_nothing_else_does() {
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        let pipes = ["first", "second"].map(|text| {
            let (reader, mut writer) = std::io::pipe().unwrap();
            writer.write_all(text.as_bytes()).unwrap();
            OwnedFd::from(reader)
        });
        let mut witness = crew.start_with(&pipes).unwrap();
        drop(pipes);
        assert_eq!(witness.ask("read 1").unwrap(), "second");
        assert_eq!(witness.ask("read 0").unwrap(), "first");
        let all = witness.ask("descriptors").unwrap();
        // The worker itself, its witness, who has two copies more, and with `Spawn` its watch share one channel.
        let mut sockets: Vec<_> = all.split('|').filter(|name| name.starts_with("socket:")).collect();
        let copies = sockets.len();
        sockets.dedup();
        assert_eq!(sockets.len(), 1, "{all}");
        assert_eq!(copies, if method == StartMethod::Spawn { 4 } else { 3 }, "{all}");
        let strange = all.split('|').any(|name| name.contains("eventpoll") || name.contains("signalfd"));
        assert!(!strange, "what is the server's is closed: {all}");
        let program = witness.ask("execute ls /proc/self/fd").unwrap();
        let here = std::process::Command::new("/bin/sh").args(["-c", "ls /proc/self/fd"]).output().unwrap();
        let here = String::from_utf8(here.stdout).unwrap();
        assert!(
            program.split_whitespace().eq(here.split_whitespace()),
            "a program gets what it gets of the owner: {program}"
        );
    }
}

#[test]
fn too_many_descriptors_are_refused() {
    let mut crew = Crew::new(StartMethod::ForkServer).unwrap();
    let fds: Vec<OwnedFd> = (0..17).map(|_| fs::File::open("/dev/null").unwrap().into()).collect();
    let error = crew.start_with(&fds).unwrap_err();
    assert!(error.to_string().contains("16 are the most"), "{error}");
    crew.start_with(&fds[..16]).unwrap();
}

#[test]
fn a_worker_that_cannot_settle_says_why() {
    let folder = std::env::temp_dir().join(format!("executor-process-{}", std::process::id()));
    for method in METHODS {
        fs::create_dir(&folder).unwrap();
        let mut launch = Launch::default();
        launch.settings.directory = Some(folder.clone().into());
        let mut crew = Crew::with(method, launch).unwrap();
        fs::remove_dir(&folder).unwrap();
        let ticket = crew.order(&[]).unwrap();
        let mut event = crew.next_of(ticket);
        if let Event::Started(_) = event {
            event = crew.next_of(ticket);
        }
        let Event::Failed { error, .. } = event else { panic!("it should have failed: {event:?}") };
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("worker 0 cannot change to the directory"), "{error}");
        let ticket = crew.order(&[]).unwrap();
        assert!(!matches!(crew.next_of(ticket), Event::Ended { .. }), "the end of the first is not told");
    }
}

#[test]
fn a_hundred_workers_at_once() {
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        let tickets: Vec<_> = (0..100).map(|_| crew.order(&[]).unwrap()).collect();
        let mut witnesses: Vec<_> = tickets
            .into_iter()
            .map(|ticket| match crew.next_of(ticket) {
                Event::Started(worker) => crate::testing::Witness::new(worker).unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        for witness in &mut witnesses {
            witness.tell("echo hello").unwrap();
        }
        for witness in &mut witnesses {
            assert_eq!(witness.ask("echo again").unwrap(), "hello");
        }
        assert_eq!(crew.starter().worker_count(), 100);
        let pids: Vec<u32> = witnesses.iter().map(crate::testing::Witness::pid).collect();
        drop(crew);
        eventually("all end with the pool", || pids.iter().all(|&pid| is_gone(pid)));
    }
}

#[test]
fn dropping_a_starter_waits_for_its_workers() {
    let mut crew = Crew::new(StartMethod::Spawn).unwrap();
    let witnesses = [crew.start().unwrap(), crew.start().unwrap()];
    drop(crew);
    assert!(witnesses.iter().all(|witness| is_gone(witness.pid())));
}

#[test]
fn a_fork_server_that_is_killed_is_replaced() {
    let mut launch = Launch::default();
    launch.environment.insert("CREW_KILLED".into(), Some("1".into()));
    let mut crew = Crew::with(StartMethod::ForkServer, launch).unwrap();
    for _ in 0..5 {
        let mut witnesses = [crew.start().unwrap(), crew.start().unwrap()];
        let server: i32 = witnesses[0].ask("parent").unwrap().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(server), Signal::SIGKILL).unwrap();
        for witness in &mut witnesses {
            assert_eq!(crew.end_of(witness), Exit::Unknown);
            assert!(witness.ask("echo hello").is_err());
        }
        eventually("the server is reaped", || is_gone(server.unsigned_abs()));
    }
    assert_eq!(crew.start().unwrap().ask("echo hello").unwrap(), "hello");
}

#[test]
fn orders_that_a_killed_server_had_not_served_fail_or_are_served_by_the_next() {
    let mut launch = Launch::default();
    launch.environment.insert("CREW_ORDERS".into(), Some("1".into()));
    let mut crew = Crew::with(StartMethod::ForkServer, launch).unwrap();
    for round in 0..10 {
        let server: i32 = crew.start().unwrap().ask("parent").unwrap().parse().unwrap();
        let tickets: Vec<_> = (0..40).map(|_| crew.order(&[]).unwrap()).collect();
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(server), Signal::SIGKILL);
        for ticket in tickets {
            match crew.next_of(ticket) {
                Event::Failed { error, .. } => assert!(error.to_string().contains("fork server"), "{error}"),
                Event::Started(_) => {
                    let event = crew.next_of(ticket);
                    assert!(matches!(event, Event::Ended { .. }), "round {round}: {event:?}");
                }
                event @ Event::Ended { .. } => panic!("{event:?}"),
            }
        }
    }
}

#[test]
fn a_fork_of_a_program_with_threads_is_refused() {
    let error = Starter::new(StartMethod::Fork, Launch::default()).unwrap_err().to_string();
    assert!(error.contains("threads") && error.contains("`StartMethod::ForkServer`"), "{error}");
}

#[test]
fn an_idle_starter_has_nothing_to_tell() {
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        let witness = crew.start().unwrap();
        let mut events = Vec::new();
        let mut starter = Starter::new(method, Launch::default()).unwrap();
        starter.drain(&mut events).unwrap();
        assert!(events.is_empty());
        drop(starter);
        drop(witness);
    }
}

#[test]
fn a_closed_channel_ends_a_worker() {
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        let ticket = crew.order(&[]).unwrap();
        let Event::Started(worker) = crew.next_of(ticket) else { panic!("it starts") };
        drop(worker);
        let Event::Ended { exit, .. } = crew.next_of(ticket) else { panic!("it ends") };
        assert_eq!(exit, Exit::Code(0));
    }
}

#[test]
fn pools_nest_to_a_depth() {
    let mut crew = Crew::new(StartMethod::ForkServer).unwrap();
    let mut witness = crew.start().unwrap();
    assert_eq!(witness.ask("nest 3").unwrap(), "at depth 4");
    let refused = witness.ask("nest 4").unwrap();
    assert!(refused.contains("nest no deeper"), "{refused}");
    assert_eq!(witness.ask("echo hello").unwrap(), "hello");
}

#[test]
fn starts_and_kills_are_quick() {
    // A guard against waits that should not be there, with a hundredfold of what is measured.
    let began = Instant::now();
    let mut crew = Crew::new(StartMethod::ForkServer).unwrap();
    for _ in 0..50 {
        let witness = crew.start().unwrap();
        witness.kill().unwrap();
        assert_eq!(crew.end_of(&witness), Exit::Signal { number: 9, core_dumped: false });
    }
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_panic_of_a_worker_itself_ends_it() {
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        let mut witness = crew.start().unwrap();
        assert!(witness.ask("exit no number").is_err());
        let exit = crew.end_of(&witness);
        assert_eq!(exit.signal_name(), Some("SIGABRT"), "{exit:?}");
    }
}
