//! Which fork's rules a block runs under.

use revm::{
    context::BlockEnv, context_interface::block::BlobExcessGasAndPrice, primitives::hardfork::SpecId,
};

use alloy::primitives::U256;

use crate::source::BlockHead;

/// Chain id of Ethereum mainnet, whose fork schedule is known by number and time.
pub const MAINNET: u64 = 1;

/// How the fork of a block is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rules {
    /// Mainnet by its schedule; any other chain by which fields its headers carry.
    #[default]
    Auto,
    /// One fork for every block.
    Fixed(SpecId),
}

impl Rules {
    /// The fork in force in this block.
    pub fn fork(self, chain_id: u64, head: &BlockHead) -> SpecId {
        match self {
            Self::Fixed(fork) => fork,
            Self::Auto if chain_id == MAINNET => mainnet_fork(head.block.number, head.timestamp),
            Self::Auto => fork_by_header(head),
        }
    }
}

/// Mainnet's schedule up to Prague: by time since Shanghai, by block number before.
fn mainnet_fork(number: u64, timestamp: u64) -> SpecId {
    match timestamp {
        1_746_612_311.. => return SpecId::PRAGUE,
        1_710_338_135.. => return SpecId::CANCUN,
        1_681_338_455.. => return SpecId::SHANGHAI,
        _ => {}
    }
    match number {
        15_537_394.. => SpecId::MERGE,
        12_965_000.. => SpecId::LONDON,
        12_244_000.. => SpecId::BERLIN,
        9_069_000.. => SpecId::ISTANBUL,
        7_280_000.. => SpecId::PETERSBURG,
        4_370_000.. => SpecId::BYZANTIUM,
        2_675_000.. => SpecId::SPURIOUS_DRAGON,
        2_463_000.. => SpecId::TANGERINE,
        1_150_000.. => SpecId::HOMESTEAD,
        _ => SpecId::FRONTIER,
    }
}

/// Every fork since London added a header field, so that the header tells the fork. Chains that
/// were never on an earlier one (development chains, rollups) need no schedule for it.
fn fork_by_header(head: &BlockHead) -> SpecId {
    if head.has_requests {
        SpecId::PRAGUE
    } else if head.excess_blob_gas.is_some() {
        SpecId::CANCUN
    } else if head.has_withdrawals {
        SpecId::SHANGHAI
    } else if head.base_fee.is_some() && head.difficulty.is_zero() {
        SpecId::MERGE
    } else if head.base_fee.is_some() {
        SpecId::LONDON
    } else {
        SpecId::BERLIN
    }
}

/// The EVM's block environment for a header.
pub(crate) fn environment(head: &BlockHead, fork: SpecId) -> BlockEnv {
    BlockEnv {
        number: U256::from(head.block.number),
        beneficiary: head.beneficiary,
        timestamp: U256::from(head.timestamp),
        gas_limit: head.gas_limit,
        basefee: head.base_fee.unwrap_or(0),
        difficulty: head.difficulty,
        prevrandao: Some(head.mix_hash),
        blob_excess_gas_and_price: fork
            .is_enabled_in(SpecId::CANCUN)
            .then(|| BlobExcessGasAndPrice::new_with_spec(head.excess_blob_gas.unwrap_or(0), fork)),
        ..Default::default()
    }
}
