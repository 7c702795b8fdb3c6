//! What the compiler knows about a subject: its code, its traffic, and who took part.

use std::collections::BTreeSet;

use alloy::primitives::Address;
use breakwater_evm::{EvmError, Reader, Rules, View, replay_block};

use super::{
    CompileOptions,
    abi::{Function, functions},
    code::{self, Logic},
    effect::Effect,
    holders::{HolderIndex, touches},
    paths::Preimages,
    refusal::Reason,
};

/// Blocks of traffic replayed at most; the newest ones are kept.
pub const TRAFFIC_BLOCKS_MAX: u64 = 20_000;
/// Transactions that touch the subject kept at most; the newest ones are kept.
pub const TRAFFIC_EFFECTS_MAX: usize = 5_000;

pub(crate) struct Scene {
    pub(crate) subject: Address,
    /// State after the newest block.
    pub(crate) view: View,
    /// States to check against, the newest included.
    pub(crate) views: Vec<View>,
    pub(crate) logic: Logic,
    pub(crate) functions: Vec<Function>,
    /// Successful transactions that touched the subject, oldest first.
    pub(crate) effects: Vec<Effect>,
    pub(crate) preimages: Preimages,
    pub(crate) holders: HolderIndex,
    /// Senders of transactions that touched the subject, newest last.
    pub(crate) senders: Vec<Address>,
    /// First block of traffic that was replayed.
    pub(crate) traffic_from: u64,
}

impl Scene {
    pub(crate) fn open(reader: &Reader, subject: Address, options: &CompileOptions) -> Result<Self, Reason> {
        let newest = match options.blocks.iter().max() {
            Some(newest) => *newest,
            None => reader.latest().map_err(EvmError::from)?,
        };
        let view = View::at(reader, newest, options.rules)?;
        let logic = code::resolve(&view, subject)?;
        let mut blocks: BTreeSet<u64> = options.blocks.iter().copied().collect();
        blocks.insert(newest);
        let views = views_with_same_code(reader, subject, &logic, &blocks, options.rules)?;
        code::stable(&logic.pins, &views)?;
        let mut scene = Self {
            subject,
            functions: functions(&logic.code),
            view,
            views,
            logic,
            effects: Vec::new(),
            preimages: Preimages::default(),
            holders: HolderIndex::of_account(subject),
            senders: Vec::new(),
            traffic_from: options.traffic_from.max(1).max(newest.saturating_sub(TRAFFIC_BLOCKS_MAX)),
        };
        scene.replay(reader, newest, options.rules)?;
        Ok(scene)
    }

    fn replay(&mut self, reader: &Reader, newest: u64, rules: Rules) -> Result<(), Reason> {
        for number in self.traffic_from..=newest {
            let block = replay_block(reader, number, rules)?;
            block.check(&reader.receipts(block.head.block).map_err(EvmError::from)?)?;
            self.holders.feed(&block);
            for tx in block.transactions.iter().filter(|tx| touches(tx, self.subject)) {
                self.preimages.learn(&tx.outcome.trace);
                self.senders.retain(|known| *known != tx.from);
                self.senders.push(tx.from);
                self.effects.extend(Effect::of_chain(number, tx));
            }
        }
        let spare = self.effects.len().saturating_sub(TRAFFIC_EFFECTS_MAX);
        self.effects.drain(..spare);
        Ok(())
    }
}

/// The states at the blocks where the subject already ran the code it runs now.
fn views_with_same_code(
    reader: &Reader,
    subject: Address,
    logic: &Logic,
    blocks: &BTreeSet<u64>,
    rules: Rules,
) -> Result<Vec<View>, Reason> {
    let mut views = Vec::new();
    for number in blocks {
        let view = View::at(reader, *number, rules)?;
        match code::resolve(&view, subject) {
            Ok(then) if then.implementation == logic.implementation && then.code == logic.code => {
                views.push(view)
            }
            Ok(_) | Err(Reason::NotAContract(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(views)
}
