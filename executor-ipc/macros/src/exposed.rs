//! The functions of the block that clients can call, checked for what cannot be called from elsewhere.

use proc_macro2::Span;
use quote::{ToTokens, format_ident};
use syn::{
    Attribute, Error, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, ReturnType, Safety, Type, Visibility, parse_quote,
};

/// What the proxy is made of.
pub(crate) struct Exposed<'a> {
    pub(crate) service: &'a Type,
    /// The name of the type.
    pub(crate) ident: &'a Ident,
    pub(crate) constructors: Vec<Function<'a>>,
    pub(crate) methods: Vec<Function<'a>>,
}

pub(crate) struct Function<'a> {
    pub(crate) vis: &'a Visibility,
    pub(crate) ident: &'a Ident,
    pub(crate) docs: Vec<&'a Attribute>,
    pub(crate) parameters: Vec<Parameter<'a>>,
    pub(crate) output: Type,
}

pub(crate) struct Parameter<'a> {
    /// What it is called in the proxy.
    pub(crate) name: Ident,
    /// A local of the generated code, invisible to the user's names.
    pub(crate) local: Ident,
    pub(crate) given: &'a Type,
    /// `T` of `&T`.
    pub(crate) borrowed: Option<&'a Type>,
}

impl<'a> Exposed<'a> {
    /// Reads the block, or gives every reason why it cannot be a service.
    pub(crate) fn check(block: &'a ItemImpl) -> syn::Result<Self> {
        let mut faults = Faults::default();
        if let Some((path, ..)) = &block.trait_ {
            faults.add(
                path,
                "a service is an `impl` block of the type itself; write functions that call those of the trait",
            );
        }
        if !block.generics.params.is_empty() {
            faults.add(
                &block.generics,
                "a generic type cannot be a service, because the server must know every service before it starts; \
                 write a newtype for the one you use",
            );
        }
        let ident = match &*block.self_ty {
            Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
            _ => None,
        };
        let (mut constructors, mut methods) = (Vec::new(), Vec::new());
        for item in &block.items {
            let ImplItem::Fn(function) = item else { continue };
            if matches!(function.vis, Visibility::Inherited) {
                continue;
            }
            match function.sig.inputs.first() {
                Some(FnArg::Receiver(_)) => methods.extend(Function::check(function, &mut faults)),
                _ if makes_self(function, ident) => constructors.extend(Function::check(function, &mut faults)),
                _ => {}
            }
        }
        let Some(ident) = ident else {
            faults.add(&block.self_ty, "a service is a type with a name");
            return Err(faults.into_error());
        };
        if constructors.is_empty() && faults.0.is_none() {
            faults.add(ident, "a service needs a constructor, which the server can call: a `pub` function without `self` that returns `Self`");
        }
        if faults.0.is_some() {
            return Err(faults.into_error());
        }
        Ok(Exposed { service: &block.self_ty, ident, constructors, methods })
    }
}

/// True if a function without `self` returns the type.
fn makes_self(function: &ImplItemFn, ident: Option<&Ident>) -> bool {
    match &function.sig.output {
        ReturnType::Type(_, given) => match &**given {
            Type::Path(path) => path.path.get_ident().is_some_and(|made| made == "Self" || Some(made) == ident),
            _ => false,
        },
        ReturnType::Default => false,
    }
}

impl<'a> Function<'a> {
    fn check(function: &'a ImplItemFn, faults: &mut Faults) -> Option<Self> {
        let signature = &function.sig;
        let before = faults.1;
        if let Some(token) = &signature.asyncness {
            faults.add(token, "a method of a service runs on a thread of the server and cannot be `async`; block in it, or leave `pub` out");
        }
        if let Safety::Unsafe(token) = &signature.safety {
            faults.add(
                token,
                "an `unsafe` function cannot be exposed, because no client can promise what its caller must",
            );
        }
        if !signature.generics.params.is_empty() {
            faults.add(
                &signature.generics,
                "a generic function cannot be exposed, because the server must know every one before it starts",
            );
        }
        let mut parameters = Vec::new();
        for (index, input) in signature.inputs.iter().enumerate() {
            match input {
                FnArg::Receiver(receiver) => {
                    let is_shared = receiver.to_token_stream().to_string().replace(' ', "") == "&self";
                    if !is_shared {
                        faults.add(receiver, "a method of a service takes `&self`, because several clients call it at once; put what changes \
                             behind a `Mutex` or make it atomic, or leave `pub` out");
                    }
                }
                FnArg::Typed(parameter) => {
                    parameters.push(Parameter::check(&parameter.pat, &parameter.ty, index, faults))
                }
            }
        }
        let output = match &signature.output {
            ReturnType::Default => parse_quote!(()),
            ReturnType::Type(_, given) => {
                if matches!(**given, Type::Reference(_) | Type::ImplTrait(_)) {
                    faults.add(
                        given,
                        "what a method returns goes to another process; return a value of a type with a name",
                    );
                }
                (**given).clone()
            }
        };
        let docs = function.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")).collect();
        (faults.1 == before).then_some(Function {
            vis: &function.vis,
            ident: &signature.ident,
            docs,
            parameters,
            output,
        })
    }
}

impl<'a> Parameter<'a> {
    fn check(pattern: &syn::Pat, given: &'a Type, index: usize, faults: &mut Faults) -> Self {
        let name = match pattern {
            syn::Pat::Ident(pattern) => pattern.ident.clone(),
            _ => format_ident!("arg{index}", span = Span::call_site()),
        };
        let borrowed = match given {
            Type::Reference(reference) if reference.mutability.is_some() => {
                faults.add(
                    reference,
                    "a method cannot change a value of its caller, which is in another process; return it changed",
                );
                None
            }
            Type::Reference(reference) => Some(&*reference.elem),
            Type::ImplTrait(_) => {
                faults.add(given, "`impl Trait` makes the function generic, and it cannot be exposed; name the type");
                None
            }
            _ => None,
        };
        let local = Ident::new(&format!("argument_{index}"), Span::mixed_site());
        Parameter { name, local, given, borrowed }
    }
}

/// Everything that is wrong, so that the user sees it at once; and how much that is.
#[derive(Default)]
struct Faults(Option<Error>, usize);

impl Faults {
    fn add(&mut self, place: impl ToTokens, what: &str) {
        let fault = Error::new_spanned(place, what);
        self.1 += 1;
        match &mut self.0 {
            Some(faults) => faults.combine(fault),
            None => self.0 = Some(fault),
        }
    }

    fn into_error(self) -> Error {
        self.0.unwrap_or_else(|| Error::new(Span::call_site(), "this cannot be a service"))
    }
}
