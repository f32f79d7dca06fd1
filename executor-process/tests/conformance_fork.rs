//! The law suite on [`ProcessExecutor`] with [`StartMethod::Fork`], which forks this program and is refused where it has more
//! than one thread. So each law has a process of its own, and a law that builds a second pool, beside the threads of the
//! first, is not claimed.
//!
//! What else is not claimed is what no job in another process can do, as in `conformance.rs`.

use std::fs;

use executor_core::BuildError;
use executor_process::{ProcessExecutor, StartMethod};
use executor_testkit::{Config, Subject, laws_alone};

struct Forked;

impl Subject for Forked {
    type Pool = ProcessExecutor;

    fn build(config: &mut Config) -> Result<ProcessExecutor, BuildError> {
        let workers = config.take_workers().unwrap_or(2);
        // The panics that the laws throw on purpose would be printed there.
        let mut builder = ProcessExecutor::builder().workers(workers).start_method(StartMethod::Fork).discard_output();
        if let Some(jobs) = config.take_queue_capacity() {
            builder = builder.queue_capacity(jobs);
        }
        if let Some(job) = config.take_initializer() {
            builder = builder.initializer(job);
        }
        builder.build()
    }

    fn needs_one_thread() -> bool {
        true
    }

    /// The children of every thread, servers and workers: no pool shares one with another.
    fn left_behind() -> Vec<String> {
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        let children: String = children.collect();
        children.split_whitespace().map(|pid| format!("process {pid}")).collect()
    }
}

laws_alone!(
    Forked,
    not_claimed = [
        // No job in another process can.
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
        // A second pool in one program.
        attempt_that_fails_during_a_shutdown_is_the_last,
        broken_pool_ends,
        cancel_before_shutdown_does_not_hang,
        clones_share_the_pool,
        drop_racing_jobs_strands_none,
        many_threads_shut_down,
        set_may_span_pools,
        shutdown_ends_a_back_off,
        shutdown_may_be_repeated,
        shutdown_racing_the_end_of_an_attempt,
        submit_after_shutdown_is_refused,
        submit_racing_shutdown_is_never_stranded,
    ]
);
