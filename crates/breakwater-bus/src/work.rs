//! Jobs that wait, and leases on those that are being done.

use std::time::Duration;

use crate::{BusError, memory, name, nats};

/// A job as it was handed out.
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) bytes: Vec<u8>,
    /// How often it was handed out, this time included.
    pub(crate) count: u32,
    pub(crate) lease: Lease,
}

#[derive(Clone)]
pub(crate) enum Work {
    Memory(memory::Work),
    Nats(nats::Work),
}

impl Work {
    /// Adds a job unless one with this id waits or is being done; says whether it did.
    pub(crate) async fn push(&self, id: &str, bytes: &[u8]) -> Result<bool, BusError> {
        name::id(id)?;
        match self {
            Self::Memory(work) => work.push(id, bytes),
            Self::Nats(work) => work.push(id, bytes).await,
        }
    }

    /// Leases the oldest job that nobody has, or none after `wait`.
    pub(crate) async fn take(&self, wait: Duration) -> Result<Option<Delivery>, BusError> {
        match self {
            Self::Memory(work) => work.take(wait).await,
            Self::Nats(work) => work.take(wait).await,
        }
    }

    pub(crate) async fn remove(&self) -> Result<(), BusError> {
        match self {
            Self::Memory(work) => {
                work.remove();
                Ok(())
            }
            Self::Nats(work) => work.remove().await,
        }
    }
}

#[derive(Clone)]
pub(crate) enum Lease {
    Memory(memory::Lease),
    Nats(nats::Lease),
}

impl Lease {
    /// Begins the lease anew; what the server does not hear is heard the next time.
    pub(crate) async fn renew(&self) {
        match self {
            Self::Memory(lease) => lease.renew(),
            Self::Nats(lease) => lease.renew().await,
        }
    }

    /// The job needs nobody any more.
    pub(crate) async fn done(&self) -> Result<(), BusError> {
        match self {
            Self::Memory(lease) => {
                lease.done();
                Ok(())
            }
            Self::Nats(lease) => lease.done().await,
        }
    }

    /// The job is for another worker, or this one, after `delay`.
    pub(crate) async fn give_back(&self, delay: Duration) -> Result<(), BusError> {
        match self {
            Self::Memory(lease) => {
                lease.give_back(delay);
                Ok(())
            }
            Self::Nats(lease) => lease.give_back(delay).await,
        }
    }
}
