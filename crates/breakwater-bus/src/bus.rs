//! A bus: what queues and topics are opened on.

use std::time::Duration;

use crate::address::Place;
use crate::kept::Kept;
use crate::memory::Memory;
use crate::nats::Link;
use crate::queue::{Queue, Terms};
use crate::topic::Topic;
use crate::work::Work;
use crate::{BusAddress, BusError, name};

/// A bus; clones are the same bus.
///
/// Two buses opened at `memory:` are two buses; two opened at the same server are one.
#[derive(Clone)]
pub struct Bus(Kind);

#[derive(Clone)]
enum Kind {
    Memory(Memory),
    Nats(Link),
}

impl Bus {
    /// Opens the bus at `address`.
    ///
    /// # Errors
    /// [`BusError::Unreachable`] or [`BusError::Refused`] from a server that is away, has no JetStream, is older than
    /// 2.9 or does not know the credentials.
    pub async fn open(address: &BusAddress) -> Result<Self, BusError> {
        Ok(Self(match &address.place {
            Place::Memory => Kind::Memory(Memory::default()),
            Place::Nats { server, login } => Kind::Nats(Link::open(server, login, address.patience).await?),
        }))
    }

    /// Opens the queue `name`, made if it is not there: what a producer does.
    ///
    /// # Errors
    /// [`BusError::Name`], [`BusError::Terms`], [`BusError::OtherTerms`], or what the server says.
    pub async fn queue(&self, name: &str, terms: &Terms) -> Result<Queue, BusError> {
        name::name(name)?;
        terms.check()?;
        let (kept, work) = match &self.0 {
            Kind::Memory(memory) => {
                let queue = memory.queue(name, terms);
                (Kept::Memory(queue.kept), Work::Memory(queue.work))
            }
            Kind::Nats(link) => {
                let kept = link.kept(link.names_of_queue(name), terms.keep).await?;
                let work = link.work(&kept, terms).await?;
                (Kept::Nats(kept), Work::Nats(work))
            }
        };
        Queue::opened(name, kept, work, terms).await
    }

    /// Joins the queue `name` that a producer has opened: what a worker does.
    ///
    /// # Errors
    /// [`BusError::Gone`] where there is none, or none any more; or what the server says.
    pub async fn join(&self, name: &str) -> Result<Queue, BusError> {
        name::name(name)?;
        let (kept, work) = match &self.0 {
            Kind::Memory(memory) => {
                let queue = memory.joined(name)?;
                (Kept::Memory(queue.kept), Work::Memory(queue.work))
            }
            Kind::Nats(link) => {
                let (kept, work) = link.joined(link.names_of_queue(name)).await?;
                (Kept::Nats(kept), Work::Nats(work))
            }
        };
        Queue::joined(name, kept, work).await
    }

    /// The queues whose names begin with `prefix`, in order: how a worker finds its work.
    ///
    /// # Errors
    /// What the server says.
    pub async fn queues(&self, prefix: &str) -> Result<Vec<String>, BusError> {
        let mut names = match &self.0 {
            Kind::Memory(memory) => memory.queues(),
            Kind::Nats(link) => link.queues().await?,
        };
        names.retain(|name| name.starts_with(prefix));
        names.sort_unstable();
        Ok(names)
    }

    /// Opens the topic `name`, made if it is not there; its events are kept for `keep`, at least a second.
    ///
    /// # Errors
    /// [`BusError::Name`], [`BusError::Terms`], [`BusError::OtherTerms`] where it is kept for another time, or what the server says.
    pub async fn topic(&self, name: &str, keep: Duration) -> Result<Topic, BusError> {
        name::name(name)?;
        if keep < Duration::from_secs(1) {
            return Err(BusError::Terms {
                what: "keeping",
                expected: "at least 1 s",
                got: format!("{keep:?}"),
            });
        }
        let kept = match &self.0 {
            Kind::Memory(memory) => Kept::Memory(memory.topic(name, keep)?),
            Kind::Nats(link) => Kept::Nats(link.kept(link.names_of_topic(name), keep).await?),
        };
        Ok(Topic::opened(kept))
    }
}
