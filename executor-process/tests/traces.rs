//! What workers print, as events of `tracing`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "these are tests of what is printed"
)]

mod common;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use common::{named, watched};
use executor_core::{Executor, JobOptions, Shutdown, job};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Prints to both streams.
#[job]
fn print() -> u32 {
    println!("to stdout");
    eprintln!("to stderr");
    std::process::id()
}

type Fields = BTreeMap<String, String>;

/// Keeps the events of the target.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Vec<(Level, Fields)>>>);

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "executor_process::output"
    }

    fn event(&self, event: &Event<'_>) {
        struct Reads(Fields);
        impl Visit for Reads {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                self.0.insert(field.name().to_owned(), format!("{value:?}"));
            }
        }
        let mut reads = Reads(Fields::new());
        event.record(&mut reads);
        self.0.lock().unwrap().push((*event.metadata().level(), reads.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn lines_are_events() {
    let _watched = watched();
    let keeper = Keeper::default();
    tracing::subscriber::set_global_default(keeper.clone()).unwrap();
    let pool = named("traced", 1).trace_output().build().unwrap();
    let future = pool.submit_with(print::job(), JobOptions::new().name("greeting"));
    let id = future.id().as_u64().to_string();
    let pid = future.result().unwrap().to_string();
    pool.shutdown(Shutdown::Drain).unwrap();
    let mut events = keeper.0.lock().unwrap().clone();
    // The two streams are two pipes, of which either may be read first.
    events.sort_by_key(|(level, _)| *level);
    let wanted = |stream: &str| {
        let fields = [("job", "\"greeting\""), ("job_id", &*id), ("pid", &*pid), ("stream", stream), ("worker", "0")];
        let message = ("message", format!("to {}", stream.trim_matches('"')));
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Fields::from_iter(fields.into_iter().chain([(message.0.to_owned(), message.1)]))
    };
    assert_eq!(events, [(Level::WARN, wanted("\"stderr\"")), (Level::INFO, wanted("\"stdout\""))]);
}
