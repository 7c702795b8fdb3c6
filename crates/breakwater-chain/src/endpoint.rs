//! One RPC endpoint: its redacted name, its HTTP client and its health.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use alloy::primitives::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use crate::error::{ChainError, Fault, RpcError};
use crate::limits::Limits;

/// A node that is asked over HTTP.
///
/// Neither its `Debug` form nor any error holds the address, which often carries a key.
pub(crate) struct Endpoint {
    label: String,
    url: Url,
    client: reqwest::Client,
    health: Mutex<Health>,
}

/// How an endpoint has behaved, for status pages and logs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointHealth {
    /// Position in the configured list and host, without path, query or credentials.
    pub label: String,
    /// Whether it is at present asked only when the others fail.
    pub demoted: bool,
    /// Failures since the last good answer.
    pub failures_in_a_row: u32,
    /// Answers that were proven false since start.
    pub lies: u64,
    /// The last fault in words.
    pub last_fault: Option<String>,
}

#[derive(Debug, Default)]
struct Health {
    demoted_until: Option<Instant>,
    failures_in_a_row: u32,
    lies: u64,
    last_fault: Option<String>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.label).finish()
    }
}

impl Endpoint {
    pub(crate) fn new(index: usize, url: &Url, limits: &Limits) -> Result<Self, ChainError> {
        let fail = |reason: &str| ChainError::Url { index, reason: reason.to_owned() };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(fail("expected an http or https address"));
        }
        let host = url.host_str().ok_or_else(|| fail("expected an address with a host"))?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        // A redirect could carry the key in the address to another host.
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(limits.call_timeout)
            .build()
            .map_err(|error| fail(&error.without_url().to_string()))?;
        Ok(Self {
            label: format!("#{index} {}://{host}{port}", url.scheme()),
            url: url.clone(),
            client,
            health: Mutex::new(Health::default()),
        })
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// One JSON-RPC request, without retry; `null` results come back as such.
    pub(crate) async fn request(
        &self,
        method: &str,
        params: &Value,
        limits: &Limits,
    ) -> Result<Value, Fault> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let connect = |error: reqwest::Error| match error.is_timeout() {
            true => Fault::Timeout(limits.call_timeout),
            false => Fault::Connect(in_words(error)),
        };
        let mut response = self.client.post(self.url.clone()).json(&body).send().await.map_err(connect)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(connect)? {
            if bytes.len() + chunk.len() > limits.answer_bytes_max {
                return Err(Fault::TooLarge(limits.answer_bytes_max));
            }
            bytes.extend_from_slice(&chunk);
        }
        match parse_answer(&bytes) {
            // Some nodes answer an error object together with an HTTP error status.
            Err(Fault::Malformed(_)) if !status.is_success() => Err(Fault::Status(status.as_u16())),
            parsed => parsed,
        }
    }

    pub(crate) fn is_demoted(&self) -> bool {
        self.lock().demoted_until.is_some_and(|until| until > Instant::now())
    }

    pub(crate) fn health(&self) -> EndpointHealth {
        let demoted = self.is_demoted();
        let health = self.lock();
        EndpointHealth {
            label: self.label.clone(),
            demoted,
            failures_in_a_row: health.failures_in_a_row,
            lies: health.lies,
            last_fault: health.last_fault.clone(),
        }
    }

    pub(crate) fn note_success(&self) {
        self.lock().failures_in_a_row = 0;
    }

    /// Records a fault and sets the endpoint aside for as long as the fault deserves.
    pub(crate) fn note_fault(&self, fault: &Fault, limits: &Limits) {
        let mut health = self.lock();
        let pause = match fault {
            Fault::Lie(_) => {
                health.lies += 1;
                Some(limits.lie_demotion)
            }
            Fault::Timeout(_) | Fault::Connect(_) | Fault::Status(_) | Fault::Malformed(_) => {
                health.failures_in_a_row = health.failures_in_a_row.saturating_add(1);
                Some(limits.demotion(health.failures_in_a_row))
            }
            Fault::Rpc(error) if error.is_rate_limit() => {
                health.failures_in_a_row = health.failures_in_a_row.saturating_add(1);
                Some(limits.demotion(health.failures_in_a_row))
            }
            // The node works; it only has no good answer to this one question.
            Fault::Rpc(_) | Fault::Absent(_) | Fault::TooLarge(_) | Fault::Unverifiable(_) => None,
        };
        health.last_fault = Some(fault.to_string());
        if let Some(pause) = pause {
            tracing::warn!(endpoint = %self.label, %fault, pause_ms = pause.as_millis(), "endpoint set aside");
            extend(&mut health, pause);
        }
    }

    /// Sets aside an endpoint whose head is far behind the others'.
    pub(crate) fn note_lag(&self, number: u64, reference: u64, limits: &Limits) {
        let mut health = self.lock();
        health.last_fault = Some(format!("lags: at block {number}, others at {reference}"));
        tracing::warn!(endpoint = %self.label, number, reference, "endpoint lags");
        extend(&mut health, limits.demotion_first);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Health> {
        // Nothing panics while the lock is held, and counters stay meaningful if it did.
        self.health.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn extend(health: &mut Health, pause: Duration) {
    let until = Instant::now() + pause;
    health.demoted_until = Some(health.demoted_until.map_or(until, |old| old.max(until)));
}

/// The whole chain of causes without the address, since the top of it says very little.
fn in_words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        cause = inner.source();
    }
    words
}

fn parse_answer(bytes: &[u8]) -> Result<Value, Fault> {
    let mut answer: Value =
        serde_json::from_slice(bytes).map_err(|error| Fault::Malformed(error.to_string()))?;
    let Some(answer) = answer.as_object_mut() else {
        return Err(Fault::Malformed("expected a JSON object".to_owned()));
    };
    match answer.get("error") {
        Some(error) if !error.is_null() => Err(Fault::Rpc(parse_error(error))),
        _ => answer
            .remove("result")
            .ok_or_else(|| Fault::Malformed("expected a `result` or an `error`".to_owned())),
    }
}

fn parse_error(error: &Value) -> RpcError {
    let message = error.get("message").and_then(Value::as_str).unwrap_or("no message");
    RpcError {
        code: error.get("code").and_then(Value::as_i64).unwrap_or_default(),
        message: message.chars().take(RpcError::MESSAGE_CHARS_MAX).collect(),
        data: error.get("data").and_then(revert_data),
    }
}

/// Nodes give revert data as a hex string, some behind a word, some inside an object.
fn revert_data(data: &Value) -> Option<Bytes> {
    let text = match data {
        Value::String(text) => text.as_str(),
        Value::Object(map) => map.get("data").or_else(|| map.get("result"))?.as_str()?,
        _ => return None,
    };
    let hex = &text[text.find("0x")?..];
    hex.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_address_is_never_printed() {
        let url: Url = "https://user:secret@node.example:8545/v3/apikey?token=hidden".parse().unwrap();
        let endpoint = Endpoint::new(2, &url, &Limits::default()).unwrap();
        let shown = format!("{endpoint:?} {} {:?}", endpoint.label(), endpoint.health());
        assert!(shown.contains("#2 https://node.example:8545"), "{shown}");
        for part in ["user", "secret", "apikey", "hidden", "v3"] {
            assert!(!shown.contains(part), "{part} leaks in {shown}");
        }
    }

    #[test]
    fn answers_are_parsed_without_panics() {
        assert_eq!(parse_answer(br#"{"id":1,"result":null}"#), Ok(Value::Null));
        assert!(matches!(parse_answer(b"<html>"), Err(Fault::Malformed(_))));
        assert!(matches!(parse_answer(b"[]"), Err(Fault::Malformed(_))));
        assert!(matches!(parse_answer(b"{}"), Err(Fault::Malformed(_))));
        let error = parse_answer(br#"{"error":{"code":3,"message":"execution reverted","data":"0x01ff"}}"#);
        let Err(Fault::Rpc(error)) = error else { panic!("{error:?}") };
        assert!(error.is_revert());
        assert_eq!(error.data, Some(Bytes::from_static(&[1, 255])));
        let error = parse_answer(br#"{"error":{"code":-32015,"message":"VM","data":"Reverted 0xab"}}"#);
        let Err(Fault::Rpc(error)) = error else { panic!("{error:?}") };
        assert_eq!(error.data, Some(Bytes::from_static(&[0xab])));
        assert!(matches!(parse_answer(br#"{"error":"boom"}"#), Err(Fault::Rpc(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_demotes_longer_each_time_and_a_lie_longest() {
        let limits = Limits::default();
        let endpoint = Endpoint::new(0, &"http://localhost:1".parse().unwrap(), &limits).unwrap();
        endpoint.note_fault(&Fault::Status(500), &limits);
        assert!(endpoint.is_demoted());
        tokio::time::advance(limits.demotion_first + Duration::from_millis(1)).await;
        assert!(!endpoint.is_demoted());
        endpoint.note_fault(&Fault::Status(500), &limits);
        tokio::time::advance(limits.demotion_first + Duration::from_millis(1)).await;
        assert!(endpoint.is_demoted(), "the second failure in a row costs twice as long");
        endpoint.note_fault(&Fault::Lie(Lie::new("hash", 1, 2)), &limits);
        tokio::time::advance(limits.lie_demotion - Duration::from_secs(1)).await;
        assert!(endpoint.is_demoted());
        assert_eq!(endpoint.health().lies, 1);
    }

    use crate::error::Lie;
}
