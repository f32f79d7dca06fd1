//! [`Object`]: what a server keeps for its clients.

use std::fmt::Debug;

use super::visit::Visit;
use crate::manager::wire::Fault;

/// A dictionary, a queue, a service. Several connections call it at once.
pub(crate) trait Object: Send + Sync + Debug {
    /// What proxies of it are called, `"dict"`; for a service, its name.
    fn kind(&self) -> &str;

    /// Does what `arguments` say, and gives the answer to `visit`.
    fn call(&self, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault>;
}
