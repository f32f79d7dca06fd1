//! [`CommandOutput`].

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;

/// How an external program ended, and what it wrote.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CommandOutput {
    /// How the program ended.
    pub exit: Exit,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl CommandOutput {
    /// The standard output as text; what is not UTF-8 is replaced by `U+FFFD`.
    #[must_use]
    pub fn stdout_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// The standard error as text; what is not UTF-8 is replaced by `U+FFFD`.
    #[must_use]
    pub fn stderr_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }

    /// The last line of the standard error that is not blank, cut so that a message with it stays readable.
    pub(super) fn last_words(&self) -> Option<String> {
        const CHARACTERS_MAX: usize = 200;
        // Only so much of the end is looked at, for the text may be long.
        const TAIL_BYTES: usize = 16 * 1024;
        let tail = &self.stderr[self.stderr.len().saturating_sub(TAIL_BYTES)..];
        let text = String::from_utf8_lossy(tail);
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        Some(line.chars().take(CHARACTERS_MAX).collect())
    }
}

impl fmt::Debug for CommandOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandOutput")
            .field("exit", &self.exit)
            .field("stdout", &Excerpt(&self.stdout))
            .field("stderr", &Excerpt(&self.stderr))
            .finish()
    }
}

/// The beginning of what may be long and no text.
struct Excerpt<'a>(&'a [u8]);

impl fmt::Debug for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BYTES_MAX: usize = 256;
        let shown = &self.0[..self.0.len().min(BYTES_MAX)];
        write!(f, "\"{}\"", shown.escape_ascii())?;
        let left = self.0.len() - shown.len();
        if left > 0 { write!(f, " and {left} bytes more") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::CommandOutput;
    use crate::exit::Exit;

    fn wrote(stderr: impl Into<Vec<u8>>) -> CommandOutput {
        CommandOutput { exit: Exit::Code(1), stdout: b"a\n\xFF".to_vec(), stderr: stderr.into() }
    }

    #[test]
    fn the_last_words_are_the_last_line_with_anything_in_it() {
        assert_eq!(wrote("first\n  second \n\n").last_words().as_deref(), Some("second"));
        assert_eq!(wrote(" \n").last_words(), None);
        assert_eq!(wrote("ö".repeat(100_000)).last_words().map(|words| words.chars().count()), Some(200));
    }

    #[test]
    fn a_long_output_is_shown_in_part() {
        let shown = format!("{:?}", wrote(vec![b'x'; 1000]));
        assert!(shown.contains(r#"stdout: "a\n\xff""#), "{shown}");
        assert!(shown.contains("and 744 bytes more"), "{shown}");
    }
}
