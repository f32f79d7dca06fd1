//! [`WorkerDeath`]: how a worker process died, and what it said last.

use std::fmt;

use thiserror::Error;

/// How a worker process died.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WorkerDeath {
    /// It exited, which a job must not do; the code is what it gave.
    #[error("it exited with code {0}")]
    Exited(i32),
    /// A signal ended it.
    #[error("signal {number} ({name}) ended it{}", whence(name))]
    Signalled {
        /// The number of the signal.
        number: i32,
        /// Its name, such as `SIGSEGV`.
        name: &'static str,
    },
    /// Nobody can say how.
    #[error("it ended, and nobody can say how")]
    Unknown,
}

/// Where a signal may have come from that the worker did not raise itself.
fn whence(name: &str) -> &'static str {
    if name == "SIGKILL" { ", as the system may do when memory runs out" } else { "" }
}

/// How many characters of a worker's last words an error shows.
const LAST_WORDS_CHARS: usize = 400;

/// The last words of a worker on one line.
pub(super) struct LastWords<'a>(pub(super) Option<&'a str>);

impl fmt::Display for LastWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.into_iter().flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty());
        let text = lines.collect::<Vec<_>>().join(" | ").replace(char::is_control, "\u{fffd}");
        if text.is_empty() {
            return Ok(());
        }
        let begin = text.char_indices().rev().nth(LAST_WORDS_CHARS - 1).map_or(0, |(begin, _)| begin);
        let cut = if begin > 0 { "…" } else { "" };
        write!(f, "; it last wrote to its standard error: {cut}{}", &text[begin..])
    }
}

#[cfg(test)]
mod tests {
    use super::WorkerDeath;
    use crate::error::JobError;

    fn died(stderr: Option<&str>) -> String {
        let stderr = stderr.map(str::to_owned);
        JobError::WorkerDied { job: "resize".into(), pid: 7, death: WorkerDeath::Exited(3), stderr }.to_string()
    }

    #[test]
    fn a_signal_that_may_be_the_systems_says_so() {
        let killed = WorkerDeath::Signalled { number: 9, name: "SIGKILL" };
        assert_eq!(killed.to_string(), "signal 9 (SIGKILL) ended it, as the system may do when memory runs out");
        let crashed = WorkerDeath::Signalled { number: 11, name: "SIGSEGV" };
        assert_eq!(crashed.to_string(), "signal 11 (SIGSEGV) ended it");
    }

    #[test]
    fn last_words_are_one_line() {
        let plain = "worker process 7 died while it ran job `resize`: it exited with code 3";
        assert_eq!(died(None), plain);
        assert_eq!(died(Some(" \n\n")), plain);
        let text = died(Some("thread 'main' panicked:\n  no\tway\r\n\nnote: x\n"));
        let words = "thread 'main' panicked: | no\u{fffd}way | note: x";
        assert_eq!(text, format!("{plain}; it last wrote to its standard error: {words}"));
    }

    #[test]
    fn long_last_words_lose_their_beginning() {
        let text = died(Some(&format!("a{}z", "é".repeat(1000))));
        assert!(text.ends_with(&format!("error: …{}z", "é".repeat(399))), "{text}");
    }
}
