//! [`Tail`]: what a worker last wrote.

use std::collections::VecDeque;

/// How much is kept, in bytes: the message of a panic and some frames of its backtrace.
const TAIL_BYTES: usize = 2048;

/// The last bytes that a job wrote to standard error.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    bytes: VecDeque<u8>,
    cut: bool,
}

impl Tail {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        let surplus = (self.bytes.len() + kept.len()).saturating_sub(TAIL_BYTES);
        self.cut |= surplus > 0 || kept.len() < bytes.len();
        self.bytes.drain(..surplus);
        self.bytes.extend(kept);
    }

    /// Another job runs.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.cut = false;
    }

    /// As text, from the beginning of a line if there is one; `None` if there is nothing.
    pub(crate) fn text(&self) -> Option<String> {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let newline = bytes.iter().position(|&byte| byte == b'\n').filter(|&at| self.cut && at + 1 < bytes.len());
        let begin = newline.map_or(0, |at| at + 1);
        let text = String::from_utf8_lossy(&bytes[begin..]).trim_end().to_owned();
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{TAIL_BYTES, Tail};

    #[test]
    fn the_last_lines_are_kept() {
        let mut tail = Tail::default();
        assert_eq!(tail.text(), None);
        (0..1000).for_each(|number| tail.push(format!("line {number}\n").as_bytes()));
        let text = tail.text().unwrap();
        assert!(text.ends_with("line 998\nline 999") && text.starts_with("line ") && text.len() < TAIL_BYTES, "{text}");
        tail.clear();
        assert_eq!(tail.text(), None);
        tail.push(b"a\nb\n");
        assert_eq!(tail.text().as_deref(), Some("a\nb"));
    }

    #[test]
    fn a_long_line_loses_its_beginning() {
        let mut tail = Tail::default();
        tail.push(&[b'x'; 3 * TAIL_BYTES]);
        tail.push(b"y\n");
        let text = tail.text().unwrap();
        assert!(text.len() == TAIL_BYTES - 1 && text.ends_with("xy"), "{}", text.len());
    }
}
