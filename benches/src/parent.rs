//! The role of the parent: starts the children in turn and shows what they found.

use std::env;
use std::error::Error;
use std::io::{self, IsTerminal, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::cases::Case;
use crate::kernel;
use crate::line::Line;
use crate::machine;
use crate::options::{Errand, Plan};
use crate::peers::{self, Peer};
use crate::process::cpu_ticks_of;
use crate::results::{Results, Run};
use crate::table;
use crate::versions::Versions;

/// How long a child is watched at the end of its time, to tell one that waits for ever from one that is only slow.
const WATCH: Duration = Duration::from_secs(1);

/// The most that a child which waits for ever uses of its watch, in clock ticks of 10 ms. A pool may look for work now
/// and then.
const STUCK_TICKS_MAX: u64 = 20;

/// Runs every case of `plan` and prints a table for each as soon as it is complete.
pub(crate) fn measure(plan: &Plan) -> Result<(), Box<dyn Error>> {
    let turns = kernel::measure_turns();
    let peers = introduce(plan);
    let mut verdicts = Vec::new();
    for case in &plan.cases {
        let results = measure_case(case, plan, &peers, turns)?;
        print!("{}", table::render(case, &results));
        io::stdout().flush()?;
        for verdict in case.judge(&results) {
            verdicts.push(format!("{:<18} {verdict}", case.name));
        }
    }
    if !verdicts.is_empty() {
        println!("\ntargets");
        for verdict in verdicts {
            println!("  {verdict}");
        }
    }
    Ok(())
}

/// Says what is measured where, and gives the peers that are on this machine.
fn introduce(plan: &Plan) -> Vec<&'static Peer> {
    println!("{}", machine::describe());
    println!(
        "{} workers, up to {} rounds{}",
        plan.setup.workers,
        plan.rounds,
        match plan.setup.quick {
            true => ", quick: figures are not to be quoted",
            false => "",
        }
    );
    if machine::is_debug_build() {
        println!("this is a debug build: its figures mean nothing, run with --release");
    }
    let versions = Versions::read();
    let mut peers = plan.peers.clone();
    peers.retain(|peer| {
        let version = peer.version(&versions);
        match &version {
            Ok(version) => println!("  {:<16} {} {version}: {}", peer.name, peer.package, peer.how),
            Err(reason) => println!("  {:<16} not on this machine: {reason}", peer.name),
        }
        version.is_ok()
    });
    for (name, reason) in peers::ABSENT {
        println!("  {name:<16} not in this build: {reason}");
    }
    peers
}

/// Round 1 of every peer, then round 2, and so on; each round begins with another peer. A peer that fails is not asked
/// again.
fn measure_case(
    case: &'static Case,
    plan: &Plan,
    peers: &[&'static Peer],
    turns: u64,
) -> Result<Results, Box<dyn Error>> {
    let peers: Vec<_> = peers.iter().copied().filter(|peer| peer.field() == case.field()).collect();
    let mut results = Results::new(case.field().ours(), peers.iter().map(|peer| peer.name));
    for round in 0..plan.rounds.min(case.rounds_max) {
        for turn in 0..peers.len() {
            let peer = peers[(turn + round) % peers.len()];
            if results.has_failed(peer.name) {
                continue;
            }
            progress(&format!("{}: round {}, {}", case.name, round + 1, peer.name));
            let errand = Errand { case, peer, turns, setup: plan.setup };
            results.add(peer.name, run_child(&errand)?);
        }
    }
    progress("");
    Ok(results)
}

/// Shows what runs now in place of what ran before, if somebody looks.
fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
    }
}

/// Starts this program as a child and waits for its line, up to the time limit of the case.
///
/// The parent sleeps while a child runs: a thread blocked in `read` disturbs no measurement.
fn run_child(errand: &Errand) -> Result<Run, Box<dyn Error>> {
    let mut child = Command::new(env::current_exe()?)
        .args(errand.arguments())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdout = child.stdout.take().expect("stdout was asked to be a pipe");
    let (sender, receiver) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut output = String::new();
        let read = stdout.read_to_string(&mut output);
        // The parent may have given the child up, and then nobody wants to know.
        sender.send(read.map(|_| output)).ok();
    });

    let limit = errand.case.limit(errand.setup.quick);
    let mut answer = receiver.recv_timeout(limit.saturating_sub(WATCH));
    let mut stuck = false;
    if let Err(RecvTimeoutError::Timeout) = answer {
        let before = cpu_ticks_of(child.id());
        answer = receiver.recv_timeout(WATCH);
        let after = cpu_ticks_of(child.id());
        stuck = before.zip(after).is_some_and(|(before, after)| after - before <= STUCK_TICKS_MAX);
    }
    let run = match answer {
        Ok(output) => read_answer(&mut child, &output?)?,
        Err(_) => {
            child.kill()?;
            child.wait()?;
            if stuck { Run::Deadlock } else { Run::TimeOut(limit) }
        }
    };
    reader.join().map_err(|_| "the thread that reads from a child panicked")?;
    Ok(run)
}

/// What a child that closed its output said, or how it died.
fn read_answer(child: &mut Child, output: &str) -> Result<Run, Box<dyn Error>> {
    let status = child.wait()?;
    Ok(match Line::parse(output) {
        Some(Line::Figures(figures)) => Run::Figures(figures),
        Some(Line::NotOffered) => Run::NotOffered,
        Some(Line::Failed(cause)) => Run::Failed(cause),
        None => Run::Failed(format!("ended without a line, {status}")),
    })
}
