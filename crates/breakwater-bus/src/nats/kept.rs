//! Records in a stream.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};

use super::follow::Follower;
use super::link::{Link, Names, Trouble};
use super::parts;
use super::work::Work;
use crate::BusError;
use crate::kept::{Group, Written};

/// Records in a stream.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(super) link: Link,
    pub(super) names: Names,
}

impl Link {
    /// The stream of records, made if it is not there.
    pub(crate) async fn kept(&self, names: Names, keep: Duration) -> Result<Kept, BusError> {
        let config = Config {
            name: names.kept.clone(),
            subjects: vec![format!("{}.kept.>", names.root)],
            retention: RetentionPolicy::Limits,
            ..stream(keep)
        };
        self.made(&names, config).await?;
        Ok(Kept { link: self.clone(), names })
    }

    /// Both halves of a queue that is there.
    pub(crate) async fn joined(&self, names: Names) -> Result<(Kept, Work), BusError> {
        let kept = Kept { link: self.clone(), names };
        let work = self.existing_work(&kept).await?;
        Ok((kept, work))
    }

    /// Makes a stream; one that is there with the same settings is as good.
    pub(super) async fn made(&self, names: &Names, config: Config) -> Result<(), BusError> {
        let made = self.insist("make a stream", || async {
            let asked = self.context().request(format!("STREAM.CREATE.{}", config.name), &config).await;
            match asked.map_err(|error| Trouble::Passing(error.to_string()))? {
                async_nats::jetstream::response::Response::Ok(made) => Ok::<Info, _>(made),
                async_nats::jetstream::response::Response::Err { error } => Err(match error.error_code() {
                    ErrorCode::STREAM_NAME_EXIST => Trouble::Lasting(BusError::OtherTerms {
                        name: names.name.clone(),
                        expected: format!("kept for {:?}", config.max_age),
                        got: error.to_string(),
                    }),
                    code => self.judge(names, "make a stream", code, error.to_string()),
                }),
            }
        });
        made.await.map(drop)
    }
}

/// What all streams have in common.
pub(super) fn stream(keep: Duration) -> Config {
    Config {
        storage: StorageType::File,
        // A full disk is an error to whoever writes, and no loss to whoever wrote.
        discard: DiscardPolicy::New,
        max_age: keep,
        max_messages: -1,
        max_bytes: -1,
        max_consumers: -1,
        max_messages_per_subject: -1,
        num_replicas: 1,
        // Ids are compared for ever, so the server's own memory of them need not be long.
        duplicate_window: Duration::from_secs(1),
        ..Config::default()
    }
}

impl Kept {
    pub(crate) async fn write(&self, group: Group, id: &str, bytes: &[u8]) -> Result<Written, BusError> {
        let head = parts::split(&self.link, &self.names, bytes).await?;
        let subject = self.subject(group, id);
        let (link, names) = (&self.link, &self.names);
        let placed = link
            .insist("write a record", || {
                link.publish_first(names, &names.kept, &subject, head.headers.clone(), head.payload.clone())
            })
            .await?;
        if let Some(sequence) = placed {
            return Ok(Written { sequence, new: true });
        }
        match self.head(group, id).await? {
            Some(first) => Ok(Written { sequence: first.sequence, new: false }),
            None => Err(BusError::Malformed {
                what: format!("{} {id} of {}", group.word(), self.names.name),
                expected: "the record that was written first",
                got: "none".to_owned(),
            }),
        }
    }

    pub(crate) async fn read(&self, group: Group, id: &str) -> Result<Option<Vec<u8>>, BusError> {
        match self.head(group, id).await? {
            Some(head) => {
                parts::join(&self.link, &self.names, Some(&head.headers), &head.payload).await.map(Some)
            }
            None => Ok(None),
        }
    }

    pub(crate) async fn holds(&self, group: Group, id: &str) -> Result<bool, BusError> {
        self.head(group, id).await.map(|head| head.is_some())
    }

    pub(crate) async fn last(&self) -> Result<u64, BusError> {
        let info =
            self.link.insist("ask for the newest record", || self.link.there(&self.names, &self.names.kept));
        Ok(info.await?.state.last_sequence)
    }

    pub(crate) fn follow(&self, group: Group, from: u64) -> Follower {
        Follower::new(self.clone(), format!("{}.kept.{}.*", self.names.root, group.word()), from)
    }

    pub(crate) async fn remove(&self) -> Result<(), BusError> {
        self.link.remove(&self.names, &self.names.kept).await
    }

    async fn head(&self, group: Group, id: &str) -> Result<Option<StreamMessage>, BusError> {
        let stream = parts::handle(&self.link, &self.names.kept).await?;
        let (link, names) = (&self.link, &self.names);
        link.insist("read a record", || parts::last(link, names, &stream, self.subject(group, id))).await
    }

    fn subject(&self, group: Group, id: &str) -> String {
        format!("{}.kept.{}.{id}", self.names.root, group.word())
    }
}
