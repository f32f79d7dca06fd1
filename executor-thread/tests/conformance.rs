//! The law suite on [`ThreadExecutor`].

use executor_core::BuildError;
use executor_testkit::{Config, Subject, laws};
use executor_thread::ThreadExecutor;

struct Threads;

impl Subject for Threads {
    type Pool = ThreadExecutor;

    fn build(config: &mut Config) -> Result<ThreadExecutor, BuildError> {
        let mut builder = ThreadExecutor::builder().workers(config.take_workers().unwrap_or(2));
        if let Some(jobs) = config.take_queue_capacity() {
            builder = builder.queue_capacity(jobs);
        }
        if let Some(job) = config.take_initializer() {
            builder = builder.initializer(job);
        }
        builder.build()
    }
}

laws!(
    Threads,
    not_claimed = [
        job_that_cannot_be_encoded_fails_alone,
        job_that_cannot_be_decoded_fails_alone,
        output_that_cannot_be_encoded_fails_alone,
        output_that_cannot_be_decoded_fails_alone,
        faults_within_a_map_fail_alone,
        killed_job_does_not_go_on,
    ]
);
