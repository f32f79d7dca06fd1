//! Section 9: backends whose jobs and outputs are encoded on their way.

use std::error::Error;

use executor_core::{Executor, JobError};

use crate::jobs::{self, Fault, Faulty};
use crate::lab::Lab;
use crate::subject::Subject;
use crate::tools::assert_usable;
use crate::verdict::{Claim, Verdict};

/// The text of an error and of what caused it.
fn chain(error: &JobError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!("; {error}"));
        source = error.source();
    }
    text
}

/// Law 137, 138: a job that cannot be encoded, by an error or a panic, fails alone, with `Encode` and its cause.
pub fn job_that_cannot_be_encoded_fails_alone<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Encoding)?;
    for (fault, cause) in
        [(Fault::EncodeError, "refuses to be encoded"), (Fault::EncodePanic, "panics when it is encoded")]
    {
        for _ in 0..5 {
            let error = pool.submit(jobs::take_badly::job(Faulty(fault))).result().unwrap_err();
            assert!(matches!(&error, JobError::Encode { .. }), "{error:?}");
            assert!(error.to_string().contains("take_badly"), "{error}");
            assert!(chain(&error).contains(cause), "{}", chain(&error));
        }
        assert_usable(&*pool);
    }
    assert_eq!(pool.stats().worker_restarts, 0);
    Ok(())
}

/// Law 139, 152: a job that cannot be decoded where it arrives fails alone, with `Decode` and its cause.
pub fn job_that_cannot_be_decoded_fails_alone<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Encoding)?;
    for (fault, cause) in
        [(Fault::DecodeError, "refuses to be decoded"), (Fault::DecodePanic, "panics when it is decoded")]
    {
        for _ in 0..5 {
            let error = pool.submit(jobs::take_badly::job(Faulty(fault))).result().unwrap_err();
            assert!(matches!(&error, JobError::Decode { .. }), "{error:?}");
            assert!(error.to_string().contains("take_badly"), "{error}");
            assert!(chain(&error).contains(cause), "{}", chain(&error));
        }
        assert_usable(&*pool);
    }
    assert_eq!(pool.stats().worker_restarts, 0);
    Ok(())
}

/// Law 147: an output that cannot be encoded fails its job alone, and the worker stays.
pub fn output_that_cannot_be_encoded_fails_alone<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Encoding)?;
    for fault in [Fault::EncodeError, Fault::EncodePanic] {
        for _ in 0..20 {
            let error = pool.submit(jobs::return_badly::job(fault)).result().unwrap_err();
            assert!(matches!(&error, JobError::Encode { .. }), "{error:?}");
            assert!(error.to_string().contains("output"), "{error}");
        }
        assert_usable(&*pool);
    }
    assert_eq!(pool.stats().worker_restarts, 0);
    Ok(())
}

/// Law 148: an output that cannot be decoded by its reader fails its job alone.
pub fn output_that_cannot_be_decoded_fails_alone<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Encoding)?;
    for fault in [Fault::DecodeError, Fault::DecodePanic] {
        for _ in 0..5 {
            let error = pool.submit(jobs::return_badly::job(fault)).result().unwrap_err();
            assert!(matches!(&error, JobError::Decode { .. }), "{error:?}");
        }
        assert_usable(&*pool);
    }
    let good: Vec<_> = pool.map(jobs::return_badly::job, [Fault::None; 10]).map(Result::unwrap).collect();
    assert_eq!(good, [Faulty(Fault::None); 10]);
    Ok(())
}

/// Law 137-148: faults among the items of a map fail alone, each in its place.
pub fn faults_within_a_map_fail_alone<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Encoding)?;
    let faults = [
        Fault::None,
        Fault::EncodeError,
        Fault::DecodePanic,
        Fault::None,
        Fault::EncodePanic,
        Fault::DecodeError,
        Fault::None,
    ];
    let outcomes: Vec<_> = pool.map(|fault| jobs::arrive_badly::job(Faulty(fault)), faults).collect();
    assert_eq!(outcomes.len(), faults.len());
    for (fault, outcome) in faults.into_iter().zip(outcomes) {
        match fault {
            Fault::None => assert_eq!(outcome.unwrap(), Faulty(Fault::None)),
            Fault::EncodeError | Fault::EncodePanic => assert!(matches!(outcome, Err(JobError::Encode { .. }))),
            Fault::DecodeError | Fault::DecodePanic => assert!(matches!(outcome, Err(JobError::Decode { .. }))),
        }
    }
    Ok(())
}

/// Beyond the rows: where nothing is encoded, values that cannot be encoded pass.
pub fn unencoded_values_pass_as_they_are<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    for fault in [Fault::EncodeError, Fault::DecodePanic] {
        assert_eq!(pool.submit(jobs::return_badly::job(fault)).result().unwrap(), Faulty(fault));
        assert!(!pool.submit(jobs::take_badly::job(Faulty(fault))).result().unwrap());
    }
    Ok(())
}
