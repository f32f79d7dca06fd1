//! The law suite on the loopback.

use executor_core::BuildError;
use executor_testkit::{Config, Subject, laws};

use crate::pool::{Loopback, Settings};

pub(crate) struct Loop;

impl Subject for Loop {
    type Pool = Loopback;

    fn build(config: &mut Config) -> Result<Loopback, BuildError> {
        let mut settings = Settings::new(config.take_workers().unwrap_or(2));
        settings.queue_capacity = config.take_queue_capacity();
        if let Some(job) = config.take_initializer() {
            settings = settings.initializer(job);
        }
        Loopback::build(settings)
    }
}

// A thread cannot be killed. The others are about values that stay in the memory of this process.
laws!(
    Loop,
    not_claimed = [
        dropped_submit_wait_drops_its_job,
        own_job_is_admitted_above_the_bound,
        job_is_itself_again_after_a_nested_one,
        captures_are_dropped_by_a_shutdown,
        captures_are_dropped_before_the_job_is_done,
        captures_live_as_long_as_the_job,
        captures_of_a_cancelled_job_are_dropped_at_once,
        captures_of_a_panicking_job_are_dropped,
        captures_of_a_refused_job_are_dropped_or_given_back,
        map_drops_what_it_holds,
        output_is_dropped_by_its_owner,
        unencoded_values_pass_as_they_are,
        async_jobs_may_await_jobs,
        full_pool_of_waiting_jobs_ends,
        job_may_cancel_a_job,
        jobs_may_wait_for_jobs,
        jobs_nest_deep,
        limited_wait_inside_runs_nothing,
        maps_work_inside_a_job,
        one_worker_is_enough_for_jobs_that_await,
        one_worker_is_enough_for_jobs_that_wait,
        one_worker_is_enough_for_maps,
        one_worker_is_enough_for_sets,
        one_worker_is_enough_for_streams,
        nested_jobs_have_their_own_run_limits,
        retried_job_is_waited_for_inside,
        sets_are_waited_for_inside_a_job,
        streams_work_inside_a_job,
        waiting_inside_works_on_a_busy_pool,
        waiting_worker_runs_no_stranger,
        resume_throws_the_same_payload,
        last_handle_may_be_dropped_by_a_job,
        shutdown_by_an_own_job_is_refused,
        killed_job_does_not_go_on,
    ]
);
