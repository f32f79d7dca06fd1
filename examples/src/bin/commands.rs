//! How does a program run others as jobs: many at once, fed and read, within a limit, and with each failure told apart?
//!
//! Run it with `cargo run --release -p examples --bin commands`; add `--no-default-features --features inline` to swap
//! the backend.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::{Duration, Instant};

use executor_core::Executor;
use executor_process::{Command, command};

/// The command that sorts the lines of a text.
fn sort(text: &str) -> Command {
    command("sort").input(text).env("LC_ALL", "C")
}

/// For what needs a shell. It splits no argument of ours: `script` arrives as it is.
fn sh(script: &str) -> Command {
    command("sh").args(["-c", script])
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(4)?;

    // A command is a job like any other, so that a map runs many, in the order of the list.
    for output in pool.map(sort, ["pear\nfig\n", "two\none\nthree\n"]) {
        println!("sorted: {}", output??.stdout_text().replace('\n', " ").trim_end());
    }

    // The code of `grep` is an answer: 1 means that nothing was found.
    let found = pool.submit(command("grep").arg("plum").input("pear\nfig\n").unchecked()).result()??;
    println!("grep: {}", found.exit);

    // The limit ends the shell and what it has started, with whatever that wrote until then.
    let slow = sh("echo half; sleep 1000 & sleep 1000; echo whole").run_limit(Duration::from_millis(200));
    let begun = Instant::now();
    if let Err(error) = pool.submit(slow).result()? {
        let wrote = error.output().map(|output| output.stdout_text()).unwrap_or_default();
        println!("limit: {error}");
        println!(
            "limit: until then it wrote {wrote:?}, and took less than a minute: {}",
            begun.elapsed().as_secs() < 60
        );
    }

    // Each failure has its own error, which names the program.
    for fails in [
        sh("echo 'the disk is full' >&2; exit 3"),
        sh("kill -KILL $$"),
        command("no-such-program"),
        command("/etc/passwd"),
        command("ls").current_dir("/no/such/directory"),
        command("yes").output_bytes_max(1000),
    ] {
        match pool.submit(fails).result()? {
            Ok(output) => println!("done: {}", output.exit),
            Err(error) => println!("error: {error}"),
        }
    }
    Ok(())
}
