//! Which version of a peer was measured, read from the lock file that the build used.

use std::fs;
use std::path::Path;

/// The text of the lock file of this workspace, or nothing if the program is run elsewhere than where it was built.
pub(crate) struct Versions(String);

impl Versions {
    /// Reads the nearest `Cargo.lock` above this crate.
    pub(crate) fn read() -> Self {
        let lock = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .find_map(|folder| fs::read_to_string(folder.join("Cargo.lock")).ok());
        Self(lock.unwrap_or_default())
    }

    /// The version of `package`, or a question mark.
    pub(crate) fn of(&self, package: &str) -> &str {
        version_in(&self.0, package).unwrap_or("?")
    }
}

/// Finds `version = "…"` in the line after `name = "package"`. Of a package that is there twice it tells the last one,
/// which is the newest.
fn version_in<'lock>(lock: &'lock str, package: &str) -> Option<&'lock str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines();
    let mut version = None;
    while let Some(line) = lines.next() {
        if line == name {
            version = lines.next().and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
        }
    }
    version
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn a_version_is_found_by_its_package() {
        let lock = "[[package]]\nname = \"rayon\"\nversion = \"1.12.0\"\n\n[[package]]\nname = \"rayon-core\"\nversion = \"1.13.0\"\n";
        assert_eq!(version_in(lock, "rayon"), Some("1.12.0"));
        assert_eq!(version_in(lock, "rayon-core"), Some("1.13.0"));
        assert_eq!(version_in(lock, "tokio"), None);
    }
}
