//! [`Marker`]: the variable that tells a process what it was started for.

use std::io;
use std::str::FromStr;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{Pid, getpid, getppid};

/// The name of the variable.
pub(crate) const VARIABLE: &str = "EXECUTOR_PROCESS_START";

/// What a process was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// To fork workers on request.
    Server,
    /// To be a worker.
    Worker,
}

/// What the variable says.
///
/// It begins with the version of this crate: two versions of it in one program each start workers of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    /// What for.
    pub(crate) role: Role,
    /// The process that started this one.
    pub(crate) owner: Pid,
}

impl Marker {
    /// A marker for a process that this one starts.
    pub(crate) fn for_child(role: Role) -> Marker {
        Marker { role, owner: getpid() }
    }

    /// The text of the variable.
    pub(crate) fn text(&self) -> String {
        let role = match self.role {
            Role::Server => "server",
            Role::Worker => "worker",
        };
        format!("{} {role} {}", env!("CARGO_PKG_VERSION"), self.owner)
    }

    /// The marker of this process, if there is one and its owner really started this process.
    pub(crate) fn received() -> Option<Marker> {
        Marker::present().filter(Marker::is_genuine)
    }

    /// True if this process was started as a worker and nobody made it one: a marker that strayed does not count.
    pub(crate) fn was_missed() -> bool {
        Marker::present().is_some_and(|marker| marker.owner == getppid() || marker.is_genuine())
    }

    fn present() -> Option<Marker> {
        std::env::var_os(VARIABLE)?.to_str()?.parse().ok()
    }

    /// Standard input is a socket that the owner has made.
    fn is_genuine(&self) -> bool {
        getsockopt(&io::stdin(), PeerCredentials).is_ok_and(|peer| peer.pid() == self.owner.as_raw())
    }
}

impl FromStr for Marker {
    type Err = ();

    fn from_str(text: &str) -> Result<Marker, ()> {
        let mut words = text.split(' ');
        if words.next() != Some(env!("CARGO_PKG_VERSION")) {
            return Err(());
        }
        let role = match words.next() {
            Some("server") => Role::Server,
            Some("worker") => Role::Worker,
            _ => return Err(()),
        };
        let owner = words.next().and_then(|word| word.parse().ok()).filter(|pid| *pid > 0).ok_or(())?;
        if words.next().is_some() {
            return Err(());
        }
        Ok(Marker { role, owner: Pid::from_raw(owner) })
    }
}

#[cfg(test)]
mod tests {
    use super::{Marker, Role};

    #[test]
    fn what_is_written_is_read() {
        for role in [Role::Server, Role::Worker] {
            let marker = Marker::for_child(role);
            assert_eq!(marker.text().parse(), Ok(marker));
        }
    }

    #[test]
    fn anything_else_is_no_marker() {
        let version = env!("CARGO_PKG_VERSION");
        for text in ["", "1", "9.9.9 worker 1", "worker 1"] {
            assert_eq!(text.parse::<Marker>(), Err(()), "{text:?}");
        }
        for rest in ["", " worker", " worker x", " worker 0", " worker -1", " king 1", " worker 1 2", "  worker 1"] {
            let text = format!("{version}{rest}");
            assert_eq!(text.parse::<Marker>(), Err(()), "{text:?}");
        }
    }

    #[test]
    fn a_marker_without_its_socket_is_not_genuine() {
        assert!(!Marker::for_child(Role::Worker).is_genuine());
    }
}
