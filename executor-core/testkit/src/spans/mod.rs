//! The laws of the feature `tracing`: each job has a span, which is a child of its submitter's.
//!
//! They stand apart from the other laws, because the subscriber of a program is set once. [`span_laws!`](crate::span_laws!) writes
//! a test for each, in a program of tests of its own that sets no other. A [`Recorder`] is that subscriber.

mod jobs;
pub mod laws;
mod recorder;

pub use jobs::{install_recorder, say, say_async, span_around};
pub use recorder::{EventNote, Recorder, SpanNote};

/// Writes one `#[test]` for each law of spans, for one [`Subject`](crate::Subject). The list means what it means in
/// [`laws!`](crate::laws!).
///
/// # Examples
///
/// ```
/// use executor_core::{BuildError, InlineExecutor};
/// use executor_testkit::{Config, Subject, span_laws};
///
/// struct Inline;
///
/// impl Subject for Inline {
///     type Pool = InlineExecutor;
///
///     fn build(_: &mut Config) -> Result<InlineExecutor, BuildError> {
///         InlineExecutor::builder().build()
///     }
/// }
///
/// span_laws!(Inline, not_claimed = [cancelled_job_closes_its_span]);
/// ```
#[macro_export]
macro_rules! span_laws {
    ($subject:ty, not_claimed = [$($law:ident),* $(,)?] $(,)?) => {
        /// The laws of spans that are about what the backend does not claim.
        #[cfg(test)]
        const SPAN_LAWS_NOT_CLAIMED: &[&str] = &[$(::core::stringify!($law)),*];

        $crate::__span_law_tests! {
            $subject {
                job_is_a_child_of_its_submitter,
                job_without_a_span_around_it_is_a_root,
                job_runs_inside_its_span,
                async_job_is_polled_inside_its_span,
                job_of_a_job_is_its_child,
                items_of_a_map_are_children_of_its_caller,
                map_stays_with_the_subscriber_of_its_caller,
                each_attempt_is_seen,
                span_ends_with_its_job,
                panic_leaves_the_span,
                cancelled_job_closes_its_span,
            }
        }
    };
}

/// The tests of the laws of spans.
#[doc(hidden)]
#[macro_export]
macro_rules! __span_law_tests {
    ($subject:ty { $($law:ident,)* }) => {$(
        #[test]
        fn $law() {
            $crate::test_law::<$subject>(
                ::core::concat!("spans::", ::core::stringify!($law)),
                SPAN_LAWS_NOT_CLAIMED,
                $crate::spans::laws::$law::<$subject>,
            );
        }
    )*};
}
