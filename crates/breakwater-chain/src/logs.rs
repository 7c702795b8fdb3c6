//! Event logs over a range of blocks, complete even when an endpoint leaves some out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use alloy::primitives::{B256, Log as LogData};
use alloy::rpc::types::{Filter, Log};

use crate::endpoints::Endpoints;
use crate::error::{ChainError, Fault, Lie, Rejection, RpcError};

/// Most blocks in which differing answers are settled by fetching the blocks' receipts.
pub const LOGS_SETTLED_MAX: usize = 32;

type ByBlock = BTreeMap<u64, Vec<Log>>;

impl Endpoints {
    /// All logs in `range` that match the filter's addresses and topics, in chain order.
    ///
    /// Any block range or hash inside `filter` is replaced.
    /// Long ranges are cut, and cut again where a node finds the answer too large.
    /// With several endpoints each is asked; blocks on which they differ are settled by
    /// receipts verified against the block's receipts root.
    /// With a single endpoint an omission cannot be noticed here.
    ///
    /// # Errors
    /// [`ChainError::LogsTooMany`], [`ChainError::LogsUnresolved`], or those of [`Endpoints::poll_all`].
    pub async fn logs(&self, range: RangeInclusive<u64>, filter: &Filter) -> Result<Vec<Log>, ChainError> {
        let mut logs = Vec::new();
        let mut next = *range.start();
        let mut span = self.limits().logs_blocks_max.max(1);
        while next <= *range.end() {
            let last = next.saturating_add(span - 1).min(*range.end());
            match self.logs_once(next, last, filter).await {
                Ok(part) => {
                    logs.extend(part);
                    let Some(after) = last.checked_add(1) else { break };
                    next = after;
                    span = span.saturating_mul(2).min(self.limits().logs_blocks_max.max(1));
                }
                Err(error) => match too_many(&error) {
                    // Half of the two or more blocks, rounded down.
                    Some(_) if last > next => span = (last - next).div_ceil(2),
                    Some(refusal) => return Err(ChainError::LogsTooMany { number: next, error: refusal }),
                    None => return Err(error),
                },
            }
        }
        Ok(logs)
    }

    async fn logs_once(&self, first: u64, last: u64, filter: &Filter) -> Result<Vec<Log>, ChainError> {
        let asked = filter.clone().from_block(first).to_block(last);
        let answers = self
            .poll_all("eth_getLogs", [&asked], |logs: Vec<Log>| sorted(logs, first, last, &asked))
            .await?;
        let mut answers = answers.into_iter().map(|(_, by_block)| by_block);
        // The list of answers is never empty.
        let Some(mut agreed) = answers.next() else { return Ok(Vec::new()) };
        let others: Vec<ByBlock> = answers.collect();
        let differing: BTreeSet<u64> = others.iter().flat_map(|other| differences(&agreed, other)).collect();
        if differing.len() > LOGS_SETTLED_MAX {
            return Err(ChainError::LogsUnresolved { blocks: differing.len(), limit: LOGS_SETTLED_MAX });
        }
        for number in differing {
            tracing::warn!(number, "endpoints differ on logs; settling by receipts");
            let settled = self.logs_from_receipts(number, filter).await?;
            agreed.insert(number, settled);
        }
        Ok(agreed.into_values().flatten().collect())
    }

    async fn logs_from_receipts(&self, number: u64, filter: &Filter) -> Result<Vec<Log>, ChainError> {
        let head = self.head_at(number, None).await?;
        let mut logs = Vec::new();
        let mut index = 0;
        for (position, receipt) in (0..).zip(self.receipts(&head).await?) {
            for log in receipt.inner.logs() {
                // Only address, topics and data are under the root; the rest is set from the block.
                let log = Log {
                    inner: log.inner.clone(),
                    block_hash: Some(head.hash()),
                    block_number: Some(number),
                    block_timestamp: Some(head.timestamp()),
                    transaction_hash: Some(receipt.transaction_hash),
                    transaction_index: Some(position),
                    log_index: Some(index),
                    removed: false,
                };
                index += 1;
                if filter.matches(&log.inner) {
                    logs.push(log);
                }
            }
        }
        Ok(logs)
    }
}

fn too_many(error: &ChainError) -> Option<RpcError> {
    let ChainError::Exhausted { faults, .. } = error else { return None };
    faults.iter().find_map(|fault| match &fault.fault {
        Fault::Rpc(error) if error.is_too_many_results() => Some(error.clone()),
        _ => None,
    })
}

/// Groups by block and refuses what was not asked for.
fn sorted(logs: Vec<Log>, first: u64, last: u64, filter: &Filter) -> Result<ByBlock, Rejection> {
    let mut by_block = ByBlock::new();
    for log in logs {
        let number = log.block_number.unwrap_or(u64::MAX);
        if !(first..=last).contains(&number) || log.block_hash.is_none() || log.log_index.is_none() {
            return Err(Lie::new("block of a log", format!("{first} to {last}"), format!("{log:?}")).into());
        }
        if !filter.matches(&log.inner) {
            return Err(Lie::new("log that matches the filter", "a match", format!("{:?}", log.inner)).into());
        }
        if !log.removed {
            by_block.entry(number).or_default().push(log);
        }
    }
    for logs in by_block.values_mut() {
        logs.sort_by_key(|log| log.log_index);
    }
    Ok(by_block)
}

fn differences(one: &ByBlock, other: &ByBlock) -> BTreeSet<u64> {
    let numbers = one.keys().chain(other.keys());
    numbers.filter(|number| keys(one.get(number)) != keys(other.get(number))).copied().collect()
}

/// What honest endpoints cannot differ on; some of them leave out times.
fn keys(logs: Option<&Vec<Log>>) -> Vec<(Option<B256>, Option<u64>, &LogData)> {
    logs.into_iter().flatten().map(|log| (log.block_hash, log.log_index, &log.inner)).collect()
}
