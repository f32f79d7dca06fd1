//! What a cell carries: a [`Job`], or a closure or a future that stays in this process.

use crate::codec;
use crate::error::JobError;
use crate::job::{Job, Work};
use crate::panic;
use crate::registry::JobEntry;

/// Something that runs once and gives a value: the part of [`Job`] that needs no serde.
pub(crate) trait Payload: Send + Sized + 'static {
    type Output: Send + 'static;

    fn start(self) -> Work<Self::Output>;

    /// True where `start` does nothing but make a future.
    fn is_async() -> bool {
        false
    }

    fn failed(output: &Self::Output) -> bool;

    /// What a failed output says, where it can be shown.
    fn failure_text(output: &Self::Output) -> Option<String>;

    /// A copy for a later attempt.
    fn duplicate(&self) -> Result<Self, JobError>;

    fn name() -> &'static str;

    /// The entry in the table of jobs; `None` for what stays in this process.
    fn entry() -> Option<&'static JobEntry>;

    fn encode(&self) -> Result<Vec<u8>, JobError> {
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes)?;
        Ok(bytes)
    }

    /// Encodes behind what `buffer` holds. After an error the buffer is as it was.
    fn encode_into(&self, buffer: &mut Vec<u8>) -> Result<(), JobError>;

    /// What arrives where these encoded arguments are sent.
    fn decode(bytes: &[u8]) -> Result<Self, JobError>;

    fn encode_output(output: &Self::Output) -> Result<Vec<u8>, JobError> {
        let mut bytes = Vec::new();
        Self::encode_output_into(output, &mut bytes)?;
        Ok(bytes)
    }

    /// As [`encode_into`](Payload::encode_into).
    fn encode_output_into(output: &Self::Output, buffer: &mut Vec<u8>) -> Result<(), JobError>;

    fn decode_output(bytes: &[u8]) -> Result<Self::Output, JobError>;
}

/// A job of the user's, which can travel.
pub(crate) struct JobPayload<J>(pub(crate) J);

impl<J: Job> Payload for JobPayload<J> {
    type Output = J::Output;

    fn start(self) -> Work<J::Output> {
        self.0.start()
    }

    fn is_async() -> bool {
        J::is_async()
    }

    fn failed(output: &J::Output) -> bool {
        J::failed(output)
    }

    fn failure_text(output: &J::Output) -> Option<String> {
        // The user's `Display` may panic.
        panic::catch(|| job_name::<J>().to_owned(), || J::failure_text(output)).ok().flatten()
    }

    fn duplicate(&self) -> Result<Self, JobError> {
        let copy = panic::catch(|| job_name::<J>().to_owned(), || self.0.duplicate())?;
        match copy {
            Some(job) => Ok(JobPayload(job)),
            None => Self::decode(&self.encode()?),
        }
    }

    fn name() -> &'static str {
        job_name::<J>()
    }

    fn entry() -> Option<&'static JobEntry> {
        Some(J::entry())
    }

    fn encode_into(&self, buffer: &mut Vec<u8>) -> Result<(), JobError> {
        encode_into::<J>(&self.0, Part::Arguments, buffer)
    }

    fn decode(bytes: &[u8]) -> Result<Self, JobError> {
        decode::<J, J>(bytes, Part::Arguments).map(JobPayload)
    }

    fn encode_output_into(output: &J::Output, buffer: &mut Vec<u8>) -> Result<(), JobError> {
        encode_into::<J>(output, Part::Output, buffer)
    }

    fn decode_output(bytes: &[u8]) -> Result<J::Output, JobError> {
        decode::<J, J::Output>(bytes, Part::Output)
    }
}

/// Which side of a job a message speaks of.
#[derive(Clone, Copy)]
enum Part {
    Arguments,
    Output,
}

impl Part {
    fn of<J: Job>(self) -> String {
        match self {
            Part::Arguments => format!("job `{}`", job_name::<J>()),
            Part::Output => format!("the output of job `{}`", job_name::<J>()),
        }
    }
}

/// Encodes a part of a job. A panic in the user's `Serialize` is an error like any other.
fn encode_into<J: Job>(value: &impl serde::Serialize, part: Part, buffer: &mut Vec<u8>) -> Result<(), JobError> {
    let before = buffer.len();
    let encoded = panic::catch(|| job_name::<J>().to_owned(), || codec::encode_into(value, buffer));
    if encoded.is_err() {
        buffer.truncate(before);
    }
    match encoded {
        Ok(Ok(())) => Ok(()),
        Ok(Err(cause)) => Err(JobError::Encode { what: part.of::<J>(), cause: cause.into() }),
        Err(cause) => Err(JobError::Encode { what: part.of::<J>(), cause: cause.into() }),
    }
}

/// Decodes a part of a job. A panic in the user's `Deserialize` is an error like any other.
fn decode<J: Job, T: serde::de::DeserializeOwned>(bytes: &[u8], part: Part) -> Result<T, JobError> {
    let decoded = panic::catch(|| job_name::<J>().to_owned(), || codec::decode::<T>(bytes));
    match decoded {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(cause)) => Err(JobError::Decode { what: part.of::<J>(), cause: cause.into() }),
        Err(cause) => Err(JobError::Decode { what: part.of::<J>(), cause: cause.into() }),
    }
}

/// The name of a job's type, for messages.
fn job_name<J: Job>() -> &'static str {
    J::entry().name()
}

/// A closure that stays in this process.
pub(crate) struct ClosurePayload<F>(pub(crate) F);

/// A future that stays in this process.
pub(crate) struct FuturePayload<F>(pub(crate) F);

/// The answer of a payload that was asked to leave its process or to be copied.
fn stays(name: &str) -> JobError {
    JobError::Encode {
        what: format!("`{name}`"),
        cause: "a closure or a future can run only in the process that made it, and only once".into(),
    }
}

/// What closures and futures have in common: they neither travel nor fail by what they return.
macro_rules! stays_here {
    () => {
        fn failed(_: &Self::Output) -> bool {
            false
        }

        fn failure_text(_: &Self::Output) -> Option<String> {
            None
        }

        fn duplicate(&self) -> Result<Self, JobError> {
            Err(stays(Self::name()))
        }

        fn name() -> &'static str {
            std::any::type_name::<F>()
        }

        fn entry() -> Option<&'static JobEntry> {
            None
        }

        fn encode_into(&self, _: &mut Vec<u8>) -> Result<(), JobError> {
            Err(stays(Self::name()))
        }

        fn decode(_: &[u8]) -> Result<Self, JobError> {
            Err(stays(Self::name()))
        }

        fn encode_output_into(_: &Self::Output, _: &mut Vec<u8>) -> Result<(), JobError> {
            Err(stays(Self::name()))
        }

        fn decode_output(_: &[u8]) -> Result<Self::Output, JobError> {
            Err(stays(Self::name()))
        }
    };
}

impl<F, T> Payload for ClosurePayload<F>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = T;

    fn start(self) -> Work<T> {
        Work::Ready((self.0)())
    }

    stays_here!();
}

impl<F> Payload for FuturePayload<F>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    type Output = F::Output;

    fn start(self) -> Work<F::Output> {
        Work::future(self.0)
    }

    fn is_async() -> bool {
        true
    }

    stays_here!();
}
