//! To and from the types that `sol!` made of the interface.

use super::{GaugeSpec, Holding, Pin, PinnedAccount, SpecError, Term};
use alloy::primitives::U256;
use breakwater_bindings::gauges;

impl From<&GaugeSpec> for gauges::GaugeSpec {
    fn from(spec: &GaugeSpec) -> Self {
        Self {
            chainId: U256::from(spec.chain_id),
            form: spec.form,
            asset: spec.asset,
            threshold: spec.threshold,
            growth: spec.growth,
            pinnedAt: spec.pinned_at,
            floor: spec.floor,
            assets0: spec.assets0,
            shares0: spec.shares0,
            accounts: spec.accounts.iter().map(Into::into).collect(),
            pins: spec.pins.iter().map(Into::into).collect(),
            terms: spec.terms.iter().map(Into::into).collect(),
            holding: (&spec.holding).into(),
        }
    }
}

impl TryFrom<gauges::GaugeSpec> for GaugeSpec {
    type Error = SpecError;

    fn try_from(sol: gauges::GaugeSpec) -> Result<Self, SpecError> {
        Ok(Self {
            chain_id: u64::try_from(sol.chainId).map_err(|_| SpecError::ChainId(sol.chainId))?,
            form: sol.form,
            asset: sol.asset,
            threshold: sol.threshold,
            growth: sol.growth,
            pinned_at: sol.pinnedAt,
            floor: sol.floor,
            assets0: sol.assets0,
            shares0: sol.shares0,
            accounts: sol.accounts.into_iter().map(Into::into).collect(),
            pins: sol.pins.into_iter().map(Into::into).collect(),
            terms: sol.terms.into_iter().map(Into::into).collect(),
            holding: sol.holding.into(),
        })
    }
}

impl From<&PinnedAccount> for gauges::PinnedAccount {
    fn from(pinned: &PinnedAccount) -> Self {
        Self { account: pinned.account, codeHash: pinned.code_hash }
    }
}

impl From<gauges::PinnedAccount> for PinnedAccount {
    fn from(sol: gauges::PinnedAccount) -> Self {
        Self { account: sol.account, code_hash: sol.codeHash }
    }
}

impl From<&Pin> for gauges::Pin {
    fn from(pin: &Pin) -> Self {
        Self { account: pin.account, slot: pin.slot, value: pin.value }
    }
}

impl From<gauges::Pin> for Pin {
    fn from(sol: gauges::Pin) -> Self {
        Self { account: sol.account, slot: sol.slot, value: sol.value }
    }
}

impl From<&Term> for gauges::Term {
    fn from(term: &Term) -> Self {
        Self {
            account: term.account,
            side: term.side,
            native: term.native,
            slot: term.slot,
            offset: term.offset,
            width: term.width,
            scale: term.scale,
        }
    }
}

impl From<gauges::Term> for Term {
    fn from(sol: gauges::Term) -> Self {
        Self {
            account: sol.account,
            side: sol.side,
            native: sol.native,
            slot: sol.slot,
            offset: sol.offset,
            width: sol.width,
            scale: sol.scale,
        }
    }
}

impl From<&Holding> for gauges::Holding {
    fn from(holding: &Holding) -> Self {
        Self {
            account: holding.account,
            vyper: holding.vyper,
            nested: holding.nested,
            offset: holding.offset,
            width: holding.width,
            scale: holding.scale,
            word: holding.word,
            base: holding.base,
            innerKey: holding.inner_key,
        }
    }
}

impl From<gauges::Holding> for Holding {
    fn from(sol: gauges::Holding) -> Self {
        Self {
            account: sol.account,
            vyper: sol.vyper,
            nested: sol.nested,
            offset: sol.offset,
            width: sol.width,
            scale: sol.scale,
            word: sol.word,
            base: sol.base,
            inner_key: sol.innerKey,
        }
    }
}
