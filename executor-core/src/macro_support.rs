//! What the code that [`#[job]`](macro@crate::job) writes leans on: checks with errors to read, and questions about types.
//!
//! The attribute sees the text of a signature and not its types, so what depends on types is asked here.
//!
//! A question ("is it `Clone`?") is an associated item that exists twice: as an inherent one for the types of which
//! the answer is yes, and in a trait for every type. Rust takes the inherent one where it applies. This works because
//! the generated code names concrete types; in generic code the trait's would always be taken.
//!
//! What cannot travel is reported once, with the words below, where the user wrote the type. To that end the rest of
//! the generated code makes sense for every type: serde is reached through [`Argument`], which has an answer for types
//! that are not serde, and outputs through [`JobOutput`], which the generated `impl` has in its `where` clause.

use std::fmt::Display;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// An argument that a job can carry.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a job",
    label = "this type cannot travel with the job",
    note = "an argument may be sent to another process: derive `serde::Serialize` and `serde::Deserialize` for its type",
    note = "it must also own what it holds and be `Send`; open a handle inside the job, and pass the name of what to open"
)]
pub trait JobArgument {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> JobArgument for T {}

/// What a job can return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of a job",
    label = "this type cannot travel back",
    note = "an output may come from another process: derive `serde::Serialize` and `serde::Deserialize` for the type",
    note = "it must also own what it holds and be `Send`; an error without serde can be returned as its text, a `String`"
)]
pub trait JobOutput: Sized {
    /// The type itself.
    type Returned: Serialize + DeserializeOwned + Send + 'static;

    /// The output as what the job returns.
    fn into_returned(self) -> Self::Returned;

    /// What the job returned as the output.
    fn from_returned(returned: &Self::Returned) -> &Self;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> JobOutput for T {
    type Returned = T;

    #[inline]
    fn into_returned(self) -> T {
        self
    }

    #[inline]
    fn from_returned(returned: &T) -> &T {
        returned
    }
}

/// Asks for [`JobArgument`], where nothing else would.
pub const fn assert_argument<T: JobArgument>() {}

/// How an argument goes through serde: `Argument::<T>`, with [`NotAnArgument`] in scope.
#[derive(Debug)]
pub struct Argument<T>(PhantomData<T>);

impl<T: Serialize + DeserializeOwned> Argument<T> {
    /// What is written for `value`: itself.
    #[inline]
    pub fn written(value: &T) -> &T {
        value
    }

    /// The argument that was read.
    #[inline]
    pub fn read(value: T) -> T {
        value
    }
}

/// The answers of [`Argument`] for a type that is not serde. The program does not compile, and they are never called.
pub trait NotAnArgument<T> {
    /// A value that serde can write.
    fn written(_: &T) -> NotSerde {
        unreachable!("a type that is not serde is refused by `assert_argument`")
    }

    /// No value at all.
    fn read(value: NotSerde) -> T {
        match value {}
    }
}

impl<T> NotAnArgument<T> for Argument<T> {}

/// The form in which an argument travels whose type is not serde: none.
#[derive(Debug, Serialize, Deserialize)]
pub enum NotSerde {}

/// How to copy an argument: `Copier::<T>::COPY`, with [`CannotCopy`] in scope.
#[derive(Debug)]
pub struct Copier<T>(PhantomData<T>);

impl<T: Clone> Copier<T> {
    /// `Clone::clone`.
    pub const COPY: Option<fn(&T) -> T> = Some(T::clone);
}

/// The answer of [`Copier`] for a type that is not `Clone`.
pub trait CannotCopy<T> {
    /// Nothing.
    const COPY: Option<fn(&T) -> T> = None;
}

impl<T> CannotCopy<T> for Copier<T> {}

/// Whether an output is a failure: `Outcome::<T>::failed(&output)`, with [`NeverFails`] in scope.
#[derive(Debug)]
pub struct Outcome<T>(PhantomData<T>);

impl<T, E> Outcome<Result<T, E>> {
    /// True for an `Err`.
    pub fn failed(output: &Result<T, E>) -> bool {
        output.is_err()
    }
}

impl<T, E: Display> Outcome<Result<T, E>> {
    /// What an `Err` says.
    pub fn failure_text(output: &Result<T, E>) -> Option<String> {
        output.as_ref().err().map(E::to_string)
    }
}

/// The answer of [`Outcome`] for a type that is no `Result`, or one whose error cannot be shown.
pub trait NeverFails<T> {
    /// False.
    fn failed(_: &T) -> bool {
        false
    }

    /// Nothing.
    fn failure_text(_: &T) -> Option<String> {
        None
    }
}

impl<T> NeverFails<T> for Outcome<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    struct NotClone;

    type Alias<T> = Result<T, NotClone>;

    #[test]
    fn only_what_is_clone_has_a_copy() {
        assert_eq!(Copier::<Vec<u8>>::COPY.map(|copy| copy(&vec![1])), Some(vec![1]));
        assert!(Copier::<NotClone>::COPY.is_none());
        assert!(Copier::<Vec<NotClone>>::COPY.is_none());
    }

    #[test]
    fn only_an_err_is_a_failure() {
        assert!(Outcome::<Result<(), u8>>::failed(&Err(1)));
        assert!(Outcome::<Alias<u8>>::failed(&Err(NotClone)));
        assert!(!Outcome::<Alias<u8>>::failed(&Ok(1)));
        assert!(!Outcome::<Option<u8>>::failed(&None));
        assert!(!Outcome::<()>::failed(&()));
    }
}
