//! Where a bus is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::BusError;

const EXPECTED: &str = "memory:, nats://host:port or tls://host:port";

/// The address of a bus; credentials in it are used and never shown.
///
/// `memory:` is in this process.
/// `nats://` and `tls://` name a NATS server with JetStream, 2.9 or newer, and may carry `user:password@` or `token@`.
/// The authorities that `tls://` trusts are the system's; `SSL_CERT_FILE` names others.
#[derive(Clone, PartialEq, Eq)]
pub struct BusAddress {
    pub(crate) place: Place,
    pub(crate) patience: Duration,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Memory,
    Nats { server: String, login: Login },
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    None,
    Token(String),
    User { name: String, password: String },
}

impl BusAddress {
    /// In this process.
    #[must_use]
    pub fn memory() -> Self {
        Self { place: Place::Memory, patience: Duration::from_secs(60) }
    }

    /// How long a server that was reached once may be away before an operation fails; a minute unless told.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Whether other processes can reach it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.place != Place::Memory
    }
}

impl FromStr for BusAddress {
    type Err = BusError;

    fn from_str(text: &str) -> Result<Self, BusError> {
        if matches!(text, "memory" | "memory:") {
            return Ok(Self::memory());
        }
        // What does not parse is not repeated: it may hold a password.
        let refused = |got: String| BusError::Address { expected: EXPECTED, got };
        let url = Url::parse(text).map_err(|error| refused(format!("what is no URL ({error})")))?;
        if !matches!(url.scheme(), "nats" | "tls") {
            return Err(refused(format!("{}:", url.scheme())));
        }
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            return Err(refused(format!("{}:// without a host", url.scheme())));
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(refused(format!("{}://{host} with more behind it", url.scheme())));
        }
        let server = format!("{}://{host}:{}", url.scheme(), url.port().unwrap_or(4222));
        let word = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let login = match (url.username(), url.password()) {
            ("", None) => Login::None,
            (token, None) => Login::Token(word(token)),
            (name, Some(password)) => Login::User { name: word(name), password: word(password) },
        };
        Ok(Self { place: Place::Nats { server, login }, ..Self::memory() })
    }
}

impl fmt::Display for BusAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Memory => formatter.write_str("memory:"),
            Place::Nats { server, .. } => formatter.write_str(server),
        }
    }
}

impl fmt::Debug for BusAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BusAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_and_not_shown() {
        let address: BusAddress = "nats://bob:s%40cret@example.org".parse().unwrap();
        assert_eq!(address.to_string(), "nats://example.org:4222");
        assert_eq!(format!("{address:?}"), "BusAddress(nats://example.org:4222)");
        let Place::Nats { login: Login::User { name, password }, .. } = &address.place else {
            panic!("a user was named");
        };
        assert_eq!((name.as_str(), password.as_str()), ("bob", "s@cret"));
        let token: BusAddress = "tls://t0ken@10.0.0.1:99".parse().unwrap();
        assert_eq!(format!("{token} {token:?}"), "tls://10.0.0.1:99 BusAddress(tls://10.0.0.1:99)");
        assert!(matches!(token.place, Place::Nats { login: Login::Token(token), .. } if token == "t0ken"));
    }

    #[test]
    fn other_addresses_are_refused_without_repeating_them() {
        for bad in [
            "",
            "http://u:secret@h",
            "nats://",
            "nats://u:secret@h/x",
            "nats://u:secret@h:1?y=1",
            "u:secret@h",
        ] {
            let error = bad.parse::<BusAddress>().unwrap_err().to_string();
            assert!(error.contains("expected memory:"), "{bad}: {error}");
            assert!(!error.contains("secret"), "{bad}: {error}");
        }
        assert_eq!("memory:".parse::<BusAddress>().unwrap(), BusAddress::memory());
        assert!(!BusAddress::memory().is_shared());
        assert!("nats://[::1]:4222".parse::<BusAddress>().unwrap().is_shared());
    }
}
