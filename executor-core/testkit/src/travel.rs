//! [`assert_travels`]: whether a job survives the way to another process.

use executor_core::backend::{Attachments, linked_carrier};
use executor_core::codec::CodecError;
use executor_core::{Job, codec};

/// Checks that `job` survives the way to another process: what arrives there is encoded to the same bytes again.
///
/// Write one such test for each job whose arguments are types of your own. `InlineExecutor::builder().encode(true)` does
/// the like for jobs that run, outputs included.
///
/// Handles of `executor-ipc` go beside the bytes, if `executor-process` is linked into the test.
///
/// # Panics
///
/// If it does not, with advice.
///
/// # Examples
///
/// ```
/// use executor_core::job;
/// use executor_testkit::assert_travels;
///
/// #[job]
/// fn resize(path: String, width: u32) {}
///
/// assert_travels(resize::job("a.png".into(), 640));
/// ```
#[track_caller]
pub fn assert_travels<J: Job>(job: J) {
    let name = J::entry().name();
    let (encoded, beside) = encode(&job);
    let sent = match encoded {
        Ok(bytes) => bytes,
        Err(error) => panic!("job `{name}` cannot be encoded: {error}. {ADVICE}"),
    };
    drop(job);
    let arrived: J = match decode(&sent, beside.as_ref()) {
        Ok(job) => job,
        Err(error) => panic!("job `{name}` was encoded and cannot be decoded: {error}. {ADVICE}"),
    };
    match encode(&arrived).0 {
        Ok(again) if again == sent => {}
        Ok(again) => panic!(
            "job `{name}` arrives as another value: it was sent as {} bytes and would be sent on as {} bytes, the first \
             difference at byte {}. {ADVICE} The order of a `HashMap` may differ too: a `BTreeMap` keeps it",
            sent.len(),
            again.len(),
            sent.iter().zip(&again).take_while(|(sent, again)| sent == again).count()
        ),
        Err(error) => panic!("job `{name}` arrives as a value that cannot be encoded: {error}. {ADVICE}"),
    }
}

/// The bytes of a job, and what goes beside them.
fn encode<J: Job>(job: &J) -> (Result<Vec<u8>, CodecError>, Option<Attachments>) {
    let Some(carrier) = linked_carrier() else { return (codec::encode(job), None) };
    carrier.open();
    let encoded = codec::encode(job);
    (encoded, carrier.close())
}

fn decode<J: Job>(bytes: &[u8], beside: Option<&Attachments>) -> Result<J, CodecError> {
    let Some((carrier, beside)) = linked_carrier().zip(beside) else { return codec::decode(bytes) };
    let mut decoded = None;
    carrier.supply(beside, &mut || decoded = Some(codec::decode(bytes)));
    decoded.expect("a carrier calls what it is given")
}

const ADVICE: &str = "Likely reasons are `#[serde(untagged)]`, `#[serde(tag = \"…\")]`, `#[serde(flatten)]`, \
                      `skip_serializing_if`, a `serde_json::Value`, or a hand-written `Serialize` and `Deserialize` that \
                      do not agree; send a plain struct or enum, or its text";

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use executor_core::job;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Clone, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u64),
    }

    #[derive(Clone, Serialize, Deserialize)]
    struct Forgetful {
        #[serde(skip_serializing_if = "Option::is_none")]
        first: Option<u64>,
        second: u64,
    }

    #[job]
    fn take_number(Untagged::Number(number): Untagged) -> u64 {
        number
    }

    #[job]
    fn take_forgetful(value: Forgetful) -> u64 {
        value.first.unwrap_or(value.second)
    }

    #[job]
    fn take_plain(text: &str, numbers: Vec<Option<i32>>) -> usize {
        text.len() + numbers.len()
    }

    fn complaint(check: impl FnOnce() + std::panic::UnwindSafe) -> String {
        *catch_unwind(check).unwrap_err().downcast::<String>().unwrap()
    }

    #[test]
    fn a_plain_job_travels() {
        assert_travels(take_plain::job("text", vec![Some(-1), None]));
    }

    #[test]
    fn an_untagged_enum_is_found_and_named() {
        let said = complaint(|| assert_travels(take_number::job(Untagged::Number(1))));
        assert!(said.contains("take_number") && said.contains("untagged"), "{said}");
    }

    #[test]
    fn a_field_left_out_is_found_and_named() {
        let said = complaint(|| assert_travels(take_forgetful::job(Forgetful { first: None, second: 2 })));
        assert!(said.contains("skip_serializing_if"), "{said}");
    }
}
