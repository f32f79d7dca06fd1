//! Standard streams that pass through: they are the program's own, byte for byte. Without a harness, whose output would be
//! among theirs.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test of what is printed, without the harness by which a lint would know it"
)]

mod common;

use std::io::Write;
use std::process::Command;

use common::{METHODS, method_of, watched};
use executor_core::{Executor, JobError, job};
use executor_process::ProcessExecutor;

/// Prints without a newline, and bytes that are no text.
#[job]
fn print(number: u8) {
    print!("out {number};");
    std::io::stdout().write_all(&[0xff, number, b'\n', 0]).unwrap();
    std::io::stdout().flush().unwrap();
    eprint!("err {number};");
}

/// Gives the files behind the standard streams.
#[job]
fn streams() -> [String; 2] {
    [1, 2].map(|fd| std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap().display().to_string())
}

/// Prints, and does not say that it is over.
#[job]
fn print_and_die() {
    eprintln!("last words");
    std::process::abort();
}

fn own(method: &str) {
    let pool = ProcessExecutor::builder().workers(1).start_method(method_of(method)).build().unwrap();
    let ours = streams();
    assert_eq!(pool.submit(streams::job()).result().unwrap(), ours);
    (0..20).for_each(|number| pool.submit(print::job(number)).result().unwrap());
    let error = pool.submit(print_and_die::job()).result().unwrap_err();
    // Nobody listened.
    assert!(matches!(error, JobError::WorkerDied { stderr: None, .. }), "{error}");
}

fn main() {
    executor_process::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let ["owner", method] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return own(method);
    }
    let _watched = watched();
    for method in METHODS {
        let mut command = Command::new("/proc/self/exe");
        let output = command.args(["owner", &format!("{method:?}")]).env("RUST_BACKTRACE", "0").output().unwrap();
        assert!(output.status.success(), "{method:?}: {}", String::from_utf8_lossy(&output.stderr));
        let [mut out, mut err] = [Vec::new(), Vec::new()];
        for number in 0..20 {
            out.extend_from_slice(format!("out {number};").as_bytes());
            out.extend_from_slice(&[0xff, number, b'\n', 0]);
            err.extend_from_slice(format!("err {number};").as_bytes());
        }
        err.extend_from_slice(b"last words\n");
        assert_eq!(output.stdout, out, "{method:?}");
        assert_eq!(output.stderr, err, "{method:?}");
        println!("test streams_pass_through_untouched, {method:?} ... ok");
    }
}
