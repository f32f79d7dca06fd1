//! The `#[service]` attribute of `executor-ipc`, which re-exports it and describes it for users.
//!
//! It goes through three steps, a file each: `options`, what is written in the brackets; `exposed`, the functions that clients can call,
//! checked; `expand`, the code that is added.

mod expand;
mod exposed;
mod options;

use proc_macro::TokenStream;
use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::ItemImpl;

/// See `executor_ipc::manager::service`.
#[proc_macro_attribute]
pub fn service(options: TokenStream, item: TokenStream) -> TokenStream {
    // Refused or not, the block stays: a missing one would bury the error under those of its callers.
    let block = proc_macro2::TokenStream::from(item.clone());
    let added = add(options, item).unwrap_or_else(syn::Error::into_compile_error);
    quote!(#block #added).into()
}

/// The code that comes beside the block.
fn add(options: TokenStream, item: TokenStream) -> syn::Result<proc_macro2::TokenStream> {
    let block: ItemImpl = syn::parse(item).map_err(|_| {
        syn::Error::new(Span::call_site(), "`#[service]` goes on an `impl` block of a type, with its functions")
    })?;
    let options: options::Options = syn::parse(options)?;
    let exposed = exposed::Exposed::check(&block)?;
    Ok(expand::Expansion::new(&options, &exposed).into_token_stream())
}
