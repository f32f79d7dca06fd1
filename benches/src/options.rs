//! What the command line asks for.

use std::error::Error;

use crate::cases::{self, CASES, Case, Setup};
use crate::peers::{self, PEERS, Peer};

/// The word by which the parent tells a child that it is one.
pub(crate) const CHILD: &str = "--child";

/// The word by which a child tells a helper that it is one.
#[cfg(feature = "process")]
pub(crate) const HELPER: &str = "--helper";

/// What to do.
pub(crate) enum Command {
    /// Show how the program is used.
    Help,
    /// Be the parent.
    Measure(Plan),
    /// Be a child.
    Child(Errand),
    /// Be the other process of a peer that has none of its own; the words say which.
    #[cfg(feature = "process")]
    Helper(Vec<String>),
}

/// What the parent measures.
pub(crate) struct Plan {
    /// The cases, in the order in which they were named, or all.
    pub(crate) cases: Vec<&'static Case>,
    /// The peers, or all.
    pub(crate) peers: Vec<&'static Peer>,
    /// How often each peer runs each case.
    pub(crate) rounds: usize,
    /// Sizes and workers, the same for all.
    pub(crate) setup: Setup,
}

/// What one child measures.
pub(crate) struct Errand {
    /// The one case.
    pub(crate) case: &'static Case,
    /// The one peer.
    pub(crate) peer: &'static Peer,
    /// How many turns of the kernel's loop take 5 µs, as the parent measured it.
    pub(crate) turns: u64,
    /// Sizes and workers.
    pub(crate) setup: Setup,
}

impl Errand {
    /// The arguments from which a child reads this errand again.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            CHILD.to_owned(),
            self.case.name.to_owned(),
            "--peer".to_owned(),
            self.peer.name.to_owned(),
            "--turns".to_owned(),
            self.turns.to_string(),
            "--workers".to_owned(),
            self.setup.workers.to_string(),
        ];
        if self.setup.quick {
            arguments.push("--quick".to_owned());
        }
        arguments
    }
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, Box<dyn Error>> {
    let mut arguments = arguments;
    let mut child = false;
    let mut turns = 0;
    let mut rounds = None;
    let mut cases = Vec::new();
    let mut peers = Vec::new();
    let mut setup = Setup { workers: 2, quick: false };

    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            // `cargo bench` adds this one.
            "--bench" => {}
            "--quick" => setup.quick = true,
            "--rounds" => rounds = Some(positive(&argument, arguments.next())?),
            "--workers" => setup.workers = positive(&argument, arguments.next())?,
            "--peer" => {
                // Several names may follow one `--peer`, separated by commas.
                let names = arguments.next().ok_or("--peer needs the name of a peer")?;
                for name in names.split(',') {
                    peers.push(peers::named(name)?);
                }
            }
            CHILD => child = true,
            #[cfg(feature = "process")]
            HELPER => return Ok(Command::Helper(arguments.collect())),
            "--turns" => turns = positive(&argument, arguments.next())? as u64,
            name if name.starts_with('-') => {
                return Err(format!("there is no option {name}").into());
            }
            name => cases.extend(cases::named(name)?),
        }
    }

    if child {
        let (Some(&case), Some(&peer)) = (cases.first(), peers.first()) else {
            return Err("a child needs a case and a peer".into());
        };
        return Ok(Command::Child(Errand { case, peer, turns, setup }));
    }
    if peers.is_empty() {
        peers = PEERS.iter().collect();
    }
    if cases.is_empty() {
        cases = CASES.to_vec();
        cases.retain(|case| peers.iter().any(|peer| peer.field() == case.field()));
    }
    peers.retain(|peer| cases.iter().any(|case| case.field() == peer.field()));
    for case in &cases {
        if !peers.iter().any(|peer| peer.field() == case.field()) {
            return Err(format!("none of the peers that are named can run the case {}", case.name).into());
        }
    }
    let rounds = rounds.unwrap_or(if setup.quick { 2 } else { 5 });
    Ok(Command::Measure(Plan { cases, peers, rounds, setup }))
}

/// How the program is used, with the names of all cases and peers.
pub(crate) fn usage() -> String {
    let mut text = "\
usage: cargo run --release -p benches -- [CASE…] [--peer NAME]… [--rounds N] [--workers N] [--quick]

  CASE         what to measure; all, unless named. `threads`, `processes`, `ipc` and `async` are all of one kind
  --peer NAME  who is measured; all, unless named. May be repeated, or list names with commas
  --rounds N   how often each peer runs each case (default 5, with --quick 2)
  --workers N  the worker threads or processes of every pool (default 2)
  --quick      a twentieth of the jobs and short pauses: shows that all works, its figures are not to be quoted

cases:
"
    .to_owned();
    for case in CASES {
        text += &format!("  {:<18} {}\n", case.name, case.title);
    }
    text += "peers:\n";
    for peer in PEERS {
        text += &format!("  {:<18} {}\n", peer.name, peer.how);
    }
    text
}

fn positive(option: &str, value: Option<String>) -> Result<usize, Box<dyn Error>> {
    match value.as_deref().map(str::parse) {
        Some(Ok(number)) if number > 0 => Ok(number),
        _ => Err(format!("{option} needs a number above zero").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{CASES, Command, PEERS, parse};
    use crate::field::Field;

    fn of(words: &[&str]) -> Result<Command, String> {
        parse(words.iter().map(|&word| word.to_owned())).map_err(|problem| problem.to_string())
    }

    #[test]
    fn nothing_named_means_all() {
        let Ok(Command::Measure(plan)) = of(&[]) else {
            panic!("not a plan");
        };
        assert_eq!(plan.cases.len(), CASES.len());
        assert_eq!(plan.peers.len(), PEERS.len());
        assert_eq!((plan.rounds, plan.setup.workers, plan.setup.quick), (5, 2, false));
    }

    #[test]
    fn a_field_is_all_of_its_cases_and_peers() {
        for &field in Field::ALL {
            let Ok(Command::Measure(plan)) = of(&[field.name()]) else {
                panic!("not a plan");
            };
            assert_eq!(plan.cases.len(), CASES.iter().filter(|case| case.field() == field).count());
            assert_eq!(plan.peers.len(), PEERS.iter().filter(|peer| peer.field() == field).count());
            assert_eq!(plan.peers.iter().filter(|peer| peer.name == field.ours()).count(), 1);
        }
    }

    #[test]
    fn a_peer_alone_brings_the_cases_that_it_can_run() {
        for &field in Field::ALL {
            let Ok(Command::Measure(plan)) = of(&["--peer", field.ours()]) else {
                panic!("not a plan");
            };
            assert!(plan.cases.iter().all(|case| case.field() == field));
        }
    }

    #[test]
    fn a_child_reads_its_errand_back() {
        let words = ["--child", "submit", "--peer", "tokio", "--turns", "9", "--workers", "3", "--quick"];
        let Ok(Command::Child(errand)) = of(&words) else {
            panic!("not an errand");
        };
        assert_eq!(errand.arguments(), words);
    }

    #[test]
    fn what_does_not_exist_is_named() {
        assert!(of(&["sbmit"]).is_err_and(|problem| problem.contains("sbmit")));
        assert!(of(&["--peer", "tokyo"]).is_err_and(|problem| problem.contains("tokyo")));
        assert!(of(&["--round", "3"]).is_err_and(|problem| problem.contains("--round")));
        assert!(of(&["--rounds", "0"]).is_err());
    }
}
