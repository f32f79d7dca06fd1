//! What a program gets, and what comes back.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use executor_core::{Executor, JobOptions, Retries};
use executor_process::{Command, CommandError, CommandOutput, Exit, StartMethod, command};
use executor_testkit::assert_travels;

use crate::common::{named, watched};
use crate::tools::{Folder, KILLED, SHORT, everywhere, pools, sh};

#[test]
fn a_program_gets_its_arguments_as_they_are() {
    let _watched = watched();
    let output = everywhere(&command("echo").arg("hello")).unwrap();
    assert_eq!((output.exit, &output.stdout[..], &output.stderr[..]), (Exit::Code(0), &b"hello\n"[..], &b""[..]));

    let odd = OsString::from_vec(b"\xFF\xFE".to_vec());
    let printf = command("printf").arg("[%s]").args(["two words", "", "\"'$HOME*\\", "\n"]).arg(odd);
    let output = everywhere(&printf).unwrap();
    assert_eq!(output.stdout, b"[two words][][\"'$HOME*\\][\n][\xFF\xFE]");
}

#[test]
fn a_command_travels_with_everything_in_it() {
    let odd = OsString::from_vec(b"\xFF=".to_vec());
    let command = command(&odd).arg(&odd).input([0, 255]).env_clear().env("A", &odd).env_remove("B").current_dir(&odd);
    assert_travels(command.run_limit(SHORT).grace(Duration::MAX).output_bytes_max(usize::MAX).unchecked());
}

#[test]
fn input_comes_through_whole() {
    let _watched = watched();
    let input: Vec<u8> = (0..10_000_000_u32).map(|n| (n ^ (n >> 8) ^ (n >> 16)) as u8).collect();
    assert!(command("cat").input(input.clone()).run().unwrap().stdout == input);
    // Less of it, because a debug build takes long to encode it, and still more than a pipe holds.
    assert!(everywhere(&command("cat").input(&input[..300_000])).unwrap().stdout == input[..300_000]);
    // Without input there is an end of it, and not that of the program around.
    assert_eq!(everywhere(&command("cat")).unwrap().stdout, b"");
}

#[test]
fn full_pipes_are_no_deadlock() {
    let _watched = watched();
    // It writes long before it reads, and to both.
    let floods = |zeros: usize, more: usize| {
        sh(&format!("head -c {zeros} /dev/zero; head -c {more} /dev/zero >&2; cat")).input(vec![b'x'; more])
    };
    let check = |output: &CommandOutput, zeros: usize, more: usize| {
        assert_eq!((output.stdout.len(), output.stderr.len()), (zeros + more, more));
        assert!(output.stdout[..zeros] == vec![0; zeros]);
        assert!(output.stdout[zeros..] == vec![b'x'; more]);
    };
    check(&floods(64 << 20, 1 << 20).run().unwrap(), 64 << 20, 1 << 20);
    check(&everywhere(&floods(500_000, 300_000)).unwrap(), 500_000, 300_000);
}

#[test]
fn input_that_is_not_wanted_is_no_error() {
    let _watched = watched();
    // More than a pipe holds.
    let input = vec![b'x'; 500_000];
    assert_eq!(everywhere(&command("head").args(["-c", "3"]).input(input.clone())).unwrap().stdout, b"xxx");
    assert_eq!(everywhere(&command("true").input(input.clone())).unwrap().stdout, b"");
    // It goes on after it has closed its input.
    let output = everywhere(&sh("exec <&-; sleep 0.1; echo done").input(input)).unwrap();
    assert_eq!(output.stdout, b"done\n");
}

#[test]
fn the_two_outputs_are_apart() {
    let _watched = watched();
    let output = everywhere(&sh("echo out; echo err >&2; printf '\\377'")).unwrap();
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n\xFF"[..], &b"err\n"[..]));
    assert_eq!((output.stdout_text(), output.stderr_text()), ("out\n\u{FFFD}".into(), "err\n".into()));
}

#[test]
fn a_code_other_than_0_is_a_failure_unless_unchecked() {
    let _watched = watched();
    let fails = sh("echo part; echo 'no such codec' >&2; exit 3");
    let error = everywhere(&fails).unwrap_err();
    let CommandError::Failed { program, output } = &error else { panic!("{error}") };
    assert_eq!((program.as_str(), output.exit, &output.stdout[..]), ("sh", Exit::Code(3), &b"part\n"[..]));
    assert_eq!(error.to_string(), "program `sh` failed: it exited with code 3; its last words: no such codec");
    let output = everywhere(&fails.unchecked()).unwrap();
    assert_eq!((output.exit, &output.stdout[..]), (Exit::Code(3), &b"part\n"[..]));
}

#[test]
fn a_signal_is_a_failure_unless_unchecked() {
    let _watched = watched();
    let dies = sh("echo part; kill -KILL $$");
    let error = everywhere(&dies).unwrap_err();
    assert_eq!(error.to_string(), "program `sh` failed: signal 9 (SIGKILL) ended it");
    assert_eq!(error.output().map(|output| (output.exit, &output.stdout[..])), Some((KILLED, &b"part\n"[..])));
    assert_eq!(everywhere(&dies.unchecked()).unwrap().exit, KILLED);
}

#[test]
fn a_program_that_fails_is_a_job_that_failed() {
    let _watched = watched();
    for pool in pools() {
        let folder = Folder::new();
        // It leaves a mark for each time, and succeeds the third time.
        let script = sh("echo >> marks; test $(wc -l < marks) -ge 3").current_dir(&folder.0);
        let once = pool.submit(script.clone()).result().unwrap();
        assert!(matches!(once, Err(CommandError::Failed { .. })), "{once:?}");
        assert_eq!((pool.stats().finished, pool.stats().failed), (0, 1));
        let again = pool.submit_with(script, JobOptions::new().retries(Retries::times(5)));
        again.result().unwrap().unwrap();
        assert_eq!((pool.stats().finished, pool.stats().failed), (1, 1));
        assert_eq!(fs::read(folder.file("marks")).unwrap(), b"\n\n\n");
    }
}

#[test]
fn what_is_no_program_is_told_apart() {
    let _watched = watched();
    let text = |command: Command| {
        let error = everywhere(&command).unwrap_err();
        assert!(error.output().is_none());
        assert!(error.to_string().contains(&format!("`{}`", error.program())), "{error}");
        (format!("{error:?}").split(' ').next().unwrap().to_owned(), error.to_string())
    };
    for missing in ["no-such-program-anywhere", "/no/such/program", "/etc/passwd/program"] {
        let (kind, text) = text(command(missing));
        assert_eq!(kind, "NotFound");
        assert!(text.contains(&format!("`{missing}` was not found")), "{text}");
    }
    let folder = Folder::new();
    // Written by another process: one of ours might be forked while the file is open, and hold it open for writing.
    let made =
        "printf '#!/no/such/interpreter\\n' > script; echo plain > plain; echo text > text; chmod +x script text";
    sh(made).current_dir(&folder.0).run().unwrap();
    for (name, says) in
        [("plain", "chmod +x"), ("script", "interpreter"), ("text", "neither a program"), (".", "directory")]
    {
        let (kind, text) = text(command(folder.file(name)));
        assert_eq!(kind, "NotExecutable", "{name}: {text}");
        assert!(text.contains(says), "{name}: {text}");
        // By a path that starts at the directory of the command.
        let relative = everywhere(&command(format!("./{name}")).current_dir(&folder.0)).unwrap_err();
        assert!(matches!(relative, CommandError::NotExecutable { .. }), "{relative}");
    }
    for (directory, says) in [("/no/such/directory", "No such file"), ("/etc/passwd", "Not a directory")] {
        let (kind, text) = text(command("true").current_dir(directory));
        assert_eq!(kind, "Directory");
        assert!(text.contains(directory) && text.contains(says), "{text}");
    }
}

#[test]
fn what_no_program_can_be_given_is_refused() {
    let _watched = watched();
    let long = "x".repeat(4 << 20);
    for (command, says) in [
        (command(""), "its name is empty"),
        (command("tr\0ue"), "its name has a null byte"),
        (command("true").args(["fine", "nu\0ll"]), "argument 2 of 2 has a null byte"),
        (command("true").current_dir("/\0"), "its directory has a null byte"),
        (command("true").env("A=B", "1"), "\"A=B\" cannot be set"),
        (command("true").env("", "1"), "cannot be set"),
        (command("true").env("A", "\0"), "\"A\" cannot be set"),
        (command("true").arg(long), "longer than the system takes"),
    ] {
        let error = everywhere(&command).unwrap_err();
        assert!(matches!(error, CommandError::Invalid { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn the_environment_is_what_the_command_says() {
    let _watched = watched();
    let lines = |command: Command| {
        let output = everywhere(&command).unwrap();
        let mut lines: Vec<_> = output.stdout_text().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(command("env").env("GONE", "1").env_clear().env("B", "").env("A", "1=2")), ["A=1=2", "B="]);
    let kept = lines(command("env").env("ADDED", "1").env_remove("HOME").env("BOTH", "1").env_remove("BOTH"));
    assert!(kept.contains(&"ADDED=1".to_owned()) && kept.iter().any(|line| line.starts_with("PATH=")), "{kept:?}");
    assert!(!kept.iter().any(|line| line.starts_with("HOME=") || line.starts_with("BOTH=")), "{kept:?}");
    // The program is looked for in the path that it gets.
    let error = everywhere(&command("env").env("PATH", "/nowhere")).unwrap_err();
    assert!(matches!(error, CommandError::NotFound { .. }), "{error}");
}

#[test]
fn a_program_begins_in_its_directory() {
    let _watched = watched();
    assert_eq!(everywhere(&command("pwd").current_dir("/usr")).unwrap().stdout, b"/usr\n");
    assert_eq!(everywhere(&command("./pwd").current_dir("/bin")).unwrap().stderr, b"");
}

#[test]
fn a_shortage_of_descriptors_is_an_error_that_says_so() {
    let _watched = watched();
    let (mut refused, mut ran) = (0, 0);
    for files in 10..24 {
        // A process of its own has no other descriptors than those of its pool.
        let pool = named("few-files", 1).start_method(StartMethod::Spawn).open_files_max(files).build().unwrap();
        match pool.submit(command("cat").input("x")).result().unwrap() {
            Ok(output) => {
                assert_eq!(output.stdout, b"x");
                ran += 1;
            }
            Err(CommandError::Refused { program, cause }) => {
                assert_eq!(program, "cat");
                assert!(cause.contains("Too many open files"), "{cause}");
                refused += 1;
            }
            Err(error) => panic!("{files}: {error}"),
        }
    }
    assert!(refused > 0 && ran > 0, "{refused} {ran}");
}

#[test]
fn commands_and_their_outcomes_cross_threads() {
    fn crosses<T: Send + Sync + Clone + std::fmt::Debug + Unpin + 'static>() {}
    crosses::<Command>();
    crosses::<CommandOutput>();
    crosses::<CommandError>();
    fn is_error<T: std::error::Error>() {}
    is_error::<CommandError>();
}

#[test]
fn many_at_once_do_not_mix() {
    let _watched = watched();
    let pool = named("many", 4).build().unwrap();
    let numbers = (0..100).map(|n: u32| n.to_string());
    let outputs = pool.map(|n: String| command("cat").input(n), numbers);
    for (n, output) in (0..100).zip(outputs) {
        assert_eq!(output.unwrap().unwrap().stdout_text(), n.to_string());
    }
}
