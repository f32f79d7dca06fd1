//! How do jobs share what grows, such as a dictionary or a list? A manager keeps it, and each job has proxies of it. Here
//! four jobs count the words of a verse each; with processes the manager is a process of its own.
//!
//! Run it with `cargo run --release -p examples --bin managed`; add `--no-default-features --features process` to swap
//! the backend.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use executor_core::{Executor, job};
use executor_ipc::manager::{Dict, List, ManagerError, Namespace};
use serde::{Deserialize, Serialize};

const VERSES: [&str; 4] = [
    "Twinkle twinkle little star how I wonder what you are",
    "Up above the world so high like a diamond in the sky",
    "When the blazing sun is gone when he nothing shines upon",
    "Then you show your little light twinkle twinkle all the night",
];

/// What the jobs have of the manager. Proxies can be parts of other values, and go wherever those go.
#[derive(Clone, Serialize, Deserialize)]
struct Shared {
    notes: Namespace,
    counts: Dict<String, i64>,
    longest: List<String>,
}

#[job]
fn count(verse: &str, shared: Shared) -> Result<(), String> {
    count_words(verse, &shared).map_err(|error| error.to_string())
}

/// Each call is one step for all others, also the one that adds: no count is lost, and nothing needs a lock.
fn count_words(verse: &str, shared: &Shared) -> Result<(), ManagerError> {
    let letters_min: usize = shared.notes.get("letters_min")?.unwrap_or(1);
    let verse = verse.to_lowercase();
    let words = || verse.split_whitespace().filter(|word| word.len() >= letters_min);
    for word in words() {
        shared.counts.fetch_add(word, 1)?;
    }
    if let Some(longest) = words().max_by_key(|word| word.len()) {
        shared.longest.push(&longest.to_owned())?;
    }
    shared.notes.fetch_add("verses", 1)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let manager = examples::manager()?;
    let pool = examples::pool(4)?;

    let shared = Shared { notes: manager.namespace()?, counts: manager.dict()?, longest: manager.list()? };
    shared.notes.set("letters_min", &4_usize)?; // a name has a value of any type
    for done in pool.map(|verse| count::job(verse, shared.clone()), VERSES) {
        done??;
    }

    let mut counts = shared.counts.entries()?;
    counts.retain(|(_, count)| *count > 1);
    counts.sort_unstable();
    println!("verses: {}", shared.notes.get::<i64>("verses")?.unwrap_or(0));
    println!("words that come again: {counts:?}");
    let mut longest = shared.longest.to_vec()?;
    longest.sort_unstable(); // they came in the order in which the jobs were done
    println!("the longest of each verse: {}", longest.join(", "));
    Ok(())
}
