//! Following the chain block by block, through reorganisations, lag and restarts.

use std::collections::VecDeque;
use std::time::Duration;

use alloy::primitives::B256;
use futures_util::future::try_join_all;

use crate::endpoints::Endpoints;
use crate::error::ChainError;
use crate::head::Head;

/// How many followed blocks are kept, and so the deepest reorganisation that is unwound.
/// It is eight mainnet epochs and two thirds of an hour on a two-second chain's scale;
/// anything deeper is for a person to look at.
pub const WINDOW_BLOCKS: usize = 512;

/// Most blocks brought by one poll, so that catching up after a pause stays in small steps.
pub const BATCH_BLOCKS: u64 = 64;

/// Headers asked for at the same time while catching up.
const PARALLEL: usize = 8;

/// What happened on the chain, in the order in which to act on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainEvent {
    /// The next block; its parent is the block of the event before it.
    Block(Head),
    /// Blocks that no longer belong to the chain; their replacements follow as blocks.
    Reorg {
        /// The newest block that both branches share.
        common_ancestor: Head,
        /// What fell away, oldest first.
        dropped: Vec<Head>,
    },
}

/// Follows the chain's head by polling.
///
/// A poll only learns that there is something new: every block in between is fetched, linked
/// to its parent and given out in order, so that nothing depends on a notification arriving.
#[derive(Debug)]
pub struct Follower {
    endpoints: Endpoints,
    window: VecDeque<Head>,
}

impl Follower {
    /// Starts after `head`, which counts as already handled.
    pub fn from_head(endpoints: Endpoints, head: Head) -> Self {
        Self { endpoints, window: VecDeque::from([head]) }
    }

    /// Continues after the last of `heads`, oldest first, as a journal kept them.
    ///
    /// The more of them, the deeper a reorganisation may be that happened meanwhile.
    ///
    /// # Errors
    /// [`ChainError::Empty`] without any, [`ChainError::BrokenWindow`] if they do not link.
    pub fn resume(endpoints: Endpoints, heads: Vec<Head>) -> Result<Self, ChainError> {
        if heads.is_empty() {
            return Err(ChainError::Empty("no block to resume from".to_owned()));
        }
        for pair in heads.windows(2) {
            check_link(&pair[0], &pair[1])?;
        }
        let mut follower = Self { endpoints, window: heads.into() };
        follower.trim();
        Ok(follower)
    }

    /// The newest followed block.
    pub fn tip(&self) -> &Head {
        // The constructors put a block in and unwinding stops at the last one.
        self.window.back().expect("the window always holds a block")
    }

    /// The followed block at a height, while it is in the window.
    pub fn followed(&self, number: u64) -> Option<&Head> {
        let first = self.window.front()?.number();
        self.window.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// All followed blocks in the window, oldest first.
    pub fn window(&self) -> impl Iterator<Item = &Head> {
        self.window.iter()
    }

    /// What happened since the last poll, at most [`BATCH_BLOCKS`] blocks of it; empty if nothing.
    ///
    /// On an error nothing has moved and the same events come from a later poll.
    ///
    /// # Errors
    /// [`ChainError::ReorgTooDeep`], or the reading errors of [`Endpoints`].
    pub async fn poll(&mut self) -> Result<Vec<ChainEvent>, ChainError> {
        let newest = self.endpoints.head_number().await?;
        let tip = self.tip().clone();
        if newest <= tip.number() {
            return self.poll_at_or_below(newest).await;
        }
        let last = newest.min(tip.number().saturating_add(BATCH_BLOCKS));
        let parent = (last - 1 == tip.number()).then(|| tip.hash());
        let end = self.endpoints.head_at(last, parent).await?;
        let branch = self.branch_down_from(end).await?;
        Ok(self.adopt(branch))
    }

    /// Waits until something happened, polling every `interval`; failures that may heal are
    /// logged and waited out.
    ///
    /// # Errors
    /// Those of [`Follower::poll`] that do not heal by waiting.
    pub async fn next(&mut self, interval: Duration) -> Result<Vec<ChainEvent>, ChainError> {
        loop {
            match self.poll().await {
                Ok(events) if !events.is_empty() => return Ok(events),
                Ok(_) => {}
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, tip = ?self.tip(), "cannot follow for now");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(interval).await;
        }
    }

    /// The height fell or stands still: either nodes lag, or the chain was replaced by one
    /// that is not longer, which shows only in the hash at that height.
    async fn poll_at_or_below(&mut self, newest: u64) -> Result<Vec<ChainEvent>, ChainError> {
        let Some(followed) = self.followed(newest).cloned() else {
            // Below the window there is nothing to compare with; a lagging node climbs back.
            tracing::debug!(newest, tip = ?self.tip(), "the chain's height is below the window");
            return Ok(Vec::new());
        };
        let now = self.endpoints.head_at(newest, Some(followed.parent_hash())).await?;
        if now.hash() == followed.hash() {
            return Ok(Vec::new());
        }
        let branch = self.branch_down_from(now).await?;
        Ok(self.adopt(branch))
    }

    /// The blocks from the newest followed ancestor (exclusive) up to `end`, oldest first.
    async fn branch_down_from(&self, end: Head) -> Result<Vec<Head>, ChainError> {
        let mut branch = self.prefetch_below(&end).await;
        branch.push(end);
        // What was fetched by height counts only where parent hashes connect it to the end.
        let linked = branch.windows(2).rposition(|pair| pair[1].parent_hash() != pair[0].hash());
        branch.drain(..linked.map_or(0, |at| at + 1));
        loop {
            // The end is pushed above and nothing removes it.
            let lowest = branch.first().expect("a branch holds its end");
            let (number, parent) = (lowest.number(), lowest.parent_hash());
            if self.is_followed(number, parent) {
                return Ok(branch);
            }
            let oldest = self.window.front().map_or(0, Head::number);
            if number <= oldest.saturating_add(1) {
                return Err(ChainError::ReorgTooDeep { oldest, window: self.window.len() });
            }
            let below = self.endpoints.head_by_hash(parent).await?;
            if below.number().checked_add(1) != Some(number) {
                return Err(ChainError::FalseBranch { number, parent, parent_number: below.number() });
            }
            branch.insert(0, below);
        }
    }

    /// Headers between the tip and `end` by height, several at a time, on one endpoint's word.
    async fn prefetch_below(&self, end: &Head) -> Vec<Head> {
        let numbers: Vec<u64> = (self.tip().number()..end.number()).skip(1).collect();
        let mut heads = Vec::with_capacity(numbers.len());
        for group in numbers.chunks(PARALLEL) {
            let fetched =
                try_join_all(group.iter().map(|number| self.endpoints.head_unconfirmed(*number))).await;
            match fetched {
                Ok(group) => heads.extend(group),
                // This only saves time; the walk by hash fetches what is missing.
                Err(error) => {
                    tracing::debug!(%error, "prefetch failed");
                    heads.clear();
                    break;
                }
            }
        }
        heads
    }

    fn is_followed(&self, child_number: u64, parent: B256) -> bool {
        let below = child_number.checked_sub(1).and_then(|number| self.followed(number));
        below.is_some_and(|head| head.hash() == parent)
    }

    fn adopt(&mut self, branch: Vec<Head>) -> Vec<ChainEvent> {
        let mut events = Vec::with_capacity(branch.len() + 1);
        let first = branch.first().map_or(u64::MAX, Head::number);
        let keep = self.window.iter().take_while(|head| head.number() < first).count();
        let dropped: Vec<Head> = self.window.split_off(keep).into();
        if !dropped.is_empty() {
            let common_ancestor = self.tip().clone();
            tracing::warn!(?common_ancestor, blocks = dropped.len(), "reorganisation");
            events.push(ChainEvent::Reorg { common_ancestor, dropped });
        }
        for head in branch {
            self.window.push_back(head.clone());
            events.push(ChainEvent::Block(head));
        }
        self.trim();
        events
    }

    fn trim(&mut self) {
        while self.window.len() > WINDOW_BLOCKS {
            self.window.pop_front();
        }
    }
}

fn check_link(older: &Head, newer: &Head) -> Result<(), ChainError> {
    match newer.parent_hash() == older.hash() && older.number().checked_add(1) == Some(newer.number()) {
        true => Ok(()),
        false => Err(ChainError::BrokenWindow {
            number: newer.number(),
            expected: older.hash(),
            got: newer.parent_hash(),
        }),
    }
}
