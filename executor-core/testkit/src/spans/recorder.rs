//! [`Recorder`]: a subscriber that writes down what becomes of spans.

use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Span, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, SpanRef};
use tracing_subscriber::{Layer, Registry};

/// Writes down every span and every event of this program, from the moment when it is installed.
#[derive(Debug, Default)]
pub struct Recorder {
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    spans: Vec<SpanNote>,
    events: Vec<EventNote>,
}

/// What became of a span so far.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SpanNote {
    /// Which span of the recorder's: the numbers of the subscriber are used again.
    pub key: usize,
    /// The number that the subscriber gave it.
    pub number: u64,
    /// The key of its parent.
    pub parent: Option<usize>,
    /// Its name.
    pub name: &'static str,
    /// Its target.
    pub target: &'static str,
    /// What was recorded, in order; a field may be there more than once.
    pub fields: Vec<(String, String)>,
    /// How often it was entered.
    pub entered: usize,
    /// How often it was left.
    pub left: usize,
    /// It is closed.
    pub is_closed: bool,
}

/// An event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventNote {
    /// The key of the span that it is in.
    pub span: Option<usize>,
    /// Its target.
    pub target: &'static str,
    /// Its level.
    pub level: Level,
    /// Its fields, of which `message` is one.
    pub fields: Vec<(String, String)>,
}

impl SpanNote {
    /// What was recorded under this name, in order.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<&str> {
        values(&self.fields, name)
    }
}

impl EventNote {
    /// What is recorded under this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        values(&self.fields, name).first().copied()
    }
}

fn values<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    fields.iter().filter(|(field, _)| field == name).map(|(_, value)| &**value).collect()
}

impl Recorder {
    /// The recorder of this program, which the first call installs.
    ///
    /// # Panics
    ///
    /// If the program has another subscriber.
    pub fn installed() -> &'static Recorder {
        static RECORDER: OnceLock<Recorder> = OnceLock::new();
        static SET: OnceLock<()> = OnceLock::new();
        let recorder = RECORDER.get_or_init(Recorder::default);
        SET.get_or_init(|| {
            let subscriber = Registry::default().with(Notes(recorder));
            tracing::subscriber::set_global_default(subscriber).expect("the recorder is the only subscriber");
        });
        recorder
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All spans, in the order in which they were opened.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanNote> {
        self.lock().spans.clone()
    }

    /// All events, in their order.
    #[must_use]
    pub fn events(&self) -> Vec<EventNote> {
        self.lock().events.clone()
    }

    /// The note of a span that is open.
    ///
    /// # Panics
    ///
    /// If the span is not the recorder's.
    #[must_use]
    pub fn of(&self, span: &Span) -> SpanNote {
        let number = span.id().expect("the recorder wants every span").into_u64();
        // The last one that has the number, which may have been another's before.
        let note = self.lock().spans.iter().rfind(|note| note.number == number).cloned();
        note.expect("the span was opened under the recorder")
    }

    /// The children of a span, in the order in which they were opened.
    #[must_use]
    pub fn children(&self, parent: &SpanNote) -> Vec<SpanNote> {
        self.lock().spans.iter().filter(|note| note.parent == Some(parent.key)).cloned().collect()
    }

    /// The spans of the job of this number: one, unless the program is an owner and a worker in one.
    #[must_use]
    pub fn of_job(&self, id: u64) -> Vec<SpanNote> {
        let id = id.to_string();
        let is_it = |note: &&SpanNote| note.name == "job" && note.values("id") == [&id];
        self.lock().spans.iter().filter(is_it).cloned().collect()
    }

    /// The events inside a span.
    #[must_use]
    pub fn events_in(&self, span: &SpanNote) -> Vec<EventNote> {
        self.lock().events.iter().filter(|event| event.span == Some(span.key)).cloned().collect()
    }
}

/// The recorder, as a layer.
struct Notes(&'static Recorder);

/// The key of a span, kept with it.
struct Key(usize);

fn key<'a, S: Subscriber + LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<usize> {
    span.extensions().get::<Key>().map(|key| key.0)
}

impl Notes {
    fn change<S: Subscriber + for<'a> LookupSpan<'a>>(
        &self,
        id: &Id,
        context: &Context<'_, S>,
        change: impl FnOnce(&mut SpanNote),
    ) {
        let key = context.span(id).and_then(|span| key(&span));
        if let Some(note) = key.and_then(|key| self.0.lock().spans.get_mut(key).map(change)) {
            note
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Notes {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut reads = Reads::default();
        attributes.record(&mut reads);
        let metadata = attributes.metadata();
        let parent = span.parent().and_then(|parent| key(&parent));
        let mut written = self.0.lock();
        let key = written.spans.len();
        span.extensions_mut().insert(Key(key));
        written.spans.push(SpanNote {
            key,
            number: id.into_u64(),
            parent,
            name: metadata.name(),
            target: metadata.target(),
            fields: reads.0,
            entered: 0,
            left: 0,
            is_closed: false,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut reads = Reads::default();
        values.record(&mut reads);
        self.change(id, &context, |note| note.fields.append(&mut reads.0));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut reads = Reads::default();
        event.record(&mut reads);
        let span = context.event_span(event).and_then(|span| key(&span));
        let (target, level) = (event.metadata().target(), *event.metadata().level());
        self.0.lock().events.push(EventNote { span, target, level, fields: reads.0 });
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.change(id, &context, |note| note.entered += 1);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.change(id, &context, |note| note.left += 1);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.change(&id, &context, |note| note.is_closed = true);
    }
}

/// Reads fields as text.
#[derive(Default)]
struct Reads(Vec<(String, String)>);

impl Visit for Reads {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name().to_owned(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name().to_owned(), format!("{value:?}")));
    }
}
