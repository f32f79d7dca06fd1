//! The line that says where the figures come from.

use std::fs;
use std::process::Command;
use std::thread;

/// Processor, cores, system and compiler, as far as they can be found out.
pub(crate) fn describe() -> String {
    let unknown = || "unknown".to_owned();
    let processor = fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(unknown);
    let cores = thread::available_parallelism().map_or_else(|_| unknown(), |cores| cores.to_string());
    let system = fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| unknown(), |release| format!("Linux {}", release.trim()));
    let compiler = Command::new("rustc")
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(unknown, |version| version.trim().to_owned());
    format!("{processor}, {cores} cores, {system}, {compiler}")
}

/// True in a build without optimisation, whose figures mean nothing.
pub(crate) fn is_debug_build() -> bool {
    cfg!(debug_assertions)
}
