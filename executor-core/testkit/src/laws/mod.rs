//! The laws, by section.
//!
//! Each is a function that is generic over the [`Subject`](crate::Subject) and gets a [`Lab`](crate::Lab), from which it
//! takes pools. It panics if the law is broken. The numbers in their first lines are those of the list of laws that this
//! suite was made from.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    reason = "a law is a test: it panics if it is broken, and is an error if it is not claimed, as the page says of all"
)]

pub mod as_completed;
pub mod backpressure;
pub mod bad_input;
pub mod callbacks;
pub mod context;
pub mod drops;
pub mod encoding;
pub mod future_state;
pub mod initializer;
pub mod map;
pub mod map_unordered;
pub mod nested;
pub mod panics;
pub mod priorities;
pub mod retries;
pub mod shutdown;
pub mod stats;
pub mod stop;
pub mod streams;
pub mod submit;
pub mod unread;
pub mod wait;

/// Names every law, once; a test sees to it that none is missing.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_law {
    ($then:ident) => {
        $crate::$then! {
            future_state {
                cancel_withdraws_a_pending_job,
                cancel_leaves_a_running_job_alone,
                cancel_leaves_a_done_job_alone,
                open_states_answer_truly,
                ended_states_answer_truly,
                zero_limit_tells_open_jobs_apart,
                zero_limit_gives_what_is_there,
                failure_is_known_before_the_outcome_is_taken,
                open_and_cancelled_jobs_have_not_failed,
                blocked_reader_wakes,
                blocked_reader_wakes_when_the_job_is_cancelled,
                outcome_is_taken_once,
                snapshots_are_never_torn,
                debug_text_names_the_state,
                debug_text_names_open_states,
                cancelled_is_seen_at_once,
                body_runs_once,
                timed_wait_lasts_its_limit,
                timed_wait_ends_with_the_job,
                many_threads_wait_for_one_job,
                try_result_is_none_before_the_end,
                waiting_leaves_the_outcome,
                dropped_future_detaches_its_job,
                handle_outlives_future_and_pool,
                every_job_has_its_own_number,
                cancel_racing_begin_has_one_winner,
            }
            callbacks {
                callback_is_given_the_outcome,
                callback_added_before_the_end_is_given_the_outcome,
                callbacks_have_run_when_cancel_returns,
                panicking_callback_stops_no_other,
                panic_of_a_late_callback_stays_in_it,
                late_callback_runs_at_once_where_it_is_added,
                callback_on_a_cancelled_job_runs_at_once,
                callbacks_run_in_order_and_once,
                callback_racing_the_end_runs_once,
                callback_may_submit,
                callbacks_run_when_a_shutdown_cancels,
            }
            submit {
                submit_delivers_the_value,
                submit_delivers_the_value_of_an_async_job,
                async_job_is_woken,
                many_jobs_give_their_own_values,
                many_threads_submit,
                outputs_arrive_as_returned,
                failing_jobs_leave_others_alone,
                large_values_pass,
                jobs_beyond_the_workers_wait,
                jobs_run_beside_each_other,
                one_worker_serves_jobs_one_after_another,
                one_worker_keeps_the_order,
                every_handle_is_an_executor,
                clones_share_the_pool,
                every_way_to_submit_delivers,
                submit_wait_that_is_dropped_submits_nothing,
                large_pool_works,
            }
            drops {
                captures_are_dropped_before_the_job_is_done,
                captures_of_a_panicking_job_are_dropped,
                captures_live_as_long_as_the_job,
                captures_of_a_cancelled_job_are_dropped_at_once,
                captures_are_dropped_by_a_shutdown,
                captures_of_a_refused_job_are_dropped_or_given_back,
                output_is_dropped_by_its_owner,
                map_drops_what_it_holds,
            }
            wait {
                first_ends_with_one_done,
                cancelled_member_is_done,
                cancel_ends_a_wait,
                first_takes_what_is_done_already,
                first_error_passes_over_successes,
                first_error_takes_what_has_failed_already,
                first_error_without_one_waits_for_all,
                cancelled_member_is_no_error,
                all_waits_for_all,
                all_takes_what_is_done,
                limit_parts_the_set,
                empty_set_and_zero_limit_do_not_wait,
                zero_limit_parts_the_set,
                shutdown_ends_a_wait,
                set_may_span_pools,
            }
            as_completed {
                each_member_is_given_once,
                it_ends_and_stays_ended,
                members_come_as_they_are_done,
                limit_tells_how_many_are_open,
                shutdown_gives_the_rest,
                dropping_it_detaches_the_rest,
                stream_gives_each_member_once,
                stream_wakes,
                many_members_are_given,
            }
            map {
                map_keeps_the_order,
                any_window_gives_the_same,
                window_of_no_items_is_refused,
                map_goes_on_after_errors,
                one_of_many_short_items_fails_alone,
                dropping_a_map_cancels_what_waits,
                dropping_a_map_leaves_what_runs,
                first_window_runs_unread,
                endless_input_does,
                empty_input_gives_nothing,
                map_is_never_more_than_its_window_ahead,
                default_window_is_bounded,
                shutdown_cancels_the_rest_of_a_map,
                map_on_a_shut_down_pool_ends,
                slow_item_holds_up_no_other,
                map_uses_all_workers,
                job_options_hold_for_each_item,
                owned_map_outlives_its_maker,
                map_stream_gives_the_same,
                map_stream_wakes,
                two_maps_are_read_in_turns,
            }
            map_unordered {
                unordered_map_gives_each_result_once,
                unordered_map_gives_what_is_done,
                any_window_gives_each_result_once,
                unordered_map_goes_on_after_errors,
                unordered_map_is_never_more_than_its_window_ahead,
                dropping_an_unordered_map_cancels_what_waits,
                shutdown_cancels_the_rest_of_an_unordered_map,
                unordered_stream_gives_each_result_once,
            }
            initializer {
                initializer_runs_once_in_each_worker,
                initializer_may_be_async,
                jobs_wait_for_the_initializer,
                worker_without_initializer_has_no_state,
                panicking_initializer_breaks_the_pool,
                failing_initializer_breaks_the_pool,
                broken_pool_ends,
            }
            shutdown {
                submit_after_shutdown_is_refused,
                drain_finishes_everything,
                cancel_pending_cancels_exactly_what_waits,
                shutdown_that_is_begun_does_not_wait,
                cancel_before_shutdown_does_not_hang,
                drop_finishes_what_was_accepted,
                drop_of_one_handle_ends_nothing,
                drop_while_unwinding_cancels_what_waits,
                last_handle_may_be_dropped_by_a_job,
                limited_shutdown_says_what_is_left,
                limited_shutdown_of_an_idle_pool_ends_early,
                shutdown_can_become_harsher,
                shutdown_may_be_repeated,
                many_threads_shut_down,
                shutdown_by_an_own_job_is_refused,
                kill_ends_jobs_that_look,
                submit_racing_shutdown_is_never_stranded,
                drop_racing_jobs_strands_none,
            }
            encoding {
                job_that_cannot_be_encoded_fails_alone,
                job_that_cannot_be_decoded_fails_alone,
                output_that_cannot_be_encoded_fails_alone,
                output_that_cannot_be_decoded_fails_alone,
                faults_within_a_map_fail_alone,
                unencoded_values_pass_as_they_are,
            }
            panics {
                panic_is_the_outcome,
                odd_payload_is_a_panic,
                payload_whose_drop_panics_does_no_harm,
                resume_goes_on_with_the_panic,
                resume_throws_the_same_payload,
                resume_gives_other_errors_back,
                worker_outlives_panics,
                kinds_of_failure_can_be_told_apart,
            }
            unread {
                unread_failure_is_told_once,
                failure_of_a_detached_job_is_told,
                read_failure_is_not_told,
                cancelled_job_is_not_told,
                panic_of_the_hook_does_no_harm,
            }
            stop {
                request_to_stop_is_seen,
                request_to_stop_wakes_an_async_job,
                request_to_stop_drops_nothing,
                request_to_stop_reaches_a_pending_job,
                request_to_stop_changes_no_outcome,
                kill_of_a_pending_job_cancels_it,
                kill_tells_the_truth,
                killed_job_does_not_go_on,
                run_limit_is_the_outcome,
                run_limit_is_the_outcome_of_a_job_that_overruns,
                job_within_its_limit_has_its_value,
                run_limit_counts_from_the_begin,
                failure_within_the_limit_stays,
            }
            retries {
                failed_job_is_tried_again,
                job_that_is_not_clone_is_tried_again,
                last_failure_is_the_outcome,
                panic_and_run_limit_are_tried_again,
                success_is_not_tried_again,
                every_attempt_has_the_name,
                back_off_lasts_as_said,
                job_in_back_off_is_running,
                kill_ends_a_back_off,
                request_to_stop_ends_the_attempts,
                shutdown_ends_a_back_off,
                drain_waits_for_the_attempts,
                many_jobs_in_back_off_come_back,
                request_to_stop_racing_an_attempt,
            }
            context {
                job_knows_itself,
                given_name_is_the_name,
                items_of_a_map_have_numbers,
                context_outside_of_a_job_is_empty,
                progress_is_seen,
                job_is_itself_again_after_a_nested_one,
            }
            streams {
                await_gives_the_outcome,
                many_are_awaited_at_once,
                await_is_woken,
                await_is_woken_by_a_cancel,
                await_that_is_given_up_loses_nothing,
                last_waker_is_woken,
                waker_that_panics_does_no_harm,
                all_kinds_of_waiters_are_served,
            }
            nested {
                jobs_may_wait_for_jobs,
                one_worker_is_enough_for_jobs_that_wait,
                full_pool_of_waiting_jobs_ends,
                async_jobs_may_await_jobs,
                one_worker_is_enough_for_jobs_that_await,
                sets_are_waited_for_inside_a_job,
                one_worker_is_enough_for_sets,
                maps_work_inside_a_job,
                one_worker_is_enough_for_maps,
                waiting_worker_runs_no_stranger,
                jobs_nest_deep,
                limited_wait_inside_runs_nothing,
                job_may_cancel_a_job,
                waiting_inside_works_on_a_busy_pool,
                retried_job_is_waited_for_inside,
            }
            priorities {
                higher_priority_goes_first,
                lower_priority_does_not_starve,
                lowest_of_three_does_not_starve,
                cancelled_jobs_leave_the_order,
                items_of_a_map_have_their_priority,
            }
            backpressure {
                full_queue_gives_the_job_back,
                submit_waits_for_room,
                cancel_makes_room,
                cancel_wakes_a_waiting_submit,
                shutdown_wakes_a_waiting_submit,
                submit_wait_awaits_room,
                dropped_submit_wait_takes_no_room,
                dropped_submit_wait_drops_its_job,
                shutdown_wakes_a_submit_wait,
                own_job_is_admitted_above_the_bound,
                many_threads_submit_through_a_small_queue,
                map_works_through_a_small_queue,
                map_keeps_to_the_bound,
            }
            stats {
                every_job_is_counted_where_it_belongs,
                open_jobs_are_counted_exactly,
                job_that_is_done_is_counted_as_ended,
                columns_add_up_in_every_snapshot,
            }
            bad_input {
                no_workers_are_refused,
                too_many_workers_are_refused,
                queue_of_no_jobs_is_refused,
                largest_numbers_are_as_good_as_any,
                largest_queue_is_as_good_as_any,
                longest_wait_is_as_good_as_none,
                longest_wait_waits,
                longest_run_limit_limits_nothing,
                most_retries_and_longest_delay_do,
                option_that_is_not_honoured_is_refused,
                panic_of_the_input_comes_in_its_place,
                panic_of_the_closure_comes_in_its_place,
                arguments_whose_drop_panics_do_no_harm,
                cancel_survives_a_panic_of_a_drop,
                output_whose_drop_panics_does_no_harm,
                empty_names_and_arguments_do,
            }
        }
    };
}

crate::__each_law!(__law_names);

/// Checks that each of these is a law.
///
/// # Panics
///
/// If one is not, or is named twice.
pub fn assert_known(laws: &[&str]) {
    for (index, law) in laws.iter().enumerate() {
        assert!(ALL.iter().any(|(_, name)| name == law), "there is no law named `{law}`");
        assert!(!laws[..index].contains(law), "the law `{law}` is named twice");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The laws that the files of this folder define, read from their source.
    fn defined() -> BTreeSet<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/laws");
        let mut laws = BTreeSet::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let section = path.file_stem().unwrap().to_str().unwrap().to_owned();
            for line in fs::read_to_string(&path).unwrap().lines() {
                let name = line.strip_prefix("pub fn ").and_then(|rest| rest.split_once("<S: Subject>"));
                laws.extend(name.map(|(name, _)| (section.clone(), name.to_owned())));
            }
        }
        laws
    }

    #[test]
    fn every_law_is_in_the_list() {
        let listed: BTreeSet<_> = ALL.iter().map(|(section, law)| (section.to_string(), law.to_string())).collect();
        let defined = defined();
        assert_eq!(defined.difference(&listed).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
        assert_eq!(listed.difference(&defined).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    }

    #[test]
    fn no_two_laws_have_one_name() {
        let names: BTreeSet<_> = ALL.iter().map(|(_, law)| law).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
