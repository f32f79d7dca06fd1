//! [`Lines`]: bytes of a stream to lines.

use super::LineEnd;

/// How long a line may be before it is cut, in bytes. The longest that people read are some hundred; what is longer is data that a
/// reader puts together again.
pub(crate) const LINE_BYTES_MAX: usize = 16 << 10;

/// The beginning of a line whose end has not come.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Takes in what was read, and gives each line that is complete to `sink`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut sink: impl FnMut(String, LineEnd)) {
        while !bytes.is_empty() {
            // One more than a line may have, so that a newline right behind the longest line is its end.
            let room = LINE_BYTES_MAX + 1 - self.begun.len();
            let within = &bytes[..bytes.len().min(room)];
            if let Some(length) = within.iter().position(|&byte| byte == b'\n') {
                self.begun.extend_from_slice(&within[..length]);
                bytes = &bytes[length + 1..];
                if self.begun.last() == Some(&b'\r') {
                    self.begun.pop();
                }
                sink(self.take(self.begun.len()), LineEnd::Newline);
            } else {
                self.begun.extend_from_slice(within);
                bytes = &bytes[within.len()..];
                if self.begun.len() > LINE_BYTES_MAX {
                    let length = whole_chars(&self.begun[..LINE_BYTES_MAX]);
                    sink(self.take(length), LineEnd::Cut);
                }
            }
        }
    }

    /// Gives what was begun, because nothing follows.
    pub(crate) fn end(&mut self) -> Option<String> {
        (!self.begun.is_empty()).then(|| self.take(self.begun.len()))
    }

    fn take(&mut self, length: usize) -> String {
        let text = String::from_utf8_lossy(&self.begun[..length]).into_owned();
        self.begun.drain(..length);
        text
    }
}

/// How long it is without a character that was cut in two at its end.
fn whole_chars(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    let lead = bytes[tail..].iter().rposition(|&byte| byte & 0xC0 != 0x80).map_or(bytes.len(), |at| tail + at);
    let wanted = match bytes.get(lead) {
        Some(0xC2..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF4) => 4,
        _ => 1,
    };
    if bytes.len() - lead < wanted && lead > 0 { lead } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::{LINE_BYTES_MAX, LineEnd, Lines};

    /// What comes of the bytes, whatever they are read in.
    fn lines(bytes: &[u8]) -> Vec<(String, LineEnd)> {
        let read_in = |piece: usize| {
            let (mut lines, mut told) = (Lines::default(), Vec::new());
            bytes.chunks(piece).for_each(|bytes| lines.push(bytes, |text, end| told.push((text, end))));
            told.extend(lines.end().map(|text| (text, LineEnd::Missing)));
            told
        };
        let told = read_in(usize::MAX);
        for piece in [1, 2, 3, 7, 4096, LINE_BYTES_MAX, LINE_BYTES_MAX + 1] {
            assert_eq!(read_in(piece), told, "read by {piece} bytes");
        }
        told
    }

    #[test]
    fn lines_end_with_a_newline() {
        let newline = |text: &str| (text.to_owned(), LineEnd::Newline);
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"\n"), [newline("")]);
        assert_eq!(lines(b"a\r\n\nb\n"), [newline("a"), newline(""), newline("b")]);
        assert_eq!(lines(b"a\rb\nc"), [newline("a\rb"), ("c".to_owned(), LineEnd::Missing)]);
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        assert_eq!(lines(b"a\xffb\xc3\n")[0].0, "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn a_long_line_is_cut() {
        let longest = "x".repeat(LINE_BYTES_MAX);
        assert_eq!(lines(format!("{longest}\ny").as_bytes())[0], (longest.clone(), LineEnd::Newline));
        let told = lines(format!("{longest}y\n").as_bytes());
        assert_eq!(told, [(longest.clone(), LineEnd::Cut), ("y".to_owned(), LineEnd::Newline)]);
        let told = lines(&[b'x'; 3 * LINE_BYTES_MAX + 1]);
        assert_eq!(told.iter().map(|(text, _)| text.len()).sum::<usize>(), 3 * LINE_BYTES_MAX + 1);
        assert_eq!(told.len(), 4);
    }

    #[test]
    fn a_cut_spares_characters() {
        for character in ["é", "€", "😀"] {
            for shift in 0..4 {
                let text = format!("{}{}", "x".repeat(shift), character.repeat(LINE_BYTES_MAX));
                let told = lines(text.as_bytes());
                assert_eq!(told.iter().map(|(text, _)| &**text).collect::<String>(), text);
            }
        }
        let told = lines(&[0x80; 2 * LINE_BYTES_MAX]);
        assert_eq!(told.iter().map(|(text, _)| text.chars().count()).sum::<usize>(), 2 * LINE_BYTES_MAX);
    }
}
