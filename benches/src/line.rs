//! The one line that a child prints and its parent reads.
//!
//! `figures ns=123.4 growth=1.02`, or `not-offered`, or `failed` and a reason. Rust prints an `f64` so that it reads back
//! as the same number.

use crate::outcome::{Failure, Outcome};

/// The figures of one run, by the key of their measure.
pub(crate) type Figures = Vec<(String, f64)>;

/// What a child's line said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    /// It measured.
    Figures(Figures),
    /// The peer has nothing that does this case.
    NotOffered,
    /// Something went wrong.
    Failed(String),
}

impl Line {
    /// The line for what a case returned.
    pub(crate) fn of(outcome: Outcome<Vec<(&'static str, f64)>>) -> Self {
        match outcome {
            Ok(figures) => Line::Figures(figures.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            Err(Failure::NotOffered) => Line::NotOffered,
            Err(Failure::Failed(cause)) => Line::Failed(cause.to_string()),
        }
    }

    /// The text of the line, without its end.
    pub(crate) fn format(&self) -> String {
        match self {
            Line::Figures(figures) => {
                figures.iter().fold("figures".to_owned(), |line, (key, value)| format!("{line} {key}={value}"))
            }
            Line::NotOffered => "not-offered".to_owned(),
            Line::Failed(cause) => format!("failed {}", cause.replace('\n', " ")),
        }
    }

    /// The last line of `output` that is one of ours; a peer may print as well.
    pub(crate) fn parse(output: &str) -> Option<Self> {
        output.lines().rev().find_map(|line| {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "figures" => rest.split_ascii_whitespace().map(parse_figure).collect::<Option<_>>().map(Line::Figures),
                "not-offered" => Some(Line::NotOffered),
                "failed" => Some(Line::Failed(rest.to_owned())),
                _ => None,
            }
        })
    }
}

fn parse_figure(word: &str) -> Option<(String, f64)> {
    let (key, value) = word.split_once('=')?;
    Some((key.to_owned(), value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn a_line_reads_back_as_it_was() {
        for line in [
            Line::Figures(vec![("ns".into(), 0.1 + 0.2), ("growth".into(), 1e9)]),
            Line::NotOffered,
            Line::Failed("wrong results".into()),
        ] {
            assert_eq!(Line::parse(&format!("chatter\n{}\n", line.format())), Some(line));
        }
    }

    #[test]
    fn other_output_is_no_line() {
        assert_eq!(Line::parse("figures ns=abc\n"), None);
        assert_eq!(Line::parse(""), None);
    }
}
