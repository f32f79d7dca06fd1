//! The function under the attribute, checked for what cannot be a job.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident};
use syn::ext::IdentExt;
use syn::{
    Error, FnArg, GenericParam, Generics, Ident, ItemFn, Pat, PatType, ReturnType, Safety, Type, TypeReference,
    parse_quote,
};

/// The part of a signature that makes a job.
pub(crate) struct Signature {
    pub(crate) is_async: bool,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) output: Type,
}

/// One parameter of the function, which is one field of the job.
pub(crate) struct Parameter {
    /// The field, called like the parameter where that has a plain name.
    pub(crate) field: Ident,
    /// A local of the generated code. It is invisible to the user's names, and they to it.
    pub(crate) local: Ident,
    pub(crate) kind: ParameterKind,
}

pub(crate) enum ParameterKind {
    /// Stored and passed as it is.
    Owned(Type),
    /// `&T`, of which this is the `T`: stored as the owned form of it, passed by reference.
    Borrowed(Type),
}

impl Signature {
    /// Reads the signature of `function`, or gives every reason why it cannot be a job.
    pub(crate) fn check(function: &ItemFn) -> syn::Result<Self> {
        let signature = &function.sig;
        let mut faults = Faults::default();

        check_modifiers(signature, &mut faults);
        check_generics(&signature.generics, &mut faults);

        let mut names = HashSet::new();
        let mut parameters = Vec::new();
        for (index, input) in signature.inputs.iter().enumerate() {
            match input {
                FnArg::Receiver(receiver) => faults.add(
                    receiver,
                    "a method cannot be a job, because a job has no `self`; write a free function that takes the value \
                     as its first argument",
                ),
                FnArg::Typed(parameter) => {
                    parameters.extend(Parameter::check(parameter, index, &mut names, &mut faults));
                }
            }
        }
        let output = check_output(&signature.output, &mut faults);

        faults.into_result()?;
        Ok(Signature { is_async: signature.asyncness.is_some(), parameters, output })
    }
}

fn check_modifiers(signature: &syn::Signature, faults: &mut Faults) {
    if let Safety::Unsafe(token) = &signature.safety {
        faults.add(
            token,
            "an `unsafe` function cannot be a job, because no executor can promise what its caller must; write a safe \
             function that calls it",
        );
    }
    if let Some(abi) = &signature.abi {
        faults.add(abi, "an `extern` function cannot be a job; write a Rust function that calls it");
    }
    if let Some(variadic) = &signature.variadic {
        faults.add(variadic, "a job has a fixed number of arguments; take a `Vec`");
    }
}

/// Lifetimes are allowed: the function is called with references to what the job owns, and any lifetime will do.
fn check_generics(generics: &Generics, faults: &mut Faults) {
    for parameter in &generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            faults.add(
                parameter,
                "a generic function cannot be a job, because a worker must know every job before it starts; write a \
                 function for each type you use, which calls this one",
            );
        }
    }
}

impl Parameter {
    fn check(parameter: &PatType, index: usize, names: &mut HashSet<String>, faults: &mut Faults) -> Option<Self> {
        for attribute in &parameter.attrs {
            if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
                faults.add(attribute, "an argument of a job cannot be conditional; put the `cfg` on two functions");
            }
        }
        let kind = ParameterKind::check(&parameter.ty, faults)?;
        let field = field(&parameter.pat, index, names);
        let local = Ident::new(&format!("argument_{index}"), Span::mixed_site());
        Some(Parameter { field, local, kind })
    }
}

impl ParameterKind {
    fn check(given: &Type, faults: &mut Faults) -> Option<Self> {
        let (kind, part) = match bare(given) {
            Type::Reference(reference) => {
                check_reference(reference, faults)?;
                (ParameterKind::Borrowed((*reference.elem).clone()), &*reference.elem)
            }
            _ => (ParameterKind::Owned(given.clone()), given),
        };
        match Unfit::find(part) {
            None => return Some(kind),
            Some(Unfit::ImplTrait) => faults.add(
                given,
                "`impl Trait` makes the function generic, and a generic function cannot be a job; name the type",
            ),
            Some(Unfit::Borrow) => faults.add(
                given,
                "a job owns its arguments, so nothing may be borrowed inside this type; make it an owned one, such as \
                 `Option<String>` for `Option<&str>` (a whole argument may be `&str`, `&[T]` or `&T`)",
            ),
        }
        None
    }
}

fn check_reference(reference: &TypeReference, faults: &mut Faults) -> Option<()> {
    if reference.mutability.is_some() {
        faults.add(
            reference,
            "a job cannot change a value of its caller, because it may run in another process; take the value, and \
             return it changed",
        );
        return None;
    }
    if reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static") {
        faults.add(
            reference,
            "a job cannot lend an argument for `'static`, because it owns the argument and ends; leave `'static` out",
        );
        return None;
    }
    if let Type::TraitObject(_) = bare(&reference.elem) {
        faults.add(
            reference,
            "a job keeps a copy of what it borrows, and of a trait object there is none; take a type with a name, or \
             an enum of those you need",
        );
        return None;
    }
    Some(())
}

fn check_output(output: &ReturnType, faults: &mut Faults) -> Type {
    let ReturnType::Type(_, given) = output else {
        return parse_quote!(());
    };
    if let Type::Never(_) = bare(given) {
        faults.add(given, "a job that never returns has no output; return `()`, and loop until it should stop");
        return parse_quote!(());
    }
    match Unfit::find(given) {
        None => {}
        Some(Unfit::ImplTrait) => faults.add(
            given,
            "a job cannot return `impl Trait`, because what is sent back needs a type with a name; name it, collect an \
             iterator into a `Vec`, and write `async fn` for a future",
        ),
        Some(Unfit::Borrow) => faults.add(
            given,
            "a job cannot return what it borrows, because that stays where the job ran; return an owned value, such \
             as `String` for `&str`",
        ),
    }
    (**given).clone()
}

/// What may stand nowhere inside the type of an argument or output.
enum Unfit {
    Borrow,
    ImplTrait,
}

impl Unfit {
    fn find(given: &Type) -> Option<Self> {
        Self::find_in(given.to_token_stream())
    }

    /// Looks at tokens, because those are few, and syntax trees of types have many branches.
    fn find_in(tokens: TokenStream) -> Option<Self> {
        let mut after_quote = false;
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '&' => return Some(Unfit::Borrow),
                TokenTree::Punct(mark) => {
                    // The length of an array comes after this; it is a number and may hold any operator.
                    if mark.as_char() == ';' {
                        return None;
                    }
                    after_quote = mark.as_char() == '\'';
                }
                TokenTree::Ident(word) => {
                    if after_quote && word != "static" {
                        return Some(Unfit::Borrow);
                    }
                    if !after_quote && word == "impl" {
                        return Some(Unfit::ImplTrait);
                    }
                    after_quote = false;
                }
                // A block is the argument for a `const` parameter.
                TokenTree::Group(group) if group.delimiter() != Delimiter::Brace => {
                    if let Some(unfit) = Self::find_in(group.stream()) {
                        return Some(unfit);
                    }
                }
                TokenTree::Group(_) | TokenTree::Literal(_) => {}
            }
        }
        None
    }
}

/// The type without parentheses, and without the invisible ones that a `macro_rules` variable leaves.
fn bare(given: &Type) -> &Type {
    match given {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        other => other,
    }
}

/// The name of a parameter, or one of its place where the parameter is a pattern. No two fields share one.
fn field(pattern: &Pat, index: usize, names: &mut HashSet<String>) -> Ident {
    let mut name = match pattern {
        Pat::Ident(pattern) => pattern.ident.clone(),
        _ => format_ident!("arg{index}", span = Span::call_site()),
    };
    while !names.insert(name.unraw().to_string()) {
        name = format_ident!("{name}_", span = Span::call_site());
    }
    name
}

/// Everything that is wrong, so that the user sees it at once.
#[derive(Default)]
struct Faults(Option<Error>);

impl Faults {
    fn add(&mut self, place: impl ToTokens, what: &str) {
        let fault = Error::new_spanned(place, what);
        match &mut self.0 {
            Some(faults) => faults.combine(fault),
            None => self.0 = Some(fault),
        }
    }

    fn into_result(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}
