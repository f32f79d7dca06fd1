//! The code that comes beside the function.
//!
//! Of `fn count(text: &str, times: u32) -> usize` it makes, leaving out paths and attributes:
//!
//! ```text
//! struct count { text: String, times: u32 }            the arguments, stored; what travels
//! impl Serialize for count, impl Deserialize for count by serde's derive, see `serde_impls`
//! impl count { pub fn job(text: impl Into<String>, times: u32) -> Self }
//! impl Job for count {
//!     type Output = usize;
//!     fn start(self)                                    calls the function, or makes the future that does
//!     register_job!(count);                             puts it into the table
//!     fn failed(&usize), fn duplicate(&self)            by the types, see `executor_core::__private`
//! }
//! ```
//!
//! Two rules keep it apart from the user's names. Locals have spans of their own, so that no name of the user's is
//! shadowed or meant; whatever stands beside types of the user's and cannot have that (items, type parameters)
//! begins with two underscores.
//!
//! Where a type cannot travel, exactly that should be reported, where the user wrote the type. So the generated code
//! compiles with such a type as far as Rust allows: what it needs to know of an argument, it asks in the way of
//! `executor_core::__private`; what it needs of an output or a reference is a `where` clause with the type's own span.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Ident, ItemFn, LitStr, Meta, Path, Token};

use crate::options::Options;
use crate::signature::{ParameterKind, Signature};

/// Everything that the generated code is made of. The lists have an element for each parameter.
pub(crate) struct Expansion<'a> {
    options: &'a Options,
    function: &'a ItemFn,
    signature: &'a Signature,
    /// The type, which the user may have named.
    job: &'a Ident,
    core: &'a Path,
    /// `cfg` attributes of the function. What is generated must come and go with it.
    conditions: Vec<TokenStream>,
    fields: Vec<&'a Ident>,
    /// Locals of the generated code that hold the arguments.
    locals: Vec<&'a Ident>,
    /// The types of the fields.
    stored: Vec<TokenStream>,
    /// A `where` clause: what is borrowed can be stored owned.
    borrows: TokenStream,
}

impl<'a> Expansion<'a> {
    pub(crate) fn new(options: &'a Options, function: &'a ItemFn, signature: &'a Signature) -> Self {
        let parameters = &signature.parameters;
        Expansion {
            options,
            function,
            signature,
            job: options.type_name.as_ref().unwrap_or(&function.sig.ident),
            core: &options.core,
            conditions: function.attrs.iter().filter_map(condition).collect(),
            fields: parameters.iter().map(|parameter| &parameter.field).collect(),
            locals: parameters.iter().map(|parameter| &parameter.local).collect(),
            stored: parameters.iter().map(|parameter| stored(&parameter.kind)).collect(),
            borrows: parameters.iter().map(|parameter| borrows(&parameter.kind)).collect(),
        }
    }

    /// The type: the arguments, stored.
    fn job_type(&self) -> TokenStream {
        let Expansion { function, job, conditions, fields, stored, .. } = self;
        let vis = &function.vis;
        quote! {
            #(#conditions)*
            #[doc(hidden)]
            #[allow(non_camel_case_types, reason = "it has the name of the function")]
            #vis struct #job {
                #(#fields: #stored),*
            }
        }
    }

    /// `Type::job(args…)`.
    fn constructor(&self) -> TokenStream {
        let Expansion { function, job, conditions, fields, locals, stored, borrows, .. } = self;
        let given = self.signature.parameters.iter().zip(stored).map(|(parameter, stored)| match parameter.kind {
            ParameterKind::Owned(_) => stored.clone(),
            ParameterKind::Borrowed(_) => quote!(impl ::core::convert::Into<#stored>),
        });
        let values = self.signature.parameters.iter().map(|parameter| {
            let local = &parameter.local;
            match parameter.kind {
                ParameterKind::Owned(_) => quote!(#local),
                ParameterKind::Borrowed(_) => quote!(::core::convert::Into::into(#local)),
            }
        });
        let doc = format!("A job that calls `{}` with these arguments.", function.sig.ident);
        let deprecated = self.deprecated();
        quote! {
            #(#conditions)*
            impl #job where #borrows {
                #[doc = #doc]
                #deprecated
                #[allow(clippy::too_many_arguments, reason = "it has those of the function")]
                #[must_use = "a job does nothing until it is submitted"]
                pub fn job(#(#locals: #given),*) -> Self {
                    Self { #(#fields: #values),* }
                }
            }
        }
    }

    /// `Serialize` and `Deserialize`, by serde's own derive.
    ///
    /// The derive goes on two generic twins of the type, whose fields are made of the arguments and made into them. On
    /// the type itself it would add its own errors, several for each, to the one about a type that is not serde.
    fn serde_impls(&self) -> TokenStream {
        let Expansion { job, core, conditions, fields, locals, stored, borrows, .. } = self;
        let support = quote!(#core::__private);
        let serde = quote!(#support::serde);
        let serde_path = LitStr::new(&serde.to_string(), Span::call_site());
        let name = job.unraw().to_string();
        let types: Vec<_> = (0..fields.len()).map(|index| format_ident!("__T{index}")).collect();
        let asserts = stored
            .iter()
            .map(|stored| at(stored.span(), quote!(const _: () = #support::assert_argument::<#stored>();)));
        quote! {
            #(#conditions)*
            const _: () = {
                use #support::NotAnArgument as _;

                #[derive(#serde::Serialize)]
                #[serde(crate = #serde_path, rename = #name)]
                struct __Written<#(#types),*> {
                    #(#fields: #types),*
                }

                #[derive(#serde::Deserialize)]
                #[serde(crate = #serde_path, rename = #name)]
                struct __Read<#(#types),*> {
                    #(#fields: #types),*
                }

                impl #serde::Serialize for #job where #borrows {
                    fn serialize<__S: #serde::Serializer>(
                        &self,
                        serializer: __S,
                    ) -> ::core::result::Result<__S::Ok, __S::Error> {
                        let written = __Written { #(#fields: #support::Argument::<#stored>::written(&self.#fields)),* };
                        #serde::Serialize::serialize(&written, serializer)
                    }
                }

                impl<'__de> #serde::Deserialize<'__de> for #job where #borrows {
                    fn deserialize<__D: #serde::Deserializer<'__de>>(
                        deserializer: __D,
                    ) -> ::core::result::Result<Self, __D::Error> {
                        let __Read { #(#fields: #locals),* } = #serde::Deserialize::deserialize(deserializer)?;
                        ::core::result::Result::Ok(Self { #(#fields: #support::Argument::<#stored>::read(#locals)),* })
                    }
                }

                #(#asserts)*
            };
        }
    }

    fn job_impl(&self) -> TokenStream {
        let Expansion { job, core, conditions, borrows, .. } = self;
        let output = &self.signature.output;
        let returned = at(output.span(), quote!(<#output as #core::__private::JobOutput>::Returned));
        let returns = at(output.span(), quote!(#output: #core::__private::JobOutput));
        let name = self.options.name.iter();
        let start = self.start();
        let is_async = self.signature.is_async.then(|| {
            quote!(
                fn is_async() -> bool {
                    true
                }
            )
        });
        let duplicate = self.duplicate();
        quote! {
            #(#conditions)*
            impl #core::Job for #job where #borrows #returns {
                type Output = #returned;

                #start

                #is_async

                #core::register_job!(#job #(, name = #name)*);

                fn failed(output: &Self::Output) -> bool {
                    use #core::__private::NeverFails as _;
                    let output = <#output as #core::__private::JobOutput>::from_returned(output);
                    #core::__private::Outcome::<#output>::failed(output)
                }

                fn failure_text(output: &Self::Output) -> ::core::option::Option<::std::string::String> {
                    use #core::__private::NeverFails as _;
                    let output = <#output as #core::__private::JobOutput>::from_returned(output);
                    #core::__private::Outcome::<#output>::failure_text(output)
                }

                #duplicate
            }
        }
    }

    /// Calls the function with the arguments that are stored.
    fn start(&self) -> TokenStream {
        let Expansion { core, fields, locals, .. } = self;
        let function = &self.function.sig.ident;
        let output = &self.signature.output;
        let arguments = self.signature.parameters.iter().map(|parameter| {
            let local = &parameter.local;
            match &parameter.kind {
                ParameterKind::Owned(_) => quote!(#local),
                ParameterKind::Borrowed(given) => quote!(::core::borrow::Borrow::<#given>::borrow(&#local)),
            }
        });
        let call = quote!(#function(#(#arguments),*));
        let returned = quote!(<#output as #core::__private::JobOutput>::into_returned);
        let work = if self.signature.is_async {
            quote!(#core::Work::future(async move { #returned(#call.await) }))
        } else {
            quote!(#core::Work::Ready(#returned(#call)))
        };
        let allow =
            self.deprecated().map(|_| quote!(#[allow(deprecated, reason = "whoever makes the job has been warned")]));
        quote! {
            #allow
            fn start(self) -> #core::Work<Self::Output> {
                let Self { #(#fields: #locals),* } = self;
                #work
            }
        }
    }

    /// Copies the job where all of its arguments are `Clone`. Nothing is copied before that is known.
    fn duplicate(&self) -> TokenStream {
        let Expansion { core, fields, locals, stored, .. } = self;
        quote! {
            fn duplicate(&self) -> ::core::option::Option<Self> {
                use #core::__private::CannotCopy as _;
                #(let #locals = #core::__private::Copier::<#stored>::COPY?;)*
                ::core::option::Option::Some(Self { #(#fields: #locals(&self.#fields)),* })
            }
        }
    }

    /// The `deprecated` attribute of the function.
    fn deprecated(&self) -> Option<&Attribute> {
        self.function.attrs.iter().find(|attribute| attribute.path().is_ident("deprecated"))
    }
}

impl ToTokens for Expansion<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend([self.job_type(), self.serde_impls(), self.constructor(), self.job_impl()]);
    }
}

/// The type in which an argument is stored.
fn stored(kind: &ParameterKind) -> TokenStream {
    match kind {
        ParameterKind::Owned(given) => given.to_token_stream(),
        ParameterKind::Borrowed(given) => at(given.span(), quote!(<#given as ::std::borrow::ToOwned>::Owned)),
    }
}

/// What must hold of a type that is taken by reference.
fn borrows(kind: &ParameterKind) -> TokenStream {
    match kind {
        ParameterKind::Owned(_) => TokenStream::new(),
        ParameterKind::Borrowed(given) => at(given.span(), quote!(#given: ::std::borrow::ToOwned,)),
    }
}

/// The same code, with every token where `span` is, so that the compiler reports there what is wrong with it.
fn at(span: Span, code: TokenStream) -> TokenStream {
    code.into_iter()
        .map(|token| {
            let mut token = match token {
                TokenTree::Group(group) => Group::new(group.delimiter(), at(span, group.stream())).into(),
                single => single,
            };
            token.set_span(span);
            token
        })
        .collect()
}

/// The condition that `attribute` sets, if it sets one: `cfg(…)`, also inside `cfg_attr(…)`.
fn condition(attribute: &Attribute) -> Option<TokenStream> {
    if attribute.path().is_ident("cfg") {
        return Some(attribute.to_token_stream());
    }
    if !attribute.path().is_ident("cfg_attr") {
        return None;
    }
    let parts = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    let mut parts = parts.into_iter();
    let predicate = parts.next()?;
    let conditions: Vec<Meta> = parts.filter(|part| part.path().is_ident("cfg")).collect();
    (!conditions.is_empty()).then(|| quote!(#[cfg_attr(#predicate, #(#conditions),*)]))
}
