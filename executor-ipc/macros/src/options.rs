//! What is written in the brackets of the attribute.

use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, LitStr, Path, Token, parse_quote};

pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) proxy: Option<Ident>,
    /// Where `executor_ipc` is.
    pub(crate) ipc: Path,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Options { name: None, proxy: None, ipc: parse_quote!(::executor_ipc) };
        while !input.is_empty() {
            if input.peek(Token![crate]) {
                input.parse::<Token![crate]>()?;
                input.parse::<Token![=]>()?;
                options.ipc = input.call(Path::parse_mod_style)?;
            } else {
                let word: Ident = input.parse()?;
                input.parse::<Token![=]>()?;
                if word == "name" {
                    let name: LitStr = input.parse()?;
                    if name.value().trim().is_empty() {
                        return Err(Error::new(name.span(), "the name of a service must not be blank"));
                    }
                    options.name = Some(name);
                } else if word == "proxy" {
                    options.proxy = Some(input.parse()?);
                } else {
                    let what = "a service has the options `name = \"…\"`, `proxy = Name` and `crate = path`";
                    return Err(Error::new(word.span(), what));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}
