//! Sending transactions once each, through crashes, full mempools and reorganisations.

use std::time::Duration;

use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Encodable2718;
use alloy::network::TxSignerSync;
use alloy::primitives::{Address, Bytes, TxHash, U64, U256};
use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use tokio::sync::Mutex;

use crate::blocks::Receipt;
use crate::endpoints::{Broadcast, Endpoints};
use crate::error::ChainError;
use crate::fees::Fees;
use crate::head::Head;
use crate::journal::{Action, ActionKey, ActionState, Attempt, Inclusion, Journal};
use crate::request::{SendError, SendEvent, SendOptions, SendRequest};

/// Least depth at which a nonce is given up to another transaction, however few confirmations
/// are asked for: a node may index receipts a moment after it announces the block.
pub const LOST_NONCE_BLOCKS_MIN: u64 = 2;

/// Sends the transactions of one account.
///
/// Nothing happens by itself: [`Sender::submit`] signs, records and broadcasts, and
/// [`Sender::tick`] follows everything up when the chain has moved.
/// One account must have one sender; use of the account by another program is noticed and
/// survived, but costs time.
#[derive(Debug)]
pub struct Sender<J> {
    endpoints: Endpoints,
    journal: J,
    signer: PrivateKeySigner,
    chain_id: u64,
    options: SendOptions,
    /// Nonces are handed out by one task at a time.
    turn: Mutex<()>,
}

impl<J: Journal> Sender<J> {
    /// Prepares a sender and learns the chain id that its signatures are bound to.
    ///
    /// # Errors
    /// As [`Endpoints::chain_id`].
    pub async fn new(
        endpoints: Endpoints,
        journal: J,
        signer: PrivateKeySigner,
        options: SendOptions,
    ) -> Result<Self, ChainError> {
        let chain_id = endpoints.chain_id().await?;
        Ok(Self { endpoints, journal, signer, chain_id, options, turn: Mutex::new(()) })
    }

    /// The account that signs.
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// The journal.
    pub fn journal(&self) -> &J {
        &self.journal
    }

    /// Sends a transaction unless its key has been signed before; its state either way.
    ///
    /// `head` is the newest followed block.
    ///
    /// # Errors
    /// [`SendError`]; after any error the same request may be made again, since nothing that
    /// is not recorded has been broadcast.
    pub async fn submit(&self, request: &SendRequest, head: &Head) -> Result<ActionState, SendError> {
        let _turn = self.turn.lock().await;
        if let Some(known) = self.journal.action(&request.key).await?
            && known.state != ActionState::Planned
        {
            return Ok(known.state);
        }
        let nonce = self.next_nonce(head).await?;
        let attempt = self.sign_first(request, nonce, 1, head).await?;
        self.record_and_broadcast(&request.key, &attempt).await?;
        Ok(ActionState::Signed)
    }

    /// Follows up every action in flight; `head` is the newest followed block.
    ///
    /// Call it for each new block and once after a restart.
    ///
    /// # Errors
    /// [`SendError`] if nothing could be looked at; trouble with a single action comes as
    /// [`SendEvent::Delayed`].
    pub async fn tick(&self, head: &Head) -> Result<Vec<SendEvent>, SendError> {
        let _turn = self.turn.lock().await;
        let actions = self.journal.in_flight(self.address()).await?;
        if actions.is_empty() {
            return Ok(Vec::new());
        }
        let spent = self.endpoints.account(head, self.address(), &[]).await?.nonce;
        let mut events = Vec::new();
        for action in actions {
            let key = action.key.clone();
            if let Err(error) = self.follow_up(action, spent, head, &mut events).await {
                tracing::warn!(%key, %error, "cannot follow up");
                self.journal.note_error(&key, &error.to_string(), head.number()).await?;
                events.push(SendEvent::Delayed { key, error });
            }
        }
        Ok(events)
    }

    /// Submits and ticks until the action is final, for one-shot commands.
    ///
    /// # Errors
    /// [`SendError::Failed`], [`SendError::NotFinal`] after `blocks_max` blocks, or those of
    /// [`Sender::submit`].
    pub async fn send_and_wait(
        &self,
        request: &SendRequest,
        poll: Duration,
        blocks_max: u64,
    ) -> Result<Receipt, SendError> {
        let key = &request.key;
        let mut head = self.endpoints.head().await?;
        let last = head.number().saturating_add(blocks_max);
        let mut state = self.submit(request, &head).await?;
        loop {
            match state {
                ActionState::Failed(reason) => return Err(SendError::Failed { key: key.clone(), reason }),
                ActionState::Final(inclusion) => {
                    let receipt = self.endpoints.receipt(inclusion.tx_hash).await?;
                    let missing = || ChainError::NotFound {
                        method: "eth_getTransactionReceipt",
                        what: inclusion.tx_hash.to_string(),
                    };
                    return Ok(receipt.ok_or_else(missing)?);
                }
                _ if head.number() > last => {
                    return Err(SendError::NotFinal { key: key.clone(), blocks: blocks_max });
                }
                _ => tokio::time::sleep(poll).await,
            }
            head = self.endpoints.head().await?;
            self.tick(&head).await?;
            let action = self.journal.action(key).await?;
            state = action.map_or(ActionState::Planned, |action| action.state);
        }
    }

    async fn follow_up(
        &self,
        action: Action,
        spent: u64,
        head: &Head,
        events: &mut Vec<SendEvent>,
    ) -> Result<(), SendError> {
        // Actions in flight have an attempt; one without would be the journal's fault.
        let Some(last) = action.attempts.last().cloned() else { return Ok(()) };
        if spent <= last.nonce {
            return self.follow_unmined(action, last, spent, head, events).await;
        }
        for attempt in action.attempts.iter().rev().filter(|attempt| attempt.nonce == last.nonce) {
            if let Some(receipt) = self.endpoints.receipt(attempt.tx_hash).await? {
                return self.follow_mined(action, receipt, head, events).await;
            }
        }
        self.follow_vanished(action, last, head, events).await
    }

    /// The nonce is unspent on the followed chain: wait, replace, or bring back.
    async fn follow_unmined(
        &self,
        action: Action,
        last: Attempt,
        spent: u64,
        head: &Head,
        events: &mut Vec<SendEvent>,
    ) -> Result<(), SendError> {
        let (key, tx_hash) = (action.key.clone(), last.tx_hash);
        if matches!(action.state, ActionState::Mined(_)) {
            self.journal.set_state(&key, &ActionState::Signed, head.number()).await?;
            events.push(SendEvent::Reorged { key: key.clone(), tx_hash });
            return self.broadcast(&key, &last, head).await;
        }
        let waited = head.number().saturating_sub(last.at_block);
        // A later nonce waits for an earlier one, and paying more would not help it.
        if spent == last.nonce && waited >= self.options.bump_after_blocks {
            return self.replace(action, last, head, events).await;
        }
        if !self.is_known(tx_hash).await? {
            events.push(SendEvent::Dropped { key: key.clone(), tx_hash });
            self.broadcast(&key, &last, head).await?;
        }
        Ok(())
    }

    async fn follow_mined(
        &self,
        action: Action,
        receipt: Receipt,
        head: &Head,
        events: &mut Vec<SendEvent>,
    ) -> Result<(), SendError> {
        let key = action.key.clone();
        let inclusion = Inclusion {
            tx_hash: receipt.tx_hash,
            block_number: receipt.block_number,
            block_hash: receipt.block_hash,
            success: receipt.success,
        };
        let mined = ActionState::Mined(inclusion.clone());
        if action.state != mined {
            self.journal.set_state(&key, &mined, head.number()).await?;
            events.push(self.mined_event(&action, receipt.clone()).await?);
        }
        let depth = head.number().checked_sub(receipt.block_number);
        if depth.is_none_or(|depth| depth < self.options.confirmations) {
            return Ok(());
        }
        let canonical = self.endpoints.head_at(receipt.block_number, None).await?;
        if canonical.hash() != receipt.block_hash {
            // The receipt is of another branch; the next tick sees where it went.
            return Ok(());
        }
        if receipt.success {
            self.journal.set_state(&key, &ActionState::Final(inclusion), head.number()).await?;
            events.push(SendEvent::Final { key, receipt });
            return Ok(());
        }
        let reason = format!("transaction {} reverted in block {}", receipt.tx_hash, receipt.block_number);
        self.fail(key, reason, head, events).await
    }

    async fn mined_event(&self, action: &Action, receipt: Receipt) -> Result<SendEvent, SendError> {
        let key = action.key.clone();
        if receipt.success {
            return Ok(SendEvent::Mined { key, receipt });
        }
        let attempt = action.attempts.iter().find(|attempt| attempt.tx_hash == receipt.tx_hash);
        let data = match attempt {
            Some(attempt) => self.revert_data(attempt, &receipt).await?,
            None => None,
        };
        Ok(SendEvent::Reverted { key, receipt, data })
    }

    async fn revert_data(&self, attempt: &Attempt, receipt: &Receipt) -> Result<Option<Bytes>, SendError> {
        let tx = decode(attempt)?;
        let call = as_call(attempt.from, &tx);
        let block = self.endpoints.head_by_hash(receipt.block_hash).await?;
        let before = self.endpoints.head_by_hash(block.parent_hash()).await?;
        match self.endpoints.call(&before, &call).await {
            Err(ChainError::Reverted { error, .. }) => Ok(error.data),
            // It ran on the earlier state, or the node has no such state: there is no hint.
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// The nonce is spent but none of the attempts with it has a receipt.
    ///
    /// Only when that is so at final depth, and not one endpoint knows a receipt, is the nonce
    /// given up: a second transaction beside a live first one is what must never happen.
    async fn follow_vanished(
        &self,
        action: Action,
        last: Attempt,
        head: &Head,
        events: &mut Vec<SendEvent>,
    ) -> Result<(), SendError> {
        let key = action.key.clone();
        if matches!(action.state, ActionState::Mined(_)) {
            self.journal.set_state(&key, &ActionState::Signed, head.number()).await?;
            events.push(SendEvent::Reorged { key: key.clone(), tx_hash: last.tx_hash });
        }
        let depth = self.options.confirmations.max(LOST_NONCE_BLOCKS_MIN);
        let Some(deep) = head.number().checked_sub(depth) else { return Ok(()) };
        let deep = self.endpoints.head_at(deep, None).await?;
        if self.endpoints.account(&deep, self.address(), &[]).await?.nonce <= last.nonce {
            return Ok(());
        }
        for attempt in &action.attempts {
            if self.endpoints.receipt_exists(attempt.tx_hash).await? {
                return Ok(());
            }
        }
        self.sign_again(action, last, head, events).await
    }

    async fn sign_again(
        &self,
        action: Action,
        last: Attempt,
        head: &Head,
        events: &mut Vec<SendEvent>,
    ) -> Result<(), SendError> {
        let key = action.key.clone();
        let nonces: std::collections::BTreeSet<u64> =
            action.attempts.iter().map(|attempt| attempt.nonce).collect();
        if nonces.len() >= self.options.nonces_max {
            let reason = format!("lost {} nonces to other transactions", nonces.len());
            return self.fail(key, reason, head, events).await;
        }
        let tx = decode(&last)?;
        let request =
            SendRequest { key: key.clone(), to: tx.to, data: tx.input, value: tx.value, gas_limit: None };
        let nonce = self.next_nonce(head).await?;
        match self.sign_first(&request, nonce, last.number.saturating_add(1), head).await {
            Ok(attempt) => {
                self.record_and_broadcast(&key, &attempt).await?;
                events.push(SendEvent::NonceTaken { key, lost: last.nonce, nonce });
                Ok(())
            }
            Err(SendError::WouldRevert { error, .. }) => {
                let reason = format!("nonce {} was taken and it would now revert: {error}", last.nonce);
                self.fail(key, reason, head, events).await
            }
            Err(error) => Err(error),
        }
    }

    async fn replace(
        &self,
        action: Action,
        last: Attempt,
        head: &Head,
        events: &mut Vec<SendEvent>,
    ) -> Result<(), SendError> {
        let key = action.key.clone();
        let old = decode(&last)?;
        let fees = Fees { max_fee: old.max_fee_per_gas, tip: old.max_priority_fee_per_gas };
        let same_nonce = action.attempts.iter().filter(|attempt| attempt.nonce == last.nonce).count();
        let attempts = u32::try_from(same_nonce).unwrap_or(u32::MAX);
        let bumped = match attempts < self.options.attempts_max {
            true => self.options.fees.bumped(fees, self.first_fees(head).await?),
            false => None,
        };
        let Some(bumped) = bumped else {
            events.push(SendEvent::Stuck { key: key.clone(), attempts, max_fee: fees.max_fee });
            return self.broadcast(&key, &last, head).await;
        };
        let tx = TxEip1559 { max_fee_per_gas: bumped.max_fee, max_priority_fee_per_gas: bumped.tip, ..old };
        let attempt = self.sign(&key, tx, last.number.saturating_add(1), head)?;
        self.record_and_broadcast(&key, &attempt).await?;
        events.push(SendEvent::Replaced { key, tx_hash: attempt.tx_hash });
        Ok(())
    }

    async fn fail(
        &self,
        key: ActionKey,
        reason: String,
        head: &Head,
        events: &mut Vec<SendEvent>,
    ) -> Result<(), SendError> {
        self.journal.set_state(&key, &ActionState::Failed(reason.clone()), head.number()).await?;
        events.push(SendEvent::Failed { key, reason });
        Ok(())
    }

    async fn next_nonce(&self, head: &Head) -> Result<u64, SendError> {
        let on_chain = self.endpoints.account(head, self.address(), &[]).await?.nonce;
        let recorded = self.journal.next_nonce(self.address()).await?;
        Ok(recorded.map_or(on_chain, |recorded| recorded.max(on_chain)))
    }

    async fn sign_first(
        &self,
        request: &SendRequest,
        nonce: u64,
        number: u32,
        head: &Head,
    ) -> Result<Attempt, SendError> {
        let fees = self.first_fees(head).await?;
        let tx = TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit: self.gas_limit(request).await?,
            max_fee_per_gas: fees.max_fee,
            max_priority_fee_per_gas: fees.tip,
            to: request.to,
            value: request.value,
            access_list: Default::default(),
            input: request.data.clone(),
        };
        self.sign(&request.key, tx, number, head)
    }

    fn sign(
        &self,
        key: &ActionKey,
        mut tx: TxEip1559,
        number: u32,
        head: &Head,
    ) -> Result<Attempt, SendError> {
        let signature = self
            .signer
            .sign_transaction_sync(&mut tx)
            .map_err(|error| SendError::Signing { key: key.clone(), reason: error.to_string() })?;
        let nonce = tx.nonce;
        let signed = TxEnvelope::from(tx.into_signed(signature));
        Ok(Attempt {
            number,
            from: self.address(),
            nonce,
            tx_hash: *signed.tx_hash(),
            raw: signed.encoded_2718().into(),
            at_block: head.number(),
        })
    }

    async fn gas_limit(&self, request: &SendRequest) -> Result<u64, SendError> {
        let limit = self.options.gas_limit_max;
        let needed = match request.gas_limit {
            Some(gas) => gas,
            // A margin is a convenience: it never makes too dear what fits without it.
            None => match self.estimate(request).await? {
                gas if gas <= limit => with_margin(gas, self.options.gas_margin_bps).min(limit),
                gas => gas,
            },
        };
        match needed <= limit {
            true => Ok(needed),
            false => Err(SendError::GasTooHigh { key: request.key.clone(), needed, limit }),
        }
    }

    async fn estimate(&self, request: &SendRequest) -> Result<u64, SendError> {
        let call = TransactionRequest {
            from: Some(self.address()),
            to: Some(request.to),
            value: Some(request.value),
            input: request.data.clone().into(),
            ..Default::default()
        };
        match self.endpoints.request::<U64>("eth_estimateGas", [call]).await {
            Ok(gas) => Ok(gas.to()),
            Err(ChainError::Reverted { error, .. }) => {
                Err(SendError::WouldRevert { key: request.key.clone(), error })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn first_fees(&self, head: &Head) -> Result<Fees, SendError> {
        let base = head.base_fee().ok_or(SendError::NoBaseFee { number: head.number() })?;
        // A suggestion is a convenience; without one the least tip serves, and rises if overdue.
        let tip: Result<U256, _> = self.endpoints.request("eth_maxPriorityFeePerGas", ()).await;
        Ok(self.options.fees.first(base, tip.ok().map(|tip| tip.saturating_to())))
    }

    async fn record_and_broadcast(&self, key: &ActionKey, attempt: &Attempt) -> Result<(), SendError> {
        self.journal.record(key, attempt).await?;
        self.broadcast_at(key, attempt, attempt.at_block).await
    }

    async fn broadcast(&self, key: &ActionKey, attempt: &Attempt, head: &Head) -> Result<(), SendError> {
        self.broadcast_at(key, attempt, head.number()).await
    }

    /// A refusal is noted and not an error: the record stands, and the next tick tries again.
    async fn broadcast_at(&self, key: &ActionKey, attempt: &Attempt, at_block: u64) -> Result<(), SendError> {
        match self.endpoints.broadcast(&attempt.raw).await {
            Broadcast::Accepted => {
                tracing::info!(%key, tx_hash = %attempt.tx_hash, nonce = attempt.nonce, "sent")
            }
            Broadcast::NonceSpent => tracing::info!(%key, nonce = attempt.nonce, "nonce already spent"),
            Broadcast::Refused(error) => {
                tracing::warn!(%key, %error, "broadcast refused");
                self.journal.note_error(key, &error.to_string(), at_block).await?;
            }
        }
        Ok(())
    }

    async fn is_known(&self, tx_hash: TxHash) -> Result<bool, SendError> {
        let answers = self
            .endpoints
            .poll_all("eth_getTransactionByHash", [tx_hash], |tx: Option<serde_json::Value>| Ok(tx.is_some()))
            .await?;
        Ok(answers.iter().any(|(_, known)| *known))
    }
}

/// Everything this module signs is EIP-1559, so anything else in the journal is damage.
fn decode(attempt: &Attempt) -> Result<TxEip1559, SendError> {
    use alloy::eips::eip2718::Decodable2718;
    let bad = |reason: String| SendError::BadRecord { tx_hash: attempt.tx_hash, reason };
    let mut raw = attempt.raw.as_ref();
    match TxEnvelope::decode_2718(&mut raw).map_err(|error| bad(error.to_string()))? {
        TxEnvelope::Eip1559(signed) if *signed.hash() == attempt.tx_hash => Ok(signed.tx().clone()),
        other => Err(bad(format!("expected this hash on an EIP-1559 transaction, got {}", other.tx_hash()))),
    }
}

fn as_call(from: Address, tx: &TxEip1559) -> TransactionRequest {
    TransactionRequest {
        from: Some(from),
        to: Some(tx.to),
        gas: Some(tx.gas_limit),
        value: Some(tx.value),
        input: tx.input.clone().into(),
        ..Default::default()
    }
}

/// Rounded up: a limit one short fails, one over costs nothing.
fn with_margin(gas: u64, margin_bps: u64) -> u64 {
    let extra = (u128::from(gas) * u128::from(margin_bps)).div_ceil(10_000);
    gas.saturating_add(u64::try_from(extra).unwrap_or(u64::MAX))
}
