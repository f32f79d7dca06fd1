//! What the service runs. Nothing here knows of HTTP, or of the pool that it runs in.

use executor_core::{current, job};

/// How many primes there are below a number. A thread stops only when it is asked to, so this looks whether it is.
#[job]
pub(crate) fn primes(below: u64) -> u64 {
    let job = current();
    let is_prime = |n: &u64| (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (2..below).take_while(|_| !job.should_stop()).filter(is_prime).count() as u64
}

/// Whether a pattern, in which `*` is any text, fits. It stands for a library that is not to be trusted: some patterns
/// take it longer than anybody lives, and one that ends in a backslash ends the process.
#[job]
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    fits(pattern.as_bytes(), text.as_bytes())
}

fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([b'\\'], _) => std::process::abort(),
        ([b'*', rest @ ..], []) => fits(rest, text),
        ([b'*', rest @ ..], [_, tail @ ..]) => fits(rest, text) || fits(pattern, tail),
        ([p, rest @ ..], [t, tail @ ..]) => p == t && fits(rest, tail),
        _ => pattern.is_empty() && text.is_empty(),
    }
}
