//! Jobs that give back what they got.

use std::future::poll_fn;
use std::task::Poll;

use executor_core::job;

use crate::log::Pen;

/// Gives its argument back.
#[job]
pub fn echo(value: u64) -> u64 {
    value
}

/// [`echo`] as an async job that is suspended once before it answers.
#[job]
pub async fn echo_async(value: u64) -> u64 {
    yield_once().await;
    value
}

/// Twice its argument, after it was suspended as often as that says.
#[job]
pub async fn double_async(value: u64) -> u64 {
    for _ in 0..value {
        yield_once().await;
    }
    2 * value
}

/// Is suspended once, and wakes itself.
async fn yield_once() {
    let mut is_second = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut is_second, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The sum of two numbers.
#[job]
pub fn add(left: u64, right: u64) -> u64 {
    left + right
}

/// Two words with a space between them.
#[job]
pub fn join_words(first: &str, second: &str) -> String {
    format!("{first} {second}")
}

/// Gives a buffer back, each byte with all bits turned.
#[job]
pub fn bytes_back(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().map(|byte| !byte).collect()
}

/// Writes `value` into the log and gives it back.
#[job]
pub fn note(pen: Pen, value: u64) -> u64 {
    pen.write(value);
    value
}
