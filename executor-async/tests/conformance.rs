//! The law suite on [`AsyncExecutor`], with a runtime of its own and on one that was given.

use std::sync::OnceLock;

use executor_async::{AsyncExecutor, AsyncExecutorBuilder};
use executor_core::BuildError;
use executor_testkit::{Config, Subject, laws};
use tokio::runtime::{Builder, Runtime};

/// Builds with what a law wants beside the number of workers.
fn build(mut builder: AsyncExecutorBuilder, config: &mut Config) -> Result<AsyncExecutor, BuildError> {
    if let Some(jobs) = config.take_queue_capacity() {
        builder = builder.queue_capacity(jobs);
    }
    if let Some(job) = config.take_initializer() {
        builder = builder.initializer(job);
    }
    builder.build()
}

mod own {
    use super::*;

    struct Own;

    impl Subject for Own {
        type Pool = AsyncExecutor;

        fn build(config: &mut Config) -> Result<AsyncExecutor, BuildError> {
            build(AsyncExecutor::builder().workers(config.take_workers().unwrap_or(2)), config)
        }
    }

    laws!(
        Own,
        not_claimed = [
            job_that_cannot_be_encoded_fails_alone,
            job_that_cannot_be_decoded_fails_alone,
            output_that_cannot_be_encoded_fails_alone,
            output_that_cannot_be_decoded_fails_alone,
            faults_within_a_map_fail_alone,
            killed_job_does_not_go_on,
        ]
    );
}

mod given {
    use super::*;

    struct Given;

    /// The runtime of all pools here, which outlives them.
    fn runtime() -> &'static Runtime {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        RUNTIME.get_or_init(|| {
            let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("given").enable_all().build();
            runtime.unwrap_or_else(|error| panic!("no runtime can be started: {error}"))
        })
    }

    impl Subject for Given {
        type Pool = AsyncExecutor;

        fn build(config: &mut Config) -> Result<AsyncExecutor, BuildError> {
            let builder = AsyncExecutor::builder().runtime(runtime().handle().clone());
            build(builder.blocking_threads(config.take_workers().unwrap_or(2)), config)
        }

        fn is_lasting_thread(name: &str) -> bool {
            name == "given"
        }
    }

    laws!(
        Given,
        not_claimed = [
            job_that_cannot_be_encoded_fails_alone,
            job_that_cannot_be_decoded_fails_alone,
            output_that_cannot_be_encoded_fails_alone,
            output_that_cannot_be_decoded_fails_alone,
            faults_within_a_map_fail_alone,
            killed_job_does_not_go_on,
        ]
    );
}
