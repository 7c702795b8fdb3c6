//! The connection to a server, and what its answers mean.

use std::future::Future;
use std::time::Duration;

use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{Context, ErrorCode, stream};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, HeaderMap};
use bytes::Bytes;
use futures_util::TryStreamExt;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::BusError;
use crate::address::Login;

/// One attempt is given up after this long; there may be more.
const ATTEMPT: Duration = Duration::from_secs(4);
/// What a server gets at least to answer, however impatient its caller.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(250);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Room for the headers and the subject of a message beside its payload.
const ENVELOPE: usize = 2048;

const QUEUE: &str = "breakwater-queue-";
const KEPT: &str = "-kept";

/// Why an attempt failed.
pub(crate) enum Trouble {
    /// It may pass: the server is away, starts, or is slow.
    Passing(String),
    /// It stays.
    Lasting(BusError),
}

/// A connection to a server; clones are the same connection.
#[derive(Clone)]
pub(crate) struct Link {
    context: Context,
    address: String,
    patience: Duration,
}

/// What a queue or topic is called on the server.
#[derive(Clone)]
pub(crate) struct Names {
    /// Its own name.
    pub(crate) name: String,
    /// The stream of records.
    pub(crate) kept: String,
    /// The stream of jobs, and the workers' consumer of it.
    pub(crate) work: String,
    /// The beginning of all its subjects.
    pub(crate) root: String,
}

impl Link {
    pub(crate) async fn open(server: &str, login: &Login, patience: Duration) -> Result<Self, BusError> {
        let options = ConnectOptions::new()
            .name("breakwater")
            .connection_timeout(ATTEMPT)
            .request_timeout(Some(ATTEMPT));
        let options = match login {
            Login::None => options,
            Login::Token(token) => options.token(token.clone()),
            Login::User { name, password } => options.user_and_password(name.clone(), password.clone()),
        };
        let begun = Instant::now();
        let connected = options.connect(server).await.map_err(|error| {
            let (address, doing, said) = (server.to_owned(), "connect".to_owned(), with_sources(&error));
            match error.kind() {
                ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                    BusError::Refused { address, doing, said }
                }
                _ => BusError::Unreachable { address, doing, waited: begun.elapsed(), said },
            }
        });
        Self::checked(connected?, server, patience).await
    }

    async fn checked(client: Client, server: &str, patience: Duration) -> Result<Self, BusError> {
        let refused = |said: String| {
            let (address, doing) = (server.to_owned(), "carry queues".to_owned());
            Err(BusError::Refused { address, doing, said })
        };
        let about = client.server_info();
        if !client.is_server_compatible(2, 9, 0) {
            return refused(format!("expected nats-server 2.9 or newer, got {}", about.version));
        }
        if !about.jetstream {
            return refused("JetStream is off: expected a server started with --jetstream".to_owned());
        }
        let mut context = async_nats::jetstream::new(client);
        context.set_timeout(ATTEMPT);
        Ok(Self { context, address: server.to_owned(), patience })
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// The most payload of one message, in bytes.
    pub(crate) fn room(&self) -> usize {
        self.context.client().server_info().max_payload.saturating_sub(ENVELOPE).max(1)
    }

    /// A word that nobody else has.
    pub(crate) fn token(&self) -> String {
        self.context.client().new_inbox().replace(['.', '_'], "")
    }

    pub(crate) fn names_of_queue(&self, name: &str) -> Names {
        let (kept, work) = (format!("{QUEUE}{name}{KEPT}"), format!("{QUEUE}{name}-work"));
        Names { name: name.to_owned(), kept, work, root: format!("breakwater.queue.{name}") }
    }

    pub(crate) fn names_of_topic(&self, name: &str) -> Names {
        let kept = format!("breakwater-topic-{name}");
        Names { name: name.to_owned(), work: String::new(), kept, root: format!("breakwater.topic.{name}") }
    }

    pub(crate) async fn queues(&self) -> Result<Vec<String>, BusError> {
        let names: Vec<String> = self
            .insist("list queues", || async {
                let listed = self.context.stream_names().try_collect().await;
                listed.map_err(|error| Trouble::Passing(error.to_string()))
            })
            .await?;
        let queue = |name: &String| name.strip_prefix(QUEUE)?.strip_suffix(KEPT).map(str::to_owned);
        Ok(names.iter().filter_map(queue).collect())
    }

    /// Tries again while the trouble may pass, for as long as there is patience.
    pub(crate) async fn insist<T, A, F>(&self, doing: &str, mut attempt: A) -> Result<T, BusError>
    where
        A: FnMut() -> F,
        F: Future<Output = Result<T, Trouble>>,
    {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let left = self.patience.saturating_sub(begun.elapsed()).max(SHORTEST_ATTEMPT);
            let said = match tokio::time::timeout(left, attempt()).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(Trouble::Lasting(error))) => return Err(error),
                Ok(Err(Trouble::Passing(said))) => said,
                Err(_) => "no answer".to_owned(),
            };
            let waited = begun.elapsed();
            if waited >= self.patience {
                let (address, doing) = (self.address.clone(), doing.to_owned());
                return Err(BusError::Unreachable { address, doing, waited, said });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One question to the server's own interface.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        names: &Names,
        subject: String,
    ) -> Result<T, Trouble> {
        let asked = self.context.client().request(format!("$JS.API.{subject}"), Bytes::new()).await;
        let answer = asked.map_err(|error| Trouble::Passing(error.to_string()))?;
        match serde_json::from_slice(&answer.payload) {
            Ok(Response::Ok(answer)) => Ok(answer),
            Ok(Response::Err { error }) => {
                Err(self.judge(names, &subject, error.error_code(), error.to_string()))
            }
            Err(error) => Err(self.refused(&subject, &format!("an answer that cannot be read: {error}"))),
        }
    }

    /// Publishes on an empty subject; says its sequence, or none where the subject was not empty.
    pub(crate) async fn publish_first(
        &self,
        names: &Names,
        stream: &str,
        subject: &str,
        mut headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Option<u64>, Trouble> {
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
        let sent = self.context.publish_with_headers(subject.to_owned(), headers, payload).await;
        let error = match sent {
            Ok(sent) => match sent.await {
                Ok(ack) => return Ok(Some(ack.sequence)),
                Err(error) => error,
            },
            Err(error) => error,
        };
        match error.kind() {
            PublishErrorKind::WrongLastSequence => Ok(None),
            // Nobody listens: the stream was removed, or the server is not ready.
            PublishErrorKind::StreamNotFound => {
                self.there(names, stream).await?;
                Err(Trouble::Passing(error.to_string()))
            }
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe | PublishErrorKind::MaxAckPending => {
                Err(Trouble::Passing(error.to_string()))
            }
            _ => match std::error::Error::source(&error).and_then(|source| source.downcast_ref()) {
                Some(told) => {
                    let told: &async_nats::jetstream::Error = told;
                    Err(self.judge(names, "publish", told.error_code(), told.to_string()))
                }
                None => Err(self.refused("publish", &error)),
            },
        }
    }

    /// Checks that the stream is there.
    pub(crate) async fn there(&self, names: &Names, stream: &str) -> Result<stream::Info, Trouble> {
        self.ask(names, format!("STREAM.INFO.{stream}")).await
    }

    /// Removes the stream, if it is there.
    pub(crate) async fn remove(&self, names: &Names, stream: &str) -> Result<(), BusError> {
        let removed = self.insist("remove a stream", || async {
            self.ask::<serde_json::Value>(names, format!("STREAM.DELETE.{stream}")).await
        });
        match removed.await {
            Ok(_) | Err(BusError::Gone { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What an error code of the server means.
    pub(crate) fn judge(&self, names: &Names, doing: &str, code: ErrorCode, said: String) -> Trouble {
        match code {
            ErrorCode::STREAM_NOT_FOUND | ErrorCode::CONSUMER_NOT_FOUND => {
                Trouble::Lasting(BusError::Gone { name: names.name.clone() })
            }
            ErrorCode::CLUSTER_NOT_AVAILABLE
            | ErrorCode::CLUSTER_NOT_LEADER
            | ErrorCode::STREAM_OFFLINE
            | ErrorCode::CONSUMER_OFFLINE => Trouble::Passing(said),
            _ => self.refused(doing, &said),
        }
    }

    fn refused(&self, doing: &str, said: &dyn std::fmt::Display) -> Trouble {
        let (address, doing) = (self.address.clone(), doing.to_owned());
        Trouble::Lasting(BusError::Refused { address, doing, said: said.to_string() })
    }
}

/// An error with everything that caused it, once each.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_said = cause.to_string();
        if !said.contains(&cause_said) {
            said = format!("{said}: {cause_said}");
        }
        source = cause.source();
    }
    said
}
