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
