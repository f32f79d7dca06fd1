//! Jobs as values: `AnyJob` and `AnyOutput`.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use executor_core::{AnyJob, AnyOutput, Job, JobError, Work, codec, job};
use serde::{Deserialize, Serialize};

/// Runs a job after a trip through the codec, which every job must survive.
fn run<J: Job>(job: J) -> J::Output {
    let bytes = codec::encode(&job).unwrap();
    finish(codec::decode::<J>(&bytes).unwrap().start())
}

fn finish<T>(work: Work<T>) -> T {
    match work {
        Work::Ready(value) => value,
        Work::Future(future) => futures::executor::block_on(future),
    }
}

#[job(name = "tests/divide")]
fn divide(a: u32, b: u32) -> Result<u32, String> {
    a.checked_div(b).ok_or_else(|| "division by zero".to_owned())
}

#[job(name = "tests/slow")]
async fn slow(text: &str) -> String {
    std::future::ready(text.to_uppercase()).await
}

#[test]
fn any_jobs_are_stored_and_read_back() {
    let jobs: Vec<Box<dyn AnyJob>> = vec![Box::new(divide::job(6, 2)), Box::new(slow::job("text"))];
    let json = serde_json::to_string(&jobs).unwrap();
    assert_eq!(json, r#"[{"tests/divide":{"a":6,"b":2}},{"tests/slow":{"text":"text"}}]"#);

    let jobs: Vec<Box<dyn AnyJob>> = serde_json::from_str(&json).unwrap();
    assert_eq!(jobs.iter().map(|job| job.job_name()).collect::<Vec<_>>(), ["tests/divide", "tests/slow"]);
    let outputs: Vec<AnyOutput> = jobs.into_iter().map(run).collect();
    assert_eq!(outputs[0].get::<Result<u32, String>>().unwrap(), Ok(3));
    assert_eq!(outputs[1].get::<String>().unwrap(), "TEXT");
}

#[test]
fn an_unknown_name_is_an_error_of_the_format() {
    let error = serde_json::from_str::<Box<dyn AnyJob>>(r#"{"tests/missing":{}}"#).unwrap_err();
    assert!(error.to_string().contains("tests/missing"), "{error}");
}

#[job]
fn run_all(jobs: Vec<Box<dyn AnyJob>>) -> Vec<AnyOutput> {
    jobs.into_iter().map(|job| finish(job.start())).collect()
}

#[test]
fn any_jobs_travel_inside_another_job() {
    let job = run_all::job(vec![Box::new(divide::job(8, 4)), Box::new(slow::job("a"))]);
    let outputs = run(job);
    assert_eq!(outputs[0].get::<Result<u32, String>>().unwrap(), Ok(2));
    assert_eq!(outputs[1].get::<String>().unwrap(), "A");
}

#[job(name = "tests/wrap")]
fn wrap(inner: Option<Box<dyn AnyJob>>) {
    drop(inner);
}

#[test]
fn any_jobs_nested_without_end_are_an_error_and_no_overflow() {
    let level = [b"\x01\x0atests/wrap\x01".as_slice()];
    let error = codec::decode::<Box<dyn AnyJob>>(&level.repeat(100_000).concat()).unwrap_err();
    assert!(error.to_string().contains("nested"), "{error}");
}

#[test]
fn an_any_output_knows_what_it_is() {
    type Job = Box<dyn AnyJob>;
    let good: AnyOutput = run::<Job>(Box::new(divide::job(1, 1)));
    let bad: AnyOutput = run::<Job>(Box::new(divide::job(1, 0)));
    assert!(!Job::failed(&good) && !good.failed());
    assert!(Job::failed(&bad) && bad.failed());
    assert_eq!(bad.job_name(), "tests/divide");
    assert_eq!(bad.type_name(), std::any::type_name::<Result<u32, String>>());

    // An output is an output wherever it went.
    let bad: AnyOutput = serde_json::from_str(&serde_json::to_string(&bad).unwrap()).unwrap();
    assert_eq!(bad.get::<Result<u32, String>>().unwrap(), Err("division by zero".to_owned()));
}

#[test]
fn an_any_output_of_another_type_is_an_error_naming_both() {
    let output = run::<Box<dyn AnyJob>>(Box::new(slow::job("a")));
    let error = output.get::<Vec<u8>>().unwrap_err();
    assert!(matches!(error, JobError::Decode { .. }), "{error:?}");
    let text = std::error::Error::source(&error).unwrap().to_string();
    assert!(text.contains("alloc::string::String") && text.contains("alloc::vec::Vec<u8>"), "{text}");
}

#[derive(Deserialize)]
struct CannotBeEncoded;

impl Serialize for CannotBeEncoded {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it is a secret"))
    }
}

#[job(name = "tests/secret")]
fn secret() -> CannotBeEncoded {
    CannotBeEncoded
}

#[test]
fn an_output_that_cannot_be_encoded_is_told_when_it_is_asked_for() {
    let output = run::<Box<dyn AnyJob>>(Box::new(secret::job()));
    match output.get::<CannotBeEncoded>() {
        Err(JobError::Encode { what, cause }) => {
            assert_eq!(what, "the output of job `tests/secret`");
            assert_eq!(cause.to_string(), "it is a secret");
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was encoded"),
    }
}

#[derive(Serialize, Deserialize)]
struct Once(u8);

#[job(name = "tests/once")]
fn once(x: Once) -> u8 {
    x.0
}

#[test]
fn an_any_job_is_copied_like_the_job_in_it() {
    let copied: Box<dyn AnyJob> = Box::new(divide::job(4, 2));
    assert_eq!(run(copied.duplicate().unwrap()).get::<Result<u32, String>>().unwrap(), Ok(2));
    let uncopied: Box<dyn AnyJob> = Box::new(once::job(Once(1)));
    assert!(uncopied.duplicate().is_none());
}

#[test]
fn the_public_types_are_debug_and_cross_threads() {
    fn assert_send<T: Send + ?Sized>() {}
    fn assert_sync<T: Sync>() {}
    assert_send::<dyn AnyJob>();
    assert_send::<AnyOutput>();
    assert_sync::<AnyOutput>();
    let job: Box<dyn AnyJob> = Box::new(slow::job(""));
    assert_eq!(format!("{job:?}"), r#"AnyJob("tests/slow")"#);
    assert!(format!("{:?}", run(job)).contains("tests/slow"));
}
