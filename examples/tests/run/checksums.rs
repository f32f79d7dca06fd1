//! `checksums` on the directories that people have: what it hashes, what it skips, and how it fails.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::program::{Ran, run};

const CHECKSUMS: &str = env!("CARGO_BIN_EXE_checksums");

/// The hashes of nothing and of `abc`, as `b3sum` prints them, to the length of the table.
const OF_NOTHING: &str = "af1349b9f5f9a1a6";
const OF_ABC: &str = "6437b3ac38465133";

fn checksums(directory: &Path) -> Ran {
    run(CHECKSUMS, &[directory.as_os_str()])
}

/// The names in the table, in its order.
fn names(ran: &Ran) -> Vec<&str> {
    let table = ran.stdout.lines().skip(1).take_while(|line| !line.contains(" files, "));
    table.map(|line| line.rsplit("  ").next().unwrap()).collect()
}

fn one_line_error(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    assert_eq!(ran.stdout, "");
}

#[test]
fn hashes_every_file_at_every_depth() {
    let directory = TempDir::new().unwrap();
    fs::create_dir_all(directory.path().join("a/b")).unwrap();
    fs::write(directory.path().join("a/b/abc"), "abc").unwrap();
    fs::write(directory.path().join("nothing"), "").unwrap();
    // Longer than any buffer, so that it is read in more than one chunk.
    fs::write(directory.path().join("a/long"), vec![0; 3 << 20]).unwrap();
    let ran = checksums(directory.path());
    ran.succeeded();
    assert_eq!(names(&ran), ["a/long", "a/b/abc", "nothing"]);
    let rows = ran.lines_after("        SIZE  BLAKE3            FILE", 3);
    assert!(rows[0].starts_with("    3.00 MiB  "), "{ran:?}");
    assert_eq!(rows[1], format!("         3 B  {OF_ABC}  a/b/abc"));
    assert_eq!(rows[2], format!("         0 B  {OF_NOTHING}  nothing"));
    ran.says("3 files, 3.00 MiB, 0 errors");
    assert!(ran.stdout.lines().last().unwrap().contains(" MB/s, workers: "), "{ran:?}");
    assert_eq!(ran.stderr, "");
}

#[test]
fn shows_the_ten_largest_in_order() {
    let directory = TempDir::new().unwrap();
    for bytes in 0..300 {
        fs::write(directory.path().join(format!("{bytes}")), vec![1; bytes]).unwrap();
    }
    let ran = checksums(directory.path());
    ran.succeeded();
    let largest: Vec<_> = (290..300).rev().map(|bytes| bytes.to_string()).collect();
    assert_eq!(names(&ran), largest);
    ran.says("300 files, 43.80 KiB, 0 errors");
}

#[test]
fn an_empty_directory_is_no_failure() {
    let directory = TempDir::new().unwrap();
    let ran = checksums(directory.path());
    ran.succeeded();
    ran.says("0 files, 0 B, 0 errors");
}

#[test]
fn a_missing_directory_is_one_line_and_a_failure() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("missing");
    let ran = checksums(&missing);
    one_line_error(&ran, 1);
    assert!(ran.stderr.starts_with(&format!("checksums: {}: ", missing.display())), "{ran:?}");
}

#[test]
fn a_file_is_no_directory() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "abc").unwrap();
    one_line_error(&checksums(&file), 1);
}

#[test]
fn no_argument_and_too_many_are_a_usage_error() {
    for arguments in [&[][..], &[OsStr::new("."), OsStr::new(".")]] {
        let ran = run(CHECKSUMS, arguments);
        one_line_error(&ran, 2);
        assert_eq!(ran.stderr, "usage: checksums DIRECTORY\n");
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::os::unix::process::CommandExt;
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;
    use crate::program::run_command;

    /// A user without rights, under which a program is run where the tests themselves may do anything.
    const NOBODY: u32 = 65534;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A directory that everybody may read, with two closed doors in it, and a copy of the program beside it.
    struct Closed {
        directory: TempDir,
        program: PathBuf,
        doors: [PathBuf; 2],
    }

    impl Closed {
        fn new() -> Self {
            let directory = TempDir::new().unwrap();
            set_mode(directory.path(), 0o755);
            let tree = directory.path().join("tree");
            let doors = [tree.join("closed_file"), tree.join("closed_directory")];
            fs::create_dir_all(&doors[1]).unwrap();
            fs::write(doors[1].join("unseen"), "").unwrap();
            fs::write(&doors[0], "secret").unwrap();
            doors.iter().for_each(|door| set_mode(door, 0));
            let program = directory.path().join("checksums");
            fs::copy(CHECKSUMS, &program).unwrap();
            Closed { directory, program, doors }
        }

        fn tree(&self) -> PathBuf {
            self.directory.path().join("tree")
        }

        fn run(&self) -> Ran {
            let mut command = Command::new(&self.program);
            // The superuser opens closed doors.
            if fs::File::open(&self.doors[0]).is_ok() {
                command.uid(NOBODY).gid(NOBODY);
            }
            run_command(command.arg(self.tree()))
        }
    }

    impl Drop for Closed {
        fn drop(&mut self) {
            self.doors.iter().for_each(|door| set_mode(door, 0o700));
        }
    }

    #[test]
    fn what_cannot_be_read_is_reported_and_the_rest_goes_on() {
        let closed = Closed::new();
        fs::write(closed.tree().join("open"), "abc").unwrap();
        let ran = closed.run();
        ran.succeeded();
        assert_eq!(names(&ran), ["open"]);
        ran.says("1 files, 3 B, 2 errors");
        assert_eq!(ran.stderr.lines().count(), 2, "{ran:?}");
        for door in &closed.doors {
            let told =
                ran.stderr.lines().any(|line| line.contains(&*door.to_string_lossy()) && line.contains("denied"));
            assert!(told, "{ran:?}");
        }
    }

    #[test]
    fn it_is_a_failure_if_nothing_can_be_hashed() {
        let ran = Closed::new().run();
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert_eq!(ran.stdout, "");
        assert!(ran.stderr.lines().last().unwrap().ends_with("nothing could be hashed"), "{ran:?}");
    }

    #[test]
    fn links_sockets_and_pipes_are_skipped() {
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "abc").unwrap();
        symlink(at("file"), at("link")).unwrap();
        symlink(at("gone"), at("dangling")).unwrap();
        symlink(directory.path(), at("loop")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        // Opened for reading, a pipe without a writer would never answer.
        assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        let ran = checksums(directory.path());
        ran.succeeded();
        assert_eq!(names(&ran), ["file"]);
        ran.says("1 files, 3 B, 0 errors");
        assert_eq!(ran.stderr, "");
    }

    #[test]
    fn a_link_to_a_directory_may_be_the_argument() {
        let directory = TempDir::new().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        fs::create_dir(&real).unwrap();
        fs::write(real.join("file"), "abc").unwrap();
        symlink(&real, &link).unwrap();
        let ran = checksums(&link);
        ran.succeeded();
        assert_eq!(names(&ran), ["file"]);
    }

    /// Linux takes any bytes as a name; other systems refuse some.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_is_not_utf_8_is_hashed_like_any_other() {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join(OsStr::from_bytes(b"caf\xe9")), "abc").unwrap();
        let ran = checksums(directory.path());
        ran.succeeded();
        ran.says(&format!("         3 B  {OF_ABC}  caf\u{fffd}"));
        ran.says("1 files, 3 B, 0 errors");
    }
}
