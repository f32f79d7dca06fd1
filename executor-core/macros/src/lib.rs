//! The `#[job]` attribute of `executor-core`, which re-exports it and describes it for users.
//!
//! The attribute sees one function and nothing around it. It goes through three steps, a file each:
//!
//! - `options`: what is written in the brackets of the attribute.
//! - `signature`: the function, checked; everything that cannot be a job is refused here, all of it at once.
//! - `expand`: the code that is added.
//!
//! What depends on types rather than on text (is it serde, is it `Clone`, is it a `Result`) is asked by the added code,
//! of `executor_core::__private`.

mod expand;
mod options;
mod signature;

use proc_macro::TokenStream;
use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::ItemFn;

/// Makes a function a job.
///
/// The function stays as it is and can be called as before. Beside it comes a type of the same name, so that one `use`
/// brings both, with one associated function: `name::job(args…)` makes a job of these arguments, for any executor.
///
/// It takes `fn` and `async fn`. Arguments and output are serde in both directions, `Send`, and own what they hold. An
/// argument may be a reference (`&str`, `&[T]`, `&T`): the job then keeps an owned copy (`String`, `Vec<T>`, `T`), and
/// `job` takes anything that is `Into` that. An output that is a `Result` counts as failed where it is `Err`.
///
/// What cannot be a job is a compile error that says what to write instead: a generic function, a method, `&mut` and
/// `impl Trait` arguments, a borrowed output, an `unsafe` or `extern` function, a type that is not serde.
///
/// # Options
///
/// - `#[job(name = "…")]` fixes the name of the job, which must then be unique in the program. A job with such a name
///   is also an `AnyJob`, and can be stored and read back by name. Without it, the name is the path of the type; it is
///   for people only and may repeat.
/// - `#[job(type = Name)]` names the type, where a module or type of the function's name is there already.
/// - `#[job(crate = path)]` says where `executor_core` is, if a crate of yours re-exports it. It is `::executor_core`
///   by default.
#[proc_macro_attribute]
pub fn job(options: TokenStream, item: TokenStream) -> TokenStream {
    // Refused or not, the function stays: a missing one would bury the error under those of its callers.
    let function = proc_macro2::TokenStream::from(item.clone());
    let added = add(options, item).unwrap_or_else(syn::Error::into_compile_error);
    quote!(#function #added).into()
}

/// The code that comes beside the function.
fn add(options: TokenStream, item: TokenStream) -> syn::Result<proc_macro2::TokenStream> {
    let function: ItemFn = syn::parse(item).map_err(|_| {
        syn::Error::new(Span::call_site(), "`#[job]` goes on a function with a body: `fn` or `async fn`")
    })?;
    let options = syn::parse(options);
    let signature = signature::Signature::check(&function);
    match (options, signature) {
        (Ok(options), Ok(signature)) => Ok(expand::Expansion::new(&options, &function, &signature).into_token_stream()),
        (Err(mut error), Err(more)) => {
            error.combine(more);
            Err(error)
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}
