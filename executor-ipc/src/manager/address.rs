//! [`Address`].

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a manager listens: `127.0.0.1:5000`, `[::1]:5000`, `host:5000`, or `unix:/path/to/socket`.
///
/// # Examples
///
/// ```
/// use executor_ipc::manager::Address;
///
/// let address: Address = "unix:/run/board.socket".parse()?;
/// assert_eq!(address.to_string(), "unix:/run/board.socket");
/// let address: Address = "127.0.0.1:5000".parse()?;
/// assert_eq!(address, Address::Tcp("127.0.0.1:5000".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Address {
    /// A port of a machine.
    Tcp(SocketAddr),
    /// The file of a Unix socket, of at most 107 bytes.
    Unix(PathBuf),
}

/// A text is no address of a manager.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address: write `host:port` or `unix:/path`")]
pub struct ParseAddressError {
    text: String,
}

impl FromStr for Address {
    type Err = ParseAddressError;

    /// Looks the host up, which may take a while, and takes its first address.
    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Address::Unix(path.into()));
        }
        let address = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
        address.map(Address::Tcp).ok_or_else(|| ParseAddressError { text: text.to_owned() })
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Address::Tcp(address)
    }
}

impl From<PathBuf> for Address {
    fn from(path: PathBuf) -> Self {
        Address::Unix(path)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
