//! Jobs in a stream with work-queue retention.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::stream::{Config, ConsumerErrorKind, RetentionPolicy};
use async_nats::jetstream::{AckKind, Message};
use futures_util::StreamExt;
use tokio::time::Instant;

use super::kept::{Kept, stream};
use super::link::{Link, Names, Trouble};
use super::parts;
use crate::work::Delivery;
use crate::{BusError, Terms, work};

const WORKERS: &str = "workers";
/// The longest single wait for a job.
const SLICE: Duration = Duration::from_secs(2);
/// The shortest: the server takes none for for ever.
const SHORTEST: Duration = Duration::from_millis(1);
/// What a server that is slow to say that nothing came gets on top.
const GRACE: Duration = Duration::from_secs(1);

/// Jobs in a stream.
#[derive(Clone)]
pub(crate) struct Work {
    link: Link,
    names: Names,
    consumer: Consumer<pull::Config>,
}

impl Link {
    /// The stream of jobs and the workers' consumer, made if they are not there.
    pub(crate) async fn work(&self, kept: &Kept, terms: &Terms) -> Result<Work, BusError> {
        let names = kept.names.clone();
        let config = Config {
            name: names.work.clone(),
            subjects: vec![format!("{}.work.*", names.root)],
            retention: RetentionPolicy::WorkQueue,
            ..stream(terms.keep)
        };
        self.made(&names, config).await?;
        let config = pull::Config {
            durable_name: Some(WORKERS.to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: terms.lease,
            // The bus counts deliveries itself: a server that stops delivering tells nobody reliably.
            max_deliver: -1,
            max_ack_pending: -1,
            ..pull::Config::default()
        };
        let stream = parts::handle(self, &names.work).await?;
        let consumer = self
            .insist("make a consumer", || async {
                let made = stream.create_consumer(config.clone()).await;
                made.map_err(|error| self.consumer_trouble(&names, error.kind(), &error.to_string()))
            })
            .await?;
        Ok(Work { link: self.clone(), names, consumer })
    }

    /// The stream of jobs and the workers' consumer, which must be there.
    pub(super) async fn existing_work(&self, kept: &Kept) -> Result<Work, BusError> {
        let names = kept.names.clone();
        let stream = parts::handle(self, &names.work).await?;
        let found = self.insist("find a consumer", || async {
            let subject = format!("CONSUMER.INFO.{}.{WORKERS}", names.work);
            self.ask::<serde_json::Value>(&names, subject).await?;
            stream.get_consumer(WORKERS).await.map_err(|error| Trouble::Passing(error.to_string()))
        });
        let consumer = found.await?;
        Ok(Work { link: self.clone(), names, consumer })
    }

    fn consumer_trouble(&self, names: &Names, kind: ConsumerErrorKind, said: &str) -> Trouble {
        match kind {
            ConsumerErrorKind::JetStream(told) => {
                self.judge(names, "make a consumer", told.error_code(), told.to_string())
            }
            _ => Trouble::Passing(said.to_owned()),
        }
    }
}

impl Work {
    pub(crate) async fn push(&self, id: &str, bytes: &[u8]) -> Result<bool, BusError> {
        let (link, names) = (&self.link, &self.names);
        let head = parts::split(link, names, bytes).await?;
        let subject = format!("{}.work.{id}", names.root);
        let placed = link
            .insist("publish a job", || {
                link.publish_first(names, &names.work, &subject, head.headers.clone(), head.payload.clone())
            })
            .await?;
        Ok(placed.is_some())
    }

    pub(crate) async fn take(&self, wait: Duration) -> Result<Option<Delivery>, BusError> {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if let Some(message) = self.ask_once(left.clamp(SHORTEST, SLICE)).await? {
                return self.delivery(message).await.map(Some);
            }
            if Instant::now() >= end {
                return Ok(None);
            }
        }
    }

    pub(crate) async fn remove(&self) -> Result<(), BusError> {
        self.link.remove(&self.names, &self.names.work).await
    }

    /// Asks once; where nothing comes the consumer is looked for, and a server that is away is waited for.
    async fn ask_once(&self, wait: Duration) -> Result<Option<Message>, BusError> {
        if let Ok(mut batch) = self.consumer.batch().max_messages(1).expires(wait).messages().await
            && let Ok(Some(Ok(message))) = tokio::time::timeout(wait + GRACE, batch.next()).await
        {
            return Ok(Some(message));
        }
        let subject = format!("CONSUMER.INFO.{}.{WORKERS}", self.names.work);
        let link = &self.link;
        link.insist("look for jobs", || link.ask::<serde_json::Value>(&self.names, subject.clone())).await?;
        Ok(None)
    }

    async fn delivery(&self, message: Message) -> Result<Delivery, BusError> {
        let bytes = parts::join(&self.link, &self.names, message.headers.as_ref(), &message.payload).await?;
        let id = message.subject.rsplit('.').next().unwrap_or_default().to_owned();
        let count = message.info().map_or(1, |info| u32::try_from(info.delivered).unwrap_or(u32::MAX));
        let lease = work::Lease::Nats(Lease { link: self.link.clone(), message });
        Ok(Delivery { id, bytes, count, lease })
    }
}

/// A job that somebody has.
#[derive(Clone)]
pub(crate) struct Lease {
    link: Link,
    message: Message,
}

impl Lease {
    pub(crate) async fn renew(&self) {
        if let Err(error) = self.message.ack_with(AckKind::Progress).await {
            tracing::debug!(%error, "a lease was not renewed");
        }
    }

    pub(crate) async fn done(&self) -> Result<(), BusError> {
        self.tell("acknowledge a job", AckKind::Ack).await
    }

    pub(crate) async fn give_back(&self, delay: Duration) -> Result<(), BusError> {
        self.tell("give a job back", AckKind::Nak(Some(delay))).await
    }

    async fn tell(&self, doing: &str, kind: AckKind) -> Result<(), BusError> {
        let told = self.link.insist(doing, || async {
            self.message.double_ack_with(kind).await.map_err(|error| Trouble::Passing(error.to_string()))
        });
        told.await
    }
}
