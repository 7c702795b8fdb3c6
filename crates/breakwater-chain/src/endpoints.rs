//! Several RPC endpoints behind one: bounded retry, failover, verified and voted answers.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use alloy::primitives::Bytes;
use futures_util::future::join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::endpoint::{Endpoint, EndpointHealth};
use crate::error::{ChainError, EndpointFault, Fault, Rejection, RpcError};
use crate::limits::Limits;

/// A set of RPC endpoints of one chain; cheap to clone, shared by all tasks.
///
/// Three kinds of answers are distinguished by how far they can be trusted.
/// *Checked* answers ([`Endpoints::call_checked`]) are verified against a hash that is already
/// trusted, so that one endpoint suffices and a liar is found out.
/// *Voted* answers ([`Endpoints::vote`]) cannot be verified and need more than half of the
/// endpoints that answer: one liar is outvoted from three endpoints on.
/// *Plain* answers ([`Endpoints::request`]) are those of the first endpoint that gives one.
#[derive(Debug, Clone)]
pub struct Endpoints {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoints: Vec<Endpoint>,
    limits: Limits,
}

impl Endpoints {
    /// Prepares clients for the addresses, asked in this order; nothing is sent yet.
    ///
    /// # Errors
    /// [`ChainError::NoEndpoints`] and [`ChainError::Url`].
    pub fn new(urls: &[Url], limits: Limits) -> Result<Self, ChainError> {
        if urls.is_empty() {
            return Err(ChainError::NoEndpoints);
        }
        let endpoints = urls
            .iter()
            .enumerate()
            .map(|(index, url)| Endpoint::new(index, url, &limits))
            .collect::<Result<_, _>>()?;
        Ok(Self { inner: Arc::new(Inner { endpoints, limits }) })
    }

    /// [`Endpoints::new`] from text, such as the values of a command-line flag.
    ///
    /// # Errors
    /// As [`Endpoints::new`]; the error names the position of a bad address, never its text.
    pub fn parse<S: AsRef<str>>(urls: &[S], limits: Limits) -> Result<Self, ChainError> {
        let parse = |(index, text): (usize, &S)| {
            Url::parse(text.as_ref().trim())
                .map_err(|error| ChainError::Url { index, reason: error.to_string() })
        };
        Self::new(&urls.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?, limits)
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// How many endpoints are configured.
    pub fn count(&self) -> usize {
        self.inner.endpoints.len()
    }

    /// How each endpoint has behaved, in configured order.
    pub fn health(&self) -> Vec<EndpointHealth> {
        self.inner.endpoints.iter().map(Endpoint::health).collect()
    }

    /// A plain request: the first endpoint's word is taken.
    ///
    /// # Errors
    /// [`ChainError::Exhausted`], [`ChainError::Reverted`] or [`ChainError::NotFound`].
    pub async fn request<R: DeserializeOwned>(
        &self,
        method: &'static str,
        params: impl Serialize,
    ) -> Result<R, ChainError> {
        self.call_checked(method, params, |answer: R| Ok(answer)).await
    }

    /// A request whose answer `verify` turns into a verified value or refuses.
    ///
    /// A refusal sends the same question to the next endpoint; a [`Rejection::Lie`] is also
    /// recorded against the endpoint that told it.
    /// A revert is believed only when no other endpoint succeeds with the same call.
    ///
    /// # Errors
    /// [`ChainError::Exhausted`], [`ChainError::Reverted`] or [`ChainError::NotFound`].
    pub async fn call_checked<R: DeserializeOwned, T>(
        &self,
        method: &'static str,
        params: impl Serialize,
        verify: impl Fn(R) -> Result<T, Rejection>,
    ) -> Result<T, ChainError> {
        let params = encode(method, params)?;
        let mut faults = Vec::new();
        let rounds = self.inner.limits.rounds.max(1);
        for round in 0..rounds {
            tokio::time::sleep(self.inner.limits.backoff(round)).await;
            faults = Vec::new();
            for endpoint in self.in_order() {
                match self.ask(endpoint, method, &params, &verify).await {
                    Ok(value) => return Ok(value),
                    Err(fault) => faults.push((endpoint.label().to_owned(), fault)),
                }
            }
            if !worth_another_round(&faults) {
                return Err(give_up(method, round + 1, faults));
            }
        }
        Err(give_up(method, rounds, faults))
    }

    /// Asks every endpoint in good standing at once and takes the answer of more than half.
    ///
    /// # Errors
    /// [`ChainError::NoMajority`] when they differ, [`ChainError::Exhausted`] when none answers.
    pub async fn vote<R: DeserializeOwned, T: Eq + Hash + Clone + std::fmt::Debug>(
        &self,
        method: &'static str,
        params: impl Serialize,
        verify: impl Fn(R) -> Result<T, Rejection>,
    ) -> Result<T, ChainError> {
        let answers = self.poll_all(method, params, verify).await?;
        let mut votes: HashMap<&T, usize> = HashMap::new();
        for (_, answer) in &answers {
            *votes.entry(answer).or_default() += 1;
        }
        let winner = votes.iter().find(|(_, count)| **count * 2 > answers.len());
        match winner {
            Some((answer, _)) => Ok((*answer).clone()),
            None => {
                let said = |(who, what): &(String, T)| (who.clone(), format!("{what:?}"));
                Err(ChainError::NoMajority { method, answers: answers.iter().map(said).collect() })
            }
        }
    }

    /// Asks every endpoint in good standing at once; each good answer with its endpoint's label.
    ///
    /// Repeats with back-off while nobody answers, so the list is never empty.
    ///
    /// # Errors
    /// [`ChainError::Exhausted`], [`ChainError::Reverted`] or [`ChainError::NotFound`] when none answers.
    pub async fn poll_all<R: DeserializeOwned, T>(
        &self,
        method: &'static str,
        params: impl Serialize,
        verify: impl Fn(R) -> Result<T, Rejection>,
    ) -> Result<Vec<(String, T)>, ChainError> {
        let params = encode(method, params)?;
        let mut faults = Vec::new();
        let rounds = self.inner.limits.rounds.max(1);
        for round in 0..rounds {
            tokio::time::sleep(self.inner.limits.backoff(round)).await;
            let (mut good, mut bad) = self.ask_many(self.live(), method, &params, &verify).await;
            if good.is_empty() {
                // Those set aside are asked only now, so that a hanging one costs nothing before.
                let (late, worse) = self.ask_many(self.set_aside(), method, &params, &verify).await;
                good = late;
                bad.extend(worse);
            }
            if !good.is_empty() {
                return Ok(good);
            }
            faults = bad;
            if !worth_another_round(&faults) {
                return Err(give_up(method, round + 1, faults));
            }
        }
        Err(give_up(method, rounds, faults))
    }

    /// Hands a signed transaction to every endpoint in good standing, once.
    pub(crate) async fn broadcast(&self, raw: &Bytes) -> Broadcast {
        let params = Value::Array(vec![Value::String(raw.to_string())]);
        let accept = |_: Value| Ok(());
        let method = "eth_sendRawTransaction";
        let (good, mut bad) = self.ask_many(self.live(), method, &params, &accept).await;
        let (late, worse) = match good.is_empty() && bad.iter().all(|(_, fault)| !knows(fault)) {
            true => self.ask_many(self.set_aside(), method, &params, &accept).await,
            false => (Vec::new(), Vec::new()),
        };
        bad.extend(worse);
        if !good.is_empty() || !late.is_empty() || bad.iter().any(|(_, fault)| knows(fault)) {
            return Broadcast::Accepted;
        }
        match bad.iter().any(|(_, fault)| says(fault, &["nonce too low"])) {
            true => Broadcast::NonceSpent,
            false => Broadcast::Refused(give_up(method, 1, bad)),
        }
    }

    /// Sets aside the endpoint with this label because its head is behind.
    pub(crate) fn demote_laggard(&self, label: &str, number: u64, reference: u64) {
        if let Some(endpoint) = self.inner.endpoints.iter().find(|endpoint| endpoint.label() == label) {
            endpoint.note_lag(number, reference, &self.inner.limits);
        }
    }

    async fn ask_many<R: DeserializeOwned, T>(
        &self,
        endpoints: Vec<&Endpoint>,
        method: &'static str,
        params: &Value,
        verify: &impl Fn(R) -> Result<T, Rejection>,
    ) -> (Vec<(String, T)>, Vec<(String, Fault)>) {
        let answers = join_all(endpoints.into_iter().map(|endpoint| async move {
            (endpoint.label().to_owned(), self.ask(endpoint, method, params, verify).await)
        }))
        .await;
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for (label, answer) in answers {
            match answer {
                Ok(value) => good.push((label, value)),
                Err(fault) => bad.push((label, fault)),
            }
        }
        (good, bad)
    }

    async fn ask<R: DeserializeOwned, T>(
        &self,
        endpoint: &Endpoint,
        method: &'static str,
        params: &Value,
        verify: &impl Fn(R) -> Result<T, Rejection>,
    ) -> Result<T, Fault> {
        let limits = &self.inner.limits;
        let answer = match endpoint.request(method, params, limits).await {
            Ok(json) => serde_json::from_value(json)
                .map_err(|error| Fault::Malformed(error.to_string()))
                .and_then(|answer| verify(answer).map_err(Fault::from)),
            Err(fault) => Err(fault),
        };
        match &answer {
            Ok(_) => endpoint.note_success(),
            Err(fault) => endpoint.note_fault(fault, limits),
        }
        answer
    }

    fn live(&self) -> Vec<&Endpoint> {
        self.inner.endpoints.iter().filter(|endpoint| !endpoint.is_demoted()).collect()
    }

    fn set_aside(&self) -> Vec<&Endpoint> {
        self.inner.endpoints.iter().filter(|endpoint| endpoint.is_demoted()).collect()
    }

    fn in_order(&self) -> Vec<&Endpoint> {
        let (mut order, last): (Vec<_>, Vec<_>) =
            self.inner.endpoints.iter().partition(|endpoint| !endpoint.is_demoted());
        order.extend(last);
        order
    }
}

/// What the endpoints did with a signed transaction.
#[derive(Debug)]
pub(crate) enum Broadcast {
    /// At least one has it now, or had it already.
    Accepted,
    /// The nonce is used up: this transaction or another one with it has been mined.
    NonceSpent,
    /// Nobody took it.
    Refused(ChainError),
}

/// Whether a refusal means that the node has the transaction already.
fn knows(fault: &Fault) -> bool {
    says(fault, &["already known", "already imported", "known transaction", "already in mempool"])
}

fn says(fault: &Fault, signs: &[&str]) -> bool {
    let Fault::Rpc(error) = fault else { return false };
    let words = error.message.to_lowercase();
    signs.iter().any(|sign| words.contains(sign))
}

fn encode(method: &'static str, params: impl Serialize) -> Result<Value, ChainError> {
    serde_json::to_value(params).map_err(|error| ChainError::Params { method, reason: error.to_string() })
}

/// A revert, an absence or a refusal by all is a verdict; waiting would not change it soon.
fn worth_another_round(faults: &[(String, Fault)]) -> bool {
    let reverted = faults.iter().any(|(_, fault)| revert_of(fault).is_some());
    let waits = |fault: &Fault| fault.is_transient() && !matches!(fault, Fault::Absent(_));
    !reverted && faults.iter().any(|(_, fault)| waits(fault))
}

fn give_up(method: &'static str, rounds: u32, faults: Vec<(String, Fault)>) -> ChainError {
    if let Some(error) = faults.iter().find_map(|(_, fault)| revert_of(fault)) {
        return ChainError::Reverted { method, error: error.clone() };
    }
    let absent = |fault: &Fault| match fault {
        Fault::Absent(what) => Some(what.clone()),
        _ => None,
    };
    if faults.iter().all(|(_, fault)| absent(fault).is_some())
        && let Some(what) = faults.first().and_then(|(_, fault)| absent(fault))
    {
        return ChainError::NotFound { method, what };
    }
    let faults = faults.into_iter().map(|(endpoint, fault)| EndpointFault { endpoint, fault }).collect();
    ChainError::Exhausted { method, rounds, faults }
}

fn revert_of(fault: &Fault) -> Option<&RpcError> {
    match fault {
        Fault::Rpc(error) if error.is_revert() => Some(error),
        _ => None,
    }
}
