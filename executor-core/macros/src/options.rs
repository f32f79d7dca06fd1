//! What is written in the brackets of `#[job(…)]`.

use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, LitStr, Path, Token, parse_quote};

/// The options, each at most once, in any order.
pub(crate) struct Options {
    /// `name = "…"`.
    pub(crate) name: Option<LitStr>,
    /// `type = Name`.
    pub(crate) type_name: Option<Ident>,
    /// `crate = path`, or where a user's crate finds `executor_core` by itself.
    pub(crate) core: Path,
}

const ALLOWED: &str = "`#[job]` takes `name = \"…\"`, `type = Name` and `crate = path`, each at most once";

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut name = None;
        let mut type_name = None;
        let mut core = None;
        while !input.is_empty() {
            // Two of the words are keywords.
            let option = input.call(Ident::parse_any)?;
            match option.to_string().as_str() {
                "name" => set(&mut name, &option, input, name_of_job)?,
                "type" => set(&mut type_name, &option, input, Ident::parse)?,
                "crate" => set(&mut core, &option, input, path_to_core)?,
                other => return Err(Error::new(option.span(), format!("`{other}` is no option; {ALLOWED}"))),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(Options { name, type_name, core: core.unwrap_or_else(|| parse_quote!(::executor_core)) })
    }
}

fn set<T>(
    place: &mut Option<T>,
    option: &Ident,
    input: ParseStream<'_>,
    read: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<()> {
    if place.is_some() {
        return Err(Error::new(option.span(), format!("`{option}` is given twice; {ALLOWED}")));
    }
    if !input.peek(Token![=]) {
        return Err(Error::new(option.span(), format!("`{option}` needs a value; {ALLOWED}")));
    }
    input.parse::<Token![=]>()?;
    *place = Some(read(input)?);
    Ok(())
}

fn name_of_job(input: ParseStream<'_>) -> syn::Result<LitStr> {
    let name: LitStr = input.parse()?;
    if name.value().trim().is_empty() {
        return Err(Error::new(name.span(), "the name of a job must not be blank; leave it out for the default"));
    }
    Ok(name)
}

fn path_to_core(input: ParseStream<'_>) -> syn::Result<Path> {
    let path = Path::parse_mod_style(input)?;
    // The path goes to serde's derive too, as a text, in which `$crate` means nothing.
    if quote!(#path).to_string().contains("$crate") {
        return Err(Error::new_spanned(path, "`$crate` cannot stand here; write the path out, beginning with `::`"));
    }
    Ok(path)
}
