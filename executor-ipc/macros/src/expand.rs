//! The code that comes beside the block.
//!
//! Of `impl Board { pub fn new() -> Self; pub fn add(&self, n: u64) -> u64 }` it makes, leaving out paths and attributes:
//!
//! ```text
//! struct BoardProxy { handle }                       Clone, Debug, serde, by way of the handle
//! impl BoardProxy {
//!     pub fn new(manager: &Manager) -> Result<Self, ManagerError>
//!     pub fn add(&self, n: u64) -> Result<u64, ManagerError>
//! }
//! impl Proxy for BoardProxy
//! impl Service for Board { fn make, fn call }        by the names of the functions
//! inventory::submit!(ServiceEntry::of::<Board>())
//! ```

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Ident, LitStr};

use crate::exposed::{Exposed, Function};
use crate::options::Options;

pub(crate) struct Expansion<'a> {
    exposed: &'a Exposed<'a>,
    /// The proxy, which the user may have named.
    proxy: Ident,
    /// The module `manager` of `executor_ipc`.
    manager: TokenStream,
    support: TokenStream,
    /// By which clients and server know the type.
    name: TokenStream,
}

impl<'a> Expansion<'a> {
    pub(crate) fn new(options: &'a Options, exposed: &'a Exposed<'a>) -> Self {
        let ipc = &options.ipc;
        let ident = exposed.ident;
        let path = LitStr::new(&format!("::{ident}"), ident.span());
        Expansion {
            exposed,
            proxy: options.proxy.clone().unwrap_or_else(|| format_ident!("{ident}Proxy")),
            manager: quote!(#ipc::manager),
            support: quote!(#ipc::manager::__private),
            name: match &options.name {
                Some(name) => quote!(#name),
                None => quote!(::core::concat!(::core::module_path!(), #path)),
            },
        }
    }

    fn proxy_type(&self) -> TokenStream {
        let Expansion { exposed, proxy, manager, support, .. } = self;
        let service = exposed.service;
        // Whoever can make an object can have its proxy.
        let vis = exposed.constructors.first().map(|constructor| constructor.vis);
        let doc =
            format!("Stands for a `{}` in the server of a manager. A clone stands for the same one.", exposed.ident);
        let serde = quote!(#support::serde);
        quote! {
            #[doc = #doc]
            #[derive(Clone, Debug)]
            #vis struct #proxy {
                handle: #support::Handle,
            }

            impl #manager::Proxy for #proxy {
                const KIND: &'static ::core::primitive::str = <#service as #support::Service>::NAME;

                fn from_handle(handle: #support::Handle) -> Self {
                    Self { handle }
                }

                fn handle(&self) -> &#support::Handle {
                    &self.handle
                }
            }

            impl #serde::Serialize for #proxy {
                fn serialize<__S: #serde::Serializer>(
                    &self,
                    serializer: __S,
                ) -> ::core::result::Result<__S::Ok, __S::Error> {
                    #serde::Serialize::serialize(&self.handle, serializer)
                }
            }

            impl<'de> #serde::Deserialize<'de> for #proxy {
                fn deserialize<__D: #serde::Deserializer<'de>>(
                    deserializer: __D,
                ) -> ::core::result::Result<Self, __D::Error> {
                    <#support::Handle as #serde::Deserialize<'de>>::deserialize(deserializer).map(|handle| Self { handle })
                }
            }
        }
    }

    fn proxy_impl(&self) -> TokenStream {
        let Expansion { exposed, proxy, manager, support, .. } = self;
        let service = exposed.service;
        let here = Ident::new("manager", Span::mixed_site());
        let constructors = exposed.constructors.iter().map(|function| {
            let Signature { vis, ident, docs, names, given, .. } = Signature::of(function);
            let name = ident.to_string();
            quote! {
                #(#docs)*
                ///
                /// # Errors
                ///
                /// Those of every call, and those of a constructor that the server does not know or that panics.
                #vis fn #ident(
                    #here: &#manager::Manager,
                    #(#names: #given),*
                ) -> ::core::result::Result<Self, #manager::ManagerError> {
                    #support::make_object(#here, <#service as #support::Service>::NAME, #name, &(#(&#names,)*))
                }
            }
        });
        let methods = exposed.methods.iter().map(|function| {
            let Signature { vis, ident, docs, names, given, .. } = Signature::of(function);
            let (name, output) = (ident.to_string(), &function.output);
            quote! {
                #(#docs)*
                ///
                /// # Errors
                ///
                /// Those of every call, and those of a method that the server does not know or that panics.
                #vis fn #ident(&self, #(#names: #given),*) -> ::core::result::Result<#output, #manager::ManagerError> {
                    #support::call_method(self, #name, &(#(&#names,)*))
                }
            }
        });
        quote! {
            #[allow(clippy::too_many_arguments, reason = "a constructor has one more than what it calls")]
            impl #proxy {
                #(#constructors)*
                #(#methods)*
            }
        }
    }

    fn service_impl(&self) -> TokenStream {
        let Expansion { exposed, support, name, .. } = self;
        let service = exposed.service;
        let [call, this] = ["call", "this"].map(|name| Ident::new(name, Span::mixed_site()));
        let decoded = |function: &Function<'_>| {
            let Signature { locals, owned, .. } = Signature::of(function);
            quote!(let (#(#locals,)*): (#(#owned,)*) = #support::Call::arguments(&#call)?;)
        };
        let makes = exposed.constructors.iter().map(|function| {
            let (Signature { ident, passed, .. }, decoded) = (Signature::of(function), decoded(function));
            let name = ident.to_string();
            quote!(#name => { #decoded ::core::result::Result::Ok(<#service>::#ident(#(#passed),*)) })
        });
        let calls = exposed.methods.iter().map(|function| {
            let (Signature { ident, passed, .. }, decoded) = (Signature::of(function), decoded(function));
            let name = ident.to_string();
            quote!(#name => { #decoded #support::Call::answer(&#call, &<#service>::#ident(#this, #(#passed),*)) })
        });
        quote! {
            impl #support::Service for #service {
                const NAME: &'static ::core::primitive::str = #name;

                fn make(
                    constructor: &::core::primitive::str,
                    #call: #support::Call<'_>,
                ) -> ::core::result::Result<Self, #support::Failure> {
                    match constructor {
                        #(#makes)*
                        unknown => ::core::result::Result::Err(#support::Failure::unknown(Self::NAME, unknown)),
                    }
                }

                fn call(
                    &self,
                    method: &::core::primitive::str,
                    #call: #support::Call<'_>,
                ) -> ::core::result::Result<#support::Answer, #support::Failure> {
                    let #this = self;
                    match method {
                        #(#calls)*
                        unknown => ::core::result::Result::Err(#support::Failure::unknown(Self::NAME, unknown)),
                    }
                }
            }

            #support::inventory::submit! { #support::ServiceEntry::of::<#service>() }
        }
    }
}

impl ToTokens for Expansion<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend([self.proxy_type(), self.proxy_impl(), self.service_impl()]);
    }
}

/// A function, taken apart for a template. The lists have an element for each parameter.
struct Signature<'a> {
    vis: &'a syn::Visibility,
    ident: &'a Ident,
    docs: &'a [&'a syn::Attribute],
    names: Vec<&'a Ident>,
    given: Vec<&'a syn::Type>,
    locals: Vec<&'a Ident>,
    /// The types that are decoded.
    owned: Vec<TokenStream>,
    /// What the function gets of them.
    passed: Vec<TokenStream>,
}

impl<'a> Signature<'a> {
    fn of(function: &'a Function<'a>) -> Self {
        let parameters = &function.parameters;
        Signature {
            vis: function.vis,
            ident: function.ident,
            docs: &function.docs,
            names: parameters.iter().map(|parameter| &parameter.name).collect(),
            given: parameters.iter().map(|parameter| parameter.given).collect(),
            locals: parameters.iter().map(|parameter| &parameter.local).collect(),
            owned: parameters
                .iter()
                .map(|parameter| match parameter.borrowed {
                    Some(given) => quote!(<#given as ::std::borrow::ToOwned>::Owned),
                    None => parameter.given.to_token_stream(),
                })
                .collect(),
            passed: parameters
                .iter()
                .map(|parameter| {
                    let local = &parameter.local;
                    match parameter.borrowed {
                        Some(given) => quote!(::core::borrow::Borrow::<#given>::borrow(&#local)),
                        None => quote!(#local),
                    }
                })
                .collect(),
        }
    }
}
