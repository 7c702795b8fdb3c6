//! Reading a stream in order, without a gap.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::stream::ConsumerErrorKind;
use futures_util::StreamExt;
use tokio::time::Instant;

use super::kept::Kept;
use super::link::Trouble;
use super::parts;
use crate::BusError;
use crate::kept::Record;

/// How many messages are asked for at once.
const BATCH: usize = 64;
/// The longest single wait for a message.
const SLICE: Duration = Duration::from_secs(2);
/// What a server that is slow to say that nothing came gets on top.
const GRACE: Duration = Duration::from_secs(1);
/// A reader that asks for nothing for this long is forgotten by the server, and made again when it asks.
const IDLE: Duration = Duration::from_secs(60);

/// A reader of records.
///
/// The server counts what it hands to a reader; a message that was lost on the way shows as a gap in that count, and
/// the reader begins again behind the last one it has.
pub(crate) struct Follower {
    kept: Kept,
    filter: String,
    next: u64,
    reader: Option<Reader>,
    buffer: VecDeque<Message>,
}

struct Reader {
    consumer: Consumer<pull::Config>,
    handed: u64,
}

impl Follower {
    pub(super) fn new(kept: Kept, filter: String, from: u64) -> Self {
        Self { kept, filter, next: from, reader: None, buffer: VecDeque::new() }
    }

    pub(crate) async fn next(&mut self, wait: Duration) -> Result<Option<Record>, BusError> {
        let end = Instant::now() + wait;
        loop {
            // The message leaves the buffer after it was read whole, so that a future that is dropped loses nothing.
            if let Some(message) = self.buffer.front() {
                let sequence = sequences(message).map_or(self.next, |(stream, _)| stream);
                let (link, names) = (&self.kept.link, &self.kept.names);
                let bytes = parts::join(link, names, message.headers.as_ref(), &message.payload).await?;
                let id = message.subject.rsplit('.').next().unwrap_or_default().to_owned();
                self.buffer.pop_front();
                return Ok(Some(Record { sequence, id, bytes }));
            }
            let left = end.saturating_duration_since(Instant::now());
            let asked = Instant::now();
            self.fill(left.min(SLICE)).await?;
            if self.buffer.is_empty() && (left.is_zero() || asked.elapsed() >= left) {
                return Ok(None);
            }
        }
    }

    /// Asks once; a server that is away is waited for.
    async fn fill(&mut self, wait: Duration) -> Result<(), BusError> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader { consumer: self.consumer().await?, handed: 0 },
        };
        let mut whole = self.receive(&mut reader, None).await;
        if whole && self.buffer.is_empty() && !wait.is_zero() {
            whole = self.receive(&mut reader, Some(wait)).await;
        }
        if whole && (!self.buffer.is_empty() || self.still_there(&reader).await?) {
            self.reader = Some(reader);
        } else {
            let (link, names) = (&self.kept.link, &self.kept.names);
            link.insist("look for a stream", || link.there(names, &names.kept)).await?;
        }
        Ok(())
    }

    /// Takes what comes; says whether the reader can go on.
    async fn receive(&mut self, reader: &mut Reader, wait: Option<Duration>) -> bool {
        let batch = match wait {
            Some(wait) => reader.consumer.batch().max_messages(1).expires(wait).messages().await,
            None => reader.consumer.fetch().max_messages(BATCH).messages().await,
        };
        let Ok(mut batch) = batch else {
            return false;
        };
        let limit = Instant::now() + wait.unwrap_or(SLICE) + GRACE;
        loop {
            match tokio::time::timeout_at(limit, batch.next()).await {
                Ok(Some(Ok(message))) => {
                    let Some((stream, handed)) = sequences(&message) else {
                        return false;
                    };
                    if handed != reader.handed + 1 {
                        return false;
                    }
                    reader.handed = handed;
                    self.next = stream + 1;
                    self.buffer.push_back(message);
                }
                Ok(None) => return true,
                Ok(Some(Err(_))) | Err(_) => return false,
            }
        }
    }

    async fn still_there(&self, reader: &Reader) -> Result<bool, BusError> {
        let Kept { link, names } = &self.kept;
        let subject = format!("CONSUMER.INFO.{}.{}", names.kept, reader.consumer.cached_info().name);
        match link.ask::<serde_json::Value>(names, subject).await {
            Ok(_) => Ok(true),
            Err(Trouble::Passing(_) | Trouble::Lasting(BusError::Gone { .. })) => Ok(false),
            Err(Trouble::Lasting(error)) => Err(error),
        }
    }

    async fn consumer(&self) -> Result<Consumer<pull::Config>, BusError> {
        let Kept { link, names } = &self.kept;
        let stream = parts::handle(link, &names.kept).await?;
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.next },
            ack_policy: AckPolicy::None,
            filter_subject: self.filter.clone(),
            inactive_threshold: IDLE,
            memory_storage: true,
            ..pull::Config::default()
        };
        link.insist("make a reader", || async {
            stream.create_consumer(config.clone()).await.map_err(|error| match error.kind() {
                ConsumerErrorKind::JetStream(told) => {
                    link.judge(names, "make a reader", told.error_code(), told.to_string())
                }
                _ => Trouble::Passing(error.to_string()),
            })
        })
        .await
    }
}

/// The places of a message in its stream and in what the reader was handed.
fn sequences(message: &Message) -> Option<(u64, u64)> {
    message.info().ok().map(|info| (info.stream_sequence, info.consumer_sequence))
}
