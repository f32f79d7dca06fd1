//! [`laws!`](crate::laws!): one test for each law.

/// Writes one `#[test]` for each law, in a module for each section, for one [`Subject`](crate::Subject).
///
/// A law that needs what the backend does not claim is skipped, and says so on the output of its test. Each such law must
/// be named in `not_claimed`, and each law named there must really be skipped; else its test fails. So the list is the
/// whole truth about what the backend does not do.
///
/// Write it once in a file of its own, `tests/conformance.rs`, or within a module for each subject. The crate needs no
/// dev-dependency but this one. The laws of one process run one at a time.
///
/// # Examples
///
/// ```
/// use executor_core::{BuildError, InlineExecutor};
/// use executor_testkit::{Config, Subject, laws};
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
/// laws!(Inline, not_claimed = [blocked_reader_wakes, jobs_run_beside_each_other]);
/// ```
#[macro_export]
macro_rules! laws {
    ($subject:ty $(,)?) => {
        $crate::laws!($subject, not_claimed = []);
    };
    ($subject:ty, not_claimed = [$($law:ident),* $(,)?] $(,)?) => {
        /// The backend under test.
        #[cfg(test)]
        type LawSubject = $subject;

        /// The laws that are about what it does not claim.
        #[cfg(test)]
        const LAWS_NOT_CLAIMED: &[&str] = &[$(::core::stringify!($law)),*];

        #[test]
        fn every_law_that_is_not_claimed_exists() {
            $crate::laws::assert_known(LAWS_NOT_CLAIMED);
        }

        $crate::__each_law!(__law_tests);
    };
}

/// Writes the `main` of a program that runs each law in a process of its own, for a [`Subject`](crate::Subject) that
/// [needs to be alone](crate::Subject::needs_one_thread).
///
/// It takes what [`laws!`](crate::laws!) takes, and the list means the same. Write it in a test of its own, which has
/// `harness = false` in the manifest, because the harness of the standard library has threads. The process of a law has one
/// until its first pool is built; a law that builds another after that, or begins threads of its own before, is not
/// claimed.
///
/// # Examples
///
/// ```
/// use executor_core::{BuildError, InlineExecutor};
/// use executor_testkit::{Config, Subject, laws_alone};
///
/// struct Forking;
///
/// impl Subject for Forking {
///     type Pool = InlineExecutor;
///
///     fn build(_: &mut Config) -> Result<InlineExecutor, BuildError> {
///         InlineExecutor::builder().build()
///     }
///
///     fn needs_one_thread() -> bool {
///         true
///     }
/// }
///
/// mod program {
///     # use super::*;
///     laws_alone!(Forking, not_claimed = [blocked_reader_wakes, set_may_span_pools]);
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! laws_alone {
    ($subject:ty, not_claimed = [$($law:ident),* $(,)?] $(,)?) => {
        /// The backend under test.
        type LawSubject = $subject;

        /// The laws that are about what it does not claim.
        const LAWS_NOT_CLAIMED: &[&str] = &[$(::core::stringify!($law)),*];

        fn main() -> ::std::process::ExitCode {
            $crate::laws::assert_known(LAWS_NOT_CLAIMED);
            $crate::__each_law!(__run_laws_alone)
        }
    };
}

/// Runs the laws of all sections.
#[doc(hidden)]
#[macro_export]
macro_rules! __run_laws_alone {
    ($($section:ident { $($law:ident,)* })*) => {
        $crate::run_alone::<LawSubject>(
            &[$($((
                ::core::concat!(::core::stringify!($section), "::", ::core::stringify!($law)),
                $crate::laws::$section::$law::<LawSubject>,
            ),)*)*],
            LAWS_NOT_CLAIMED,
        )
    };
}

/// The tests of all sections.
#[doc(hidden)]
#[macro_export]
macro_rules! __law_tests {
    ($($section:ident { $($law:ident,)* })*) => {$(
        mod $section {
            $(
                #[test]
                fn $law() {
                    $crate::test_law::<super::LawSubject>(
                        ::core::concat!(::core::stringify!($section), "::", ::core::stringify!($law)),
                        super::LAWS_NOT_CLAIMED,
                        $crate::laws::$section::$law::<super::LawSubject>,
                    );
                }
            )*
        }
    )*};
}

/// The names of all sections.
#[doc(hidden)]
#[macro_export]
macro_rules! __law_names {
    ($($section:ident { $($law:ident,)* })*) => {
        /// Every law: its section and its name.
        pub const ALL: &[(&str, &str)] = &[$($((stringify!($section), stringify!($law)),)*)*];
    };
}
