//! Jobs that tell of the span around them.

use std::future::poll_fn;
use std::task::Poll;

use executor_core::job;
use tracing::Span;

use super::recorder::Recorder;

/// Says something, as an event.
#[job]
pub fn say(text: &str) {
    tracing::info!("{text}");
}

/// Says something before each of so many awaits, and once more at its end.
#[job]
pub async fn say_async(text: String, awaits: u32) {
    for _ in 0..awaits {
        tracing::info!("{text}");
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
    tracing::info!("{text}");
}

/// Installs the recorder where it runs: for a worker that is another process.
#[job]
pub fn install_recorder() {
    Recorder::installed();
}

/// Gives the fields of the span around it, in the order in which they were recorded; none without a recorder.
#[job]
pub fn span_around() -> Vec<(String, String)> {
    let span = Span::current();
    if span.is_disabled() { Vec::new() } else { Recorder::installed().of(&span).fields }
}
