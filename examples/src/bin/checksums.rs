//! What is in this directory, byte for byte? Hashes every file below it, one job a file, on all cores: the largest of
//! them in a table, then the totals. What cannot be read is reported, and the rest goes on.
//!
//! Run it with `cargo run --release -p examples --bin checksums -- DIRECTORY`; add `--no-default-features --features
//! inline` before the `--` to swap the backend. The hash is BLAKE3, so `b3sum` gives the same.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of the command line prints")]

use std::cell::Cell;
use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, thread};

use executor_core::{Executor, job};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use walkdir::{DirEntry, WalkDir};

#[derive(Serialize, Deserialize)]
struct Checksum {
    path: OsString,
    bytes: u64,
    hash: blake3::Hash,
}

/// Reads the file in chunks. A path is an `OsString` here, because serde refuses a `PathBuf` that is not UTF-8.
#[job]
fn checksum(path: OsString) -> Result<Checksum, String> {
    let mut hasher = blake3::Hasher::new();
    match File::open(&path).and_then(|file| hasher.update_reader(file).map(drop)) {
        Ok(()) => Ok(Checksum { path, bytes: hasher.count(), hash: hasher.finalize() }),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// The regular files below `directory`, found while they are asked for. Links are not followed.
fn walk(directory: &Path) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
    let is_file = |entry: &DirEntry| entry.file_type().is_file();
    WalkDir::new(directory).into_iter().filter(move |entry| entry.as_ref().ok().is_none_or(is_file))
}

fn run(directory: &Path) -> Result<(), Box<dyn Error>> {
    fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let pool = examples::pool(thread::available_parallelism()?.get())?;
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} files, {msg}, {eta} left")?;
    let bar = ProgressBar::new(walk(directory).flatten().count() as u64).with_style(style);
    let errors = Cell::new(0);
    let report = |error: String| {
        errors.set(errors.get() + 1);
        bar.suspend(|| eprintln!("checksums: {error}"));
    };
    let begun = Instant::now();
    let (mut files, mut bytes, mut largest) = (0, 0, Vec::new());
    let entries = walk(directory).filter_map(|entry| entry.inspect_err(|error| report(error.to_string())).ok());
    // Each as it is done. The walk is a window ahead of this loop at most, so a million files need no more memory.
    for outcome in pool.map_unordered(|entry| checksum::job(entry.into_path().into()), entries) {
        match outcome {
            Ok(Ok(file)) => {
                files += 1;
                bytes += file.bytes;
                largest.push(file);
                largest.sort_by(|a, b| (b.bytes, &a.path).cmp(&(a.bytes, &b.path)));
                largest.truncate(10);
            }
            Ok(Err(error)) => report(error),
            Err(error) => report(error.to_string()),
        }
        bar.set_message(HumanBytes(bytes).to_string());
        bar.inc(1);
    }
    bar.finish_and_clear();
    if files == 0 && errors.get() > 0 {
        return Err(format!("{}: nothing could be hashed", directory.display()).into());
    }

    println!("{:>12}  {:16}  FILE", "SIZE", "BLAKE3");
    for Checksum { path, bytes, hash } in &largest {
        let name = Path::new(path).strip_prefix(directory).unwrap_or(Path::new(path));
        println!("{:>12}  {:.16}  {}", HumanBytes(*bytes).to_string(), hash.to_hex(), name.display());
    }
    let (seconds, workers) = (begun.elapsed().as_secs_f64(), pool.stats().workers);
    println!("{files} files, {}, {} errors", HumanBytes(bytes), errors.get());
    println!("{seconds:.2} s, {:.1} MB/s, workers: {workers}", bytes as f64 / 1e6 / seconds);
    Ok(())
}

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let (Some(directory), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: checksums DIRECTORY");
        return ExitCode::from(2);
    };
    let Err(error) = run(Path::new(&directory)) else { return ExitCode::SUCCESS };
    eprintln!("checksums: {error}");
    ExitCode::FAILURE
}
