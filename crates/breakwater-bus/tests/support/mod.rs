//! Servers of the tests' own.

use std::time::Duration;

use breakwater_bus::server::{Server, ServerError};
use breakwater_bus::{Bus, Terms};

pub(crate) fn terms() -> Terms {
    Terms { lease: Duration::from_millis(500), deliveries: 3, keep: Duration::from_secs(600) }
}

pub(crate) async fn open(server: &Server) -> Bus {
    Bus::open(&server.url().parse().unwrap()).await.unwrap()
}

/// A server, or none after a printed skip where none is installed.
pub(crate) fn server(test: &str, more: &str) -> Option<Server> {
    match Server::start(more) {
        Ok(server) => Some(server),
        Err(error @ ServerError::NotFound) => {
            println!("SKIPPED 1 test ({test}): {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Long enough for anything that comes at all.
pub(crate) const LONG: Duration = Duration::from_secs(20);
