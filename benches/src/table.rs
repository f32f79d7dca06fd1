//! The table of one case, as text.

use std::fmt::Write;

use crate::cases::{Case, Measure, Place};
use crate::results::{Results, Run};

/// Renders the results of `case`: one block for each leading measure, with the measures that stand beside it.
pub(crate) fn render(case: &Case, results: &Results) -> String {
    let mut text = format!("\n{}: {}\n", case.name, case.title);
    for (index, lead) in case.measures.iter().enumerate() {
        if lead.place == Place::Lead {
            let beside = case.measures[index + 1..].iter().take_while(|measure| measure.place == Place::Beside);
            block(&mut text, lead, &beside.collect::<Vec<_>>(), results);
        }
    }
    let mut not_offered = Vec::new();
    for peer in results.peers() {
        match results.failure(peer) {
            None => {}
            Some(Run::NotOffered) => not_offered.push(peer),
            Some(run) => line(&mut text, &format!("  {peer:<16} {run}")),
        }
    }
    if !not_offered.is_empty() {
        line(&mut text, &format!("  not offered by {}", not_offered.join(", ")));
    }
    for verdict in case.judge(results) {
        let head = if verdict.is_target() { "target: " } else { "" };
        line(&mut text, &format!("  {head}{verdict}"));
    }
    text
}

/// One block: a row for each peer that measured.
fn block(text: &mut String, lead: &Measure, beside: &[&Measure], results: &Results) {
    let mut head = format!("  {:<16} {:>10} {:>19} {:>8}", lead.label, "median", "min..max", "x ours");
    for measure in beside {
        let _ = write!(head, "  {:>width$}", measure.label, width = width(measure));
    }
    line(text, &head);
    let ours = results.ours(lead.key);
    for peer in results.peers() {
        let Some(samples) = results.samples(peer, lead.key) else {
            continue;
        };
        let range = format!("{}..{}", number(samples.min()), number(samples.max()));
        let ratio = match ours {
            Some(ours) if ours > 0.0 => format!("{:.2}", samples.median() / ours),
            _ => "-".to_owned(),
        };
        let mut row = format!("  {peer:<16} {:>10} {range:>19} {ratio:>8}", number(samples.median()));
        for measure in beside {
            let cell = results.median(peer, measure.key).map_or_else(|| "-".to_owned(), number);
            let _ = write!(row, "  {cell:>width$}", width = width(measure));
        }
        line(text, &row);
    }
}

/// A number with about three digits that mean something.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn width(measure: &Measure) -> usize {
    measure.label.chars().count().max(8)
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{number, render};
    use crate::cases;
    use crate::peers::OURS;
    use crate::results::{Results, Run};

    #[test]
    fn a_number_keeps_three_digits() {
        assert_eq!([0.123, 12.34, 123.4, -40.06].map(number), ["0.12", "12.3", "123", "-40.1"]);
    }

    #[test]
    fn a_table_shows_medians_ratios_and_verdicts() {
        let case = cases::named("submit").unwrap()[0];
        let mut results = Results::new(OURS, [OURS, "rayon-spawn", "tokio"].into_iter());
        for ns in [100.0, 110.0, 120.0] {
            results.add(OURS, Run::Figures(vec![("ns".into(), ns)]));
            results.add("rayon-spawn", Run::Figures(vec![("ns".into(), 2.5 * ns)]));
        }
        results.add("tokio", Run::Deadlock);
        let text = render(case, &results);
        assert!(text.contains("275"), "{text}");
        assert!(text.contains("250..300"), "{text}");
        assert!(text.contains("2.50"), "{text}");
        assert!(text.contains("deadlock"), "{text}");
        assert!(text.contains("0.40 of rayon-spawn (at most 0.50): met"), "{text}");
    }

    #[test]
    fn a_failure_of_ours_is_no_target_met() {
        let case = cases::named("submit").unwrap()[0];
        let mut results = Results::new(OURS, [OURS, "rayon-spawn"].into_iter());
        results.add(OURS, Run::Figures(vec![("ns".into(), 1.0)]));
        results.add(OURS, Run::Failed("wrong results".into()));
        results.add("rayon-spawn", Run::Figures(vec![("ns".into(), 100.0)]));
        let text = render(case, &results);
        assert!(text.contains("wrong results: MISSED"), "{text}");
        assert!(!text.contains(": met"), "{text}");
    }
}
