//! Records that are written once under their id and can be read again in the order in which they came.

use std::time::Duration;

use crate::{BusError, LARGEST, memory, name, nats};

/// What a record is; records of different groups share no ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    /// The terms of a queue.
    Terms,
    /// The answer to a job.
    Outcome,
    /// Something that many jobs need.
    File,
    /// An event of a topic.
    Event,
}

impl Group {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Terms => "terms",
            Self::Outcome => "outcome",
            Self::File => "file",
            Self::Event => "event",
        }
    }
}

/// A record as it is read.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) sequence: u64,
    pub(crate) id: String,
    pub(crate) bytes: Vec<u8>,
}

/// Where a record stands, and whether it stood there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) sequence: u64,
    pub(crate) new: bool,
}

#[derive(Clone)]
pub(crate) enum Kept {
    Memory(memory::Kept),
    Nats(nats::Kept),
}

impl Kept {
    /// Writes the record unless there is one under this id.
    pub(crate) async fn write(&self, group: Group, id: &str, bytes: &[u8]) -> Result<Written, BusError> {
        name::id(id)?;
        match self {
            Self::Memory(kept) => kept.write(group, id, bytes),
            Self::Nats(kept) => kept.write(group, id, bytes).await,
        }
    }

    pub(crate) async fn read(&self, group: Group, id: &str) -> Result<Option<Vec<u8>>, BusError> {
        name::id(id)?;
        match self {
            Self::Memory(kept) => kept.read(group, id),
            Self::Nats(kept) => kept.read(group, id).await,
        }
    }

    pub(crate) async fn holds(&self, group: Group, id: &str) -> Result<bool, BusError> {
        name::id(id)?;
        match self {
            Self::Memory(kept) => Ok(kept.read(group, id)?.is_some()),
            Self::Nats(kept) => kept.holds(group, id).await,
        }
    }

    /// The sequence of the newest record, 0 before the first.
    pub(crate) async fn last(&self) -> Result<u64, BusError> {
        match self {
            Self::Memory(kept) => kept.last(),
            Self::Nats(kept) => kept.last().await,
        }
    }

    /// Reads the group's records from sequence `from` on.
    pub(crate) fn follow(&self, group: Group, from: u64) -> Follower {
        match self {
            Self::Memory(kept) => Follower::Memory(kept.follow(group, from)),
            Self::Nats(kept) => Follower::Nats(kept.follow(group, from)),
        }
    }

    pub(crate) async fn remove(&self) -> Result<(), BusError> {
        match self {
            Self::Memory(kept) => {
                kept.remove();
                Ok(())
            }
            Self::Nats(kept) => kept.remove().await,
        }
    }
}

pub(crate) enum Follower {
    Memory(memory::Follower),
    Nats(nats::Follower),
}

impl Follower {
    /// The next record, or none after `wait`.
    pub(crate) async fn next(&mut self, wait: Duration) -> Result<Option<Record>, BusError> {
        match self {
            Self::Memory(follower) => follower.next(wait).await,
            Self::Nats(follower) => follower.next(wait).await,
        }
    }
}

/// Refuses what is too large for the bus.
pub(crate) fn fits(what: &str, id: &str, bytes: &[u8]) -> Result<(), BusError> {
    if bytes.len() > LARGEST {
        return Err(BusError::TooLarge { what: format!("{what} {id}"), most: LARGEST, got: bytes.len() });
    }
    Ok(())
}
