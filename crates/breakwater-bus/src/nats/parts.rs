//! Payloads that are larger than a message may be.
//!
//! The parts are written first, under a word that nobody else has, and then a head that names them: whoever reads the
//! head finds all of them, and of two writers each has parts of its own.
//! Parts without a head, of a writer that died, stay until the stream forgets them.

use async_nats::HeaderMap;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use bytes::Bytes;

use super::link::{Link, Names, Trouble};
use crate::BusError;

/// The header of a head: the parts' word, their number, and the bytes in all of them.
const PARTS: &str = "Breakwater-Parts";

/// A message that carries a payload or names its parts.
pub(super) struct Head {
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
}

/// Writes what does not fit into one message to the stream of records.
pub(super) async fn split(link: &Link, names: &Names, bytes: &[u8]) -> Result<Head, BusError> {
    let room = link.room();
    let mut headers = HeaderMap::new();
    if bytes.len() <= room {
        return Ok(Head { headers, payload: Bytes::copy_from_slice(bytes) });
    }
    let token = link.token();
    let whole = Bytes::copy_from_slice(bytes);
    let count = bytes.len().div_ceil(room);
    for index in 0..count {
        let part = whole.slice(index * room..bytes.len().min((index + 1) * room));
        let subject = subject(names, &token, index);
        link.insist("write a part", || {
            link.publish_first(names, &names.kept, &subject, HeaderMap::new(), part.clone())
        })
        .await?;
    }
    headers.insert(PARTS, format!("{token} {count} {}", bytes.len()));
    Ok(Head { headers, payload: Bytes::new() })
}

/// The payload that a head carries or names.
pub(super) async fn join(
    link: &Link,
    names: &Names,
    headers: Option<&HeaderMap>,
    payload: &Bytes,
) -> Result<Vec<u8>, BusError> {
    let Some(named) = headers.and_then(|headers| headers.get(PARTS)) else {
        return Ok(payload.to_vec());
    };
    let malformed = |got: String| {
        let (what, expected) =
            (format!("split payload of {}", names.name), "a head and all the parts that it names");
        BusError::Malformed { what, expected, got }
    };
    let said = named.as_str();
    let mut words = said.split(' ');
    let (Some(token), Some(Ok(count)), Some(Ok(length)), None) = (
        words.next(),
        words.next().map(str::parse::<usize>),
        words.next().map(str::parse::<usize>),
        words.next(),
    ) else {
        return Err(malformed(format!("head {said:?}")));
    };
    let stream = handle(link, &names.kept).await?;
    let mut bytes = Vec::new();
    for index in 0..count {
        let part =
            link.insist("read a part", || last(link, names, &stream, subject(names, token, index))).await?;
        let Some(part) = part else {
            return Err(malformed(format!("no part {index} of {count}")));
        };
        bytes.extend_from_slice(&part.payload);
        if bytes.len() > length {
            break;
        }
    }
    if bytes.len() != length {
        return Err(malformed(format!("{} bytes of {length}", bytes.len())));
    }
    Ok(bytes)
}

/// A stream by name, without asking whether it is there.
pub(super) async fn handle(link: &Link, stream: &str) -> Result<Stream<()>, BusError> {
    // Only a name that is none fails here, and names are checked where they come in.
    link.context().get_stream_no_info(stream).await.map_err(|error| BusError::Malformed {
        what: "name of a stream".to_owned(),
        expected: "letters, digits, _ and -",
        got: error.to_string(),
    })
}

/// The message on a subject, where there is one.
pub(super) async fn last(
    link: &Link,
    names: &Names,
    stream: &Stream<()>,
    subject: String,
) -> Result<Option<async_nats::jetstream::message::StreamMessage>, Trouble> {
    match stream.get_last_raw_message_by_subject(&subject).await {
        Ok(message) => Ok(Some(message)),
        Err(error) => match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => Ok(None),
            LastRawMessageErrorKind::JetStream(told) => {
                Err(link.judge(names, "read", told.error_code(), told.to_string()))
            }
            _ => Err(Trouble::Passing(error.to_string())),
        },
    }
}

fn subject(names: &Names, token: &str, index: usize) -> String {
    format!("{}.kept.part.{token}.{index}", names.root)
}
