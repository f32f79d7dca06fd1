//! The macro that puts a job into the table.

use crate::job::Job;
use crate::registry::JobEntry;

/// Enters a job into the table of this executable; written inside the job's own `impl Job` block.
///
/// [`#[job]`](macro@crate::job) writes it for you. By hand, name the type again, as `Self` cannot be used here:
///
/// - `register_job!(Type);` gives the job the path of its type as name. It is for people, and may repeat.
/// - `register_job!(Type, name = "…");` gives it this name, which must be unique in the program. Two jobs of one name
///   are an error when the first executor is built. It also makes the type an [`AnyJob`](crate::AnyJob).
///
/// A generic type cannot be registered: each of its types would be a job of its own, and none is known here. Write a
/// newtype for the ones you use.
///
/// # Examples
///
/// ```
/// use executor_core::{AnyJob, Job, Work, register_job};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Resize {
///     width: u32,
/// }
///
/// impl Job for Resize {
///     type Output = u32;
///     fn start(self) -> Work<u32> {
///         Work::Ready(self.width / 2)
///     }
///     register_job!(Resize, name = "image/resize");
/// }
///
/// let job: Box<dyn AnyJob> = Box::new(Resize { width: 640 });
/// assert_eq!(job.job_name(), "image/resize");
/// ```
#[macro_export]
macro_rules! register_job {
    ($Job:ty $(, name = $name:literal)? $(,)?) => {
        fn entry() -> &'static $crate::__private::JobEntry {
            static ENTRY: $crate::__private::JobEntry = $crate::__private::entry_of::<$Job>(
                &[$($name)?],
                ::core::concat!(::core::file!(), ":", ::core::line!()),
            );
            $crate::__private::inventory::submit! { $crate::__private::Registration(&ENTRY) }
            $(
                #[allow(non_local_definitions, reason = "it is for the type that this is written in")]
                const _: () = {
                    // The attribute writes paths that begin with `typetag`.
                    use $crate::__private::typetag;

                    #[typetag::serde(name = $name)]
                    impl $crate::AnyJob for $Job {
                        fn job_name(&self) -> &'static ::core::primitive::str {
                            $name
                        }

                        fn start_any(self: ::std::boxed::Box<Self>) -> $crate::Work<$crate::AnyOutput> {
                            $crate::__private::start_any::<Self>(*self)
                        }

                        fn duplicate_any(
                            &self,
                        ) -> ::core::option::Option<::std::boxed::Box<dyn $crate::AnyJob>> {
                            $crate::__private::duplicate_any::<Self>(self)
                        }
                    }
                };
            )?
            &ENTRY
        }
    };
}

/// The entry of `J`; `name` holds the name that the user chose, if one was.
///
/// # Panics
///
/// When the program is compiled, if that name is blank.
#[must_use]
pub const fn entry_of<J: Job>(name: &[&'static str], declared_at: &'static str) -> JobEntry {
    let explicit_name = match name {
        [] => None,
        [name, ..] => {
            assert!(!name.trim_ascii().is_empty(), "the name of a job must not be blank; leave it out for the default");
            Some(*name)
        }
    };
    JobEntry::of::<J>(explicit_name, declared_at)
}
