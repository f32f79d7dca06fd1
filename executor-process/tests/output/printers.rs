//! Jobs that print.

use std::io::Write;

use executor_core::job;
use executor_testkit::{Pass, Pen};

pub(crate) fn line_text(job: u64, line: u64) -> String {
    format!("{job}:{line}:{}", "x".repeat((job * 31 + line * 7) as usize % 300))
}

/// Prints many lines, piece by piece, to both streams.
#[job]
pub(crate) fn print_many(number: u64, lines: u64) -> u64 {
    for line in 0..lines {
        let text = line_text(number, line);
        let (first, second) = text.split_at(text.len() / 2);
        print!("{first}");
        eprint!("{first}");
        println!("{second}");
        eprintln!("{second}");
    }
    number
}

/// Prints its number, and a newline only if it is even.
#[job]
pub(crate) fn print_one(number: u64) -> u64 {
    if number.is_multiple_of(2) {
        println!("{number}")
    } else {
        print!("{number}")
    }
    number
}

/// Prints as an initializer does.
#[job]
pub(crate) fn print_at_start() {
    println!("at the start");
    eprint!("without an end");
}

/// Writes these bytes to a stream at once, past all buffers; gives how many were written.
#[job]
pub(crate) fn write_raw(to_stderr: bool, bytes: Vec<u8>) -> usize {
    let written = if to_stderr { std::io::stderr().write_all(&bytes) } else { nix_write_all(&bytes) };
    written.map_or(0, |()| bytes.len())
}

fn nix_write_all(mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let length = nix::unistd::write(std::io::stdout(), bytes)?;
        bytes = &bytes[length..];
    }
    Ok(())
}

/// Writes as many bytes, in lines of 64, and tells how far it is.
#[job]
pub(crate) fn pour(pen: Option<Pen>, bytes: usize) -> usize {
    let block = [b"0123456789abcdef".repeat(4)[..63].to_vec(), b"\n".to_vec()].concat().repeat(1024);
    let mut written = 0;
    while written < bytes {
        nix_write_all(&block).unwrap();
        written += block.len();
        if let Some(pen) = pen {
            pen.write(written as u64);
        }
    }
    written
}

/// Prints last words without a newline, and dies of it.
#[job]
pub(crate) fn die_talking(words: String) {
    print!("out {words}");
    std::io::stdout().flush().unwrap();
    eprint!("err {words}");
    std::process::abort();
}

/// Leaves a thread that waits at the gate before it prints.
#[job]
pub(crate) fn print_behind_the_gate(gate: Pass) {
    println!("before the gate");
    gate.go();
    println!("behind the gate");
}
