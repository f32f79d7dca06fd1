//! The law suite on [`ProcessExecutor`](executor_process::ProcessExecutor), once for each way to start workers.
//!
//! The laws that it does not claim need values that are shared with the jobs, or jobs that reach their own pool: no job in another
//! process can. `StartMethod::Fork` is not for a test harness, which has threads; it has `conformance_fork.rs`.

use executor_core::BuildError;
use executor_process::{ProcessExecutor, StartMethod};
use executor_testkit::Config;

fn build(config: &mut Config, method: StartMethod) -> Result<ProcessExecutor, BuildError> {
    let builder = ProcessExecutor::builder().workers(config.take_workers().unwrap_or(2)).start_method(method);
    // The panics that the laws throw on purpose would be printed there.
    let mut builder = builder.discard_output();
    if let Some(jobs) = config.take_queue_capacity() {
        builder = builder.queue_capacity(jobs);
    }
    if let Some(job) = config.take_initializer() {
        builder = builder.initializer(job);
    }
    builder.build()
}

macro_rules! conformance {
    ($module:ident, $method:ident) => {
        mod $module {
            use executor_core::BuildError;
            use executor_process::{ProcessExecutor, StartMethod};
            use executor_testkit::{Config, Subject, laws};

            struct Processes;

            impl Subject for Processes {
                type Pool = ProcessExecutor;

                fn build(config: &mut Config) -> Result<ProcessExecutor, BuildError> {
                    super::build(config, StartMethod::$method)
                }
            }

            laws!(
                Processes,
                not_claimed = [
                    async_jobs_may_await_jobs,
                    captures_are_dropped_before_the_job_is_done,
                    captures_are_dropped_by_a_shutdown,
                    captures_live_as_long_as_the_job,
                    captures_of_a_cancelled_job_are_dropped_at_once,
                    captures_of_a_panicking_job_are_dropped,
                    captures_of_a_refused_job_are_dropped_or_given_back,
                    dropped_submit_wait_drops_its_job,
                    full_pool_of_waiting_jobs_ends,
                    job_is_itself_again_after_a_nested_one,
                    job_may_cancel_a_job,
                    jobs_may_wait_for_jobs,
                    jobs_nest_deep,
                    last_handle_may_be_dropped_by_a_job,
                    limited_wait_inside_runs_nothing,
                    map_drops_what_it_holds,
                    maps_work_inside_a_job,
                    one_worker_is_enough_for_jobs_that_await,
                    one_worker_is_enough_for_jobs_that_wait,
                    one_worker_is_enough_for_maps,
                    one_worker_is_enough_for_sets,
                    one_worker_is_enough_for_streams,
                    output_is_dropped_by_its_owner,
                    own_job_is_admitted_above_the_bound,
                    resume_throws_the_same_payload,
                    nested_jobs_have_their_own_run_limits,
                    retried_job_is_waited_for_inside,
                    sets_are_waited_for_inside_a_job,
                    shutdown_by_an_own_job_is_refused,
                    streams_work_inside_a_job,
                    unencoded_values_pass_as_they_are,
                    waiting_inside_works_on_a_busy_pool,
                    waiting_worker_runs_no_stranger,
                ]
            );
        }
    };
}

conformance!(fork_server, ForkServer);
conformance!(spawn, Spawn);
