//! The laws, by section.
//!
//! Each is a function that is generic over the [`Subject`](crate::Subject) and gets a [`Lab`](crate::Lab), from which it
//! takes pools. It panics if the law is broken. The numbers in their first lines are those of the list of laws that this
//! suite was made from.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    reason = "a law is a test: it panics if it is broken, and is an error if it is not claimed, as the page says of all"
)]

mod list;

pub mod as_completed;
pub mod backpressure;
pub mod bad_input;
pub mod callbacks;
pub mod context;
pub mod drops;
pub mod encoding;
pub mod future_state;
pub mod initializer;
pub mod map;
pub mod map_unordered;
pub mod nested;
pub mod outcome;
pub mod panics;
pub mod priorities;
pub mod retries;
pub mod shutdown;
pub mod stats;
pub mod stop;
pub mod streams;
pub mod submit;
pub mod unread;
pub mod wait;

crate::__each_law!(__law_names);

/// Checks that each of these is a law.
///
/// # Panics
///
/// If one is not, or is named twice.
pub fn assert_known(laws: &[&str]) {
    for (index, law) in laws.iter().enumerate() {
        assert!(ALL.iter().any(|(_, name)| name == law), "there is no law named `{law}`");
        assert!(!laws[..index].contains(law), "the law `{law}` is named twice");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The laws that the files of this folder define, read from their source.
    fn defined() -> BTreeSet<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/laws");
        let mut laws = BTreeSet::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let section = path.file_stem().unwrap().to_str().unwrap().to_owned();
            for line in fs::read_to_string(&path).unwrap().lines() {
                let name = line.strip_prefix("pub fn ").and_then(|rest| rest.split_once("<S: Subject>"));
                laws.extend(name.map(|(name, _)| (section.clone(), name.to_owned())));
            }
        }
        laws
    }

    #[test]
    fn every_law_is_in_the_list() {
        let listed: BTreeSet<_> = ALL.iter().map(|(section, law)| (section.to_string(), law.to_string())).collect();
        let defined = defined();
        assert_eq!(defined.difference(&listed).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
        assert_eq!(listed.difference(&defined).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    }

    #[test]
    fn no_two_laws_have_one_name() {
        let names: BTreeSet<_> = ALL.iter().map(|(_, law)| law).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
