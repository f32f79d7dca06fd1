//! [`Ran`]: an example that was run to its end.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// True if the examples were built to run their jobs at submit.
pub(crate) const INLINE: bool = cfg!(not(any(feature = "thread", feature = "async", feature = "process")));

/// No example needs more than some seconds; one that is not done by now hangs.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `program` to its end.
pub(crate) fn run(program: impl AsRef<OsStr>, arguments: &[&OsStr]) -> Ran {
    run_command(Command::new(program).args(arguments))
}

/// Runs `command` to its end; fails the test if that does not come.
pub(crate) fn run_command(command: &mut Command) -> Ran {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = read_all(child.stdout.take().unwrap());
    let stderr = read_all(child.stderr.take().unwrap());
    let deadline = Instant::now() + HANG;
    let texts = [stdout, stderr].map(|text| text.recv_timeout(deadline.saturating_duration_since(Instant::now())));
    let [Ok(stdout), Ok(stderr)] = texts else {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("{command:?} was not done after {HANG:?}, and printed {texts:?}");
    };
    Ran { code: child.wait().unwrap().code(), stdout, stderr }
}

/// Reads to the end on a thread of its own, so that the program never waits for a full pipe.
fn read_all(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (done, text) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        // The test that would hear of it may have given up.
        drop(done.send(String::from_utf8_lossy(&bytes).into_owned()));
    });
    text
}

impl Ran {
    pub(crate) fn succeeded(&self) {
        assert_eq!(self.code, Some(0), "{self:?}");
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// Fails unless `line` was printed.
    pub(crate) fn says(&self, line: &str) {
        assert!(self.lines().contains(&line), "{line:?} is not in {self:?}");
    }

    /// What follows `prefix` on the one line that begins with it.
    pub(crate) fn rest_of(&self, prefix: &str) -> &str {
        let mut rests = self.stdout.lines().filter_map(|line| line.strip_prefix(prefix));
        let (Some(rest), None) = (rests.next(), rests.next()) else {
            panic!("not one line begins with {prefix:?} in {self:?}");
        };
        rest
    }

    /// The `count` lines after `line`.
    pub(crate) fn lines_after(&self, line: &str, count: usize) -> Vec<&str> {
        let after: Vec<_> = self.stdout.lines().skip_while(|other| *other != line).skip(1).take(count).collect();
        assert_eq!(after.len(), count, "{count} lines after {line:?} in {self:?}");
        after
    }
}
