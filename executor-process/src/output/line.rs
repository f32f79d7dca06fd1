//! [`OutputLine`]: a line that a worker wrote, and who hears of it.

use std::fmt;
use std::sync::Arc;

use executor_core::JobId;

/// A line that a worker wrote to its standard output or standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputLine {
    /// The number of the worker in its pool, from 0. A process that replaces another has its number.
    pub worker: usize,
    /// The number of the process.
    pub pid: u32,
    /// Where it was written.
    pub stream: OutputStream,
    /// The job that the worker ran; `None` before its first.
    pub job: Option<OutputJob>,
    /// The line without its end. Bytes that are not UTF-8 are each replaced by `U+FFFD`, as
    /// [`String::from_utf8_lossy`] does.
    pub text: String,
    /// How it ends.
    pub end: LineEnd,
}

/// The job in whose name a line was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputJob {
    /// Its number.
    pub id: JobId,
    /// Its name.
    pub name: Arc<str>,
}

/// Which stream of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LineEnd {
    /// With a newline, which is not part of the text; a carriage return before it is not either.
    Newline,
    /// It is longer than 16 KiB, and the next line of this stream goes on with it.
    Cut,
    /// Without a newline: its job ended, or its worker.
    Missing,
}

impl fmt::Display for OutputStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OutputStream::Stdout => "stdout",
            OutputStream::Stderr => "stderr",
        })
    }
}

/// A line on its way to whoever hears of it.
pub(crate) struct Printed {
    pub(crate) line: OutputLine,
    /// The span of the job, which is kept open until the line was heard.
    #[cfg(feature = "tracing")]
    pub(crate) span: Option<Arc<tracing::Span>>,
}

/// Who hears of the lines of a pool.
#[derive(Clone, Default)]
pub(crate) struct Listener {
    pub(crate) callback: Option<Arc<dyn Fn(OutputLine) + Send + Sync>>,
    #[cfg(feature = "tracing")]
    pub(crate) traces: bool,
}

impl Listener {
    /// Hands the line on.
    pub(super) fn hear(&self, printed: Printed) {
        #[cfg(feature = "tracing")]
        if self.traces {
            trace(&printed);
        }
        if let Some(callback) = &self.callback {
            callback(printed.line);
        }
    }
}

/// Makes the line an event, inside the span of its job.
#[cfg(feature = "tracing")]
fn trace(Printed { line, span }: &Printed) {
    // The subscriber that knows the span, which need not be the current one.
    let told = span.as_ref().and_then(|span| {
        span.with_subscriber(|(id, subscriber)| {
            tracing::dispatcher::with_default(subscriber, || trace_in(Some(id.clone()), line));
        })
    });
    if told.is_none() {
        trace_in(None, line);
    }
}

/// The fields are part of the documentation of the feature.
#[cfg(feature = "tracing")]
fn trace_in(span: Option<tracing::Id>, line: &OutputLine) {
    let OutputLine { worker, pid, stream, job, text, .. } = line;
    let id = job.as_ref().map(|job| job.id.as_u64());
    let name = job.as_ref().map(|job| &*job.name);
    match stream {
        OutputStream::Stdout => {
            tracing::info!(target: "executor_process::output", parent: span, worker, pid, stream = "stdout", job_id = id, job = name, "{text}");
        }
        OutputStream::Stderr => {
            tracing::warn!(target: "executor_process::output", parent: span, worker, pid, stream = "stderr", job_id = id, job = name, "{text}");
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("callback", &self.callback.as_ref().map(|_| "..")).finish_non_exhaustive()
    }
}
