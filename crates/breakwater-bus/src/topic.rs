//! Topics: events to everybody, once, in one order.

use std::time::Duration;

use crate::BusError;
use crate::kept::{Follower, Group, Kept, fits};

/// A topic; clones are the same topic.
#[derive(Clone)]
pub struct Topic(Kept);

/// Where an event stands in its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Its place; places rise, and leave gaps.
    pub sequence: u64,
    /// Whether it is new, or was published before under the same id.
    pub new: bool,
}

/// From where on events are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// From the oldest one that is kept.
    Start,
    /// From this place on; one after the last that was seen.
    Sequence(u64),
    /// Only those published from now on.
    Now,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place in the topic.
    pub sequence: u64,
    /// Its id.
    pub id: String,
    /// What its publisher said.
    pub payload: Vec<u8>,
}

impl Topic {
    pub(crate) fn opened(kept: Kept) -> Self {
        Self(kept)
    }

    /// Publishes an event under an id of its own, `chain:blockhash:logindex` for one of a chain; again is nothing new
    /// for as long as the topic keeps it.
    ///
    /// # Errors
    /// [`BusError::Name`] of an id that cannot be carried, [`BusError::TooLarge`], [`BusError::Gone`], or what the
    /// server says.
    pub async fn publish(&self, id: &str, payload: &[u8]) -> Result<Placed, BusError> {
        fits("event", id, payload)?;
        let written = self.0.write(Group::Event, id, payload).await?;
        Ok(Placed { sequence: written.sequence, new: written.new })
    }

    /// Subscribes; every subscriber gets every event.
    ///
    /// # Errors
    /// [`BusError::Gone`], or what the server says.
    pub async fn subscribe(&self, since: Since) -> Result<Events, BusError> {
        let from = match since {
            Since::Start => 1,
            Since::Sequence(sequence) => sequence.max(1),
            Since::Now => self.0.last().await?.saturating_add(1),
        };
        Ok(Events(self.0.follow(Group::Event, from)))
    }

    /// Removes the topic with its events; again is nothing new.
    ///
    /// # Errors
    /// What the server says.
    pub async fn remove(&self) -> Result<(), BusError> {
        self.0.remove().await
    }
}

/// The events of a topic, one after the other.
pub struct Events(Follower);

impl Events {
    /// The next event, or none after `wait`.
    ///
    /// # Errors
    /// [`BusError::Gone`] when the topic was removed, or what the server says.
    pub async fn next(&mut self, wait: Duration) -> Result<Option<Event>, BusError> {
        let record = self.0.next(wait).await?;
        Ok(record.map(|record| Event { sequence: record.sequence, id: record.id, payload: record.bytes }))
    }
}
