use std::borrow::Cow;

use executor_core::job;

#[job]
fn count<'a>(words: Vec<&str>, first: Option<Cow<'a, str>>, all: &[&str]) -> usize {
    words.len() + first.map_or(0, |first| first.len()) + all.len()
}

fn main() {}
