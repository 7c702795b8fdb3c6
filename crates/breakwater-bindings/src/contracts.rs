//! Calls, answers, events, errors and bytecode of each contract, from the committed artifacts.
//!
//! Structs that several contracts share come out once for each of them; the [`From`] impls lead from the
//! types of [`crate::gauges`] to theirs.
// The macro writes one item for each item of an ABI; the documentation is in the Solidity files.
#![allow(missing_docs, clippy::too_many_arguments, clippy::large_enum_variant, clippy::pub_underscore_fields)]

use crate::gauges;
use alloy::sol;

sol! {
    #![sol(all_derives = true)]
    AccessManager, concat!(env!("OUT_DIR"), "/AccessManager.json")
}
sol! {
    #![sol(all_derives = true)]
    BreakwaterToken, concat!(env!("OUT_DIR"), "/BreakwaterToken.json")
}
sol! {
    #![sol(all_derives = true)]
    CanaryRung, concat!(env!("OUT_DIR"), "/CanaryRung.json")
}
sol! {
    #![sol(all_derives = true)]
    Assembly, concat!(env!("OUT_DIR"), "/Assembly.json")
}
sol! {
    #![sol(all_derives = true)]
    Breaker, concat!(env!("OUT_DIR"), "/Breaker.json")
}
sol! {
    #![sol(all_derives = true)]
    Canary, concat!(env!("OUT_DIR"), "/Canary.json")
}
sol! {
    #![sol(all_derives = true)]
    Catalog, concat!(env!("OUT_DIR"), "/Catalog.json")
}
sol! {
    #![sol(all_derives = true)]
    Certificate, concat!(env!("OUT_DIR"), "/Certificate.json")
}
sol! {
    #![sol(all_derives = true)]
    ChainlinkFeed, concat!(env!("OUT_DIR"), "/ChainlinkFeed.json")
}
sol! {
    #![sol(all_derives = true)]
    Council, concat!(env!("OUT_DIR"), "/Council.json")
}
sol! {
    #![sol(all_derives = true)]
    EthereumHistory, concat!(env!("OUT_DIR"), "/EthereumHistory.json")
}
sol! {
    #![sol(all_derives = true)]
    Factory, concat!(env!("OUT_DIR"), "/Factory.json")
}
sol! {
    #![sol(all_derives = true)]
    Identities, concat!(env!("OUT_DIR"), "/Identities.json")
}
sol! {
    #![sol(all_derives = true)]
    Incidents, concat!(env!("OUT_DIR"), "/Incidents.json")
}
sol! {
    #![sol(all_derives = true)]
    OracleRung, concat!(env!("OUT_DIR"), "/OracleRung.json")
}
sol! {
    #![sol(all_derives = true)]
    Policies, concat!(env!("OUT_DIR"), "/Policies.json")
}
sol! {
    #![sol(all_derives = true)]
    PolicyDesk, concat!(env!("OUT_DIR"), "/PolicyDesk.json")
}
sol! {
    #![sol(all_derives = true)]
    Pool, concat!(env!("OUT_DIR"), "/Pool.json")
}
sol! {
    #![sol(all_derives = true)]
    PoolDesk, concat!(env!("OUT_DIR"), "/PoolDesk.json")
}
sol! {
    #![sol(all_derives = true)]
    ProofRung, concat!(env!("OUT_DIR"), "/ProofRung.json")
}
sol! {
    #![sol(all_derives = true)]
    Signal, concat!(env!("OUT_DIR"), "/Signal.json")
}
sol! {
    #![sol(all_derives = true)]
    Timelock, concat!(env!("OUT_DIR"), "/Timelock.json")
}
sol! {
    #![sol(all_derives = true)]
    ListGate, concat!(env!("OUT_DIR"), "/ListGate.json")
}
sol! {
    #![sol(all_derives = true)]
    Router, concat!(env!("OUT_DIR"), "/Router.json")
}
sol! {
    #![sol(all_derives = true)]
    Salvage, concat!(env!("OUT_DIR"), "/Salvage.json")
}
sol! {
    #![sol(all_derives = true)]
    QuorumRung, concat!(env!("OUT_DIR"), "/QuorumRung.json")
}
sol! {
    #![sol(all_derives = true)]
    FeedRung, concat!(env!("OUT_DIR"), "/FeedRung.json")
}
sol! {
    #![sol(all_derives = true)]
    SeriesRung, concat!(env!("OUT_DIR"), "/SeriesRung.json")
}
sol! {
    #![sol(all_derives = true)]
    Reporters, concat!(env!("OUT_DIR"), "/Reporters.json")
}
sol! {
    #![sol(all_derives = true)]
    Treaty, concat!(env!("OUT_DIR"), "/Treaty.json")
}
sol! {
    #![sol(all_derives = true)]
    TreatyFactory, concat!(env!("OUT_DIR"), "/TreatyFactory.json")
}
sol! {
    #![sol(all_derives = true)]
    TimelockController, concat!(env!("OUT_DIR"), "/TimelockController.json")
}
sol! {
    #![sol(all_derives = true)]
    Tranche, concat!(env!("OUT_DIR"), "/Tranche.json")
}
sol! {
    #![sol(all_derives = true)]
    Underwriting, concat!(env!("OUT_DIR"), "/Underwriting.json")
}
sol! {
    #![sol(all_derives = true)]
    Wording, concat!(env!("OUT_DIR"), "/Wording.json")
}

/// A gauge as one contract's calls take it: the same fields, under that contract's own type.
macro_rules! gauge_spec_of {
    ($contract:ident) => {
        impl From<gauges::GaugeSpec> for $contract::GaugeSpec {
            fn from(spec: gauges::GaugeSpec) -> Self {
                Self {
                    chainId: spec.chainId,
                    form: spec.form as u8,
                    asset: spec.asset,
                    threshold: spec.threshold,
                    growth: spec.growth,
                    pinnedAt: spec.pinnedAt,
                    floor: spec.floor,
                    assets0: spec.assets0,
                    shares0: spec.shares0,
                    accounts: spec.accounts.into_iter().map(Into::into).collect(),
                    pins: spec.pins.into_iter().map(Into::into).collect(),
                    terms: spec.terms.into_iter().map(Into::into).collect(),
                    holding: spec.holding.into(),
                }
            }
        }

        impl From<gauges::PinnedAccount> for $contract::PinnedAccount {
            fn from(pinned: gauges::PinnedAccount) -> Self {
                Self { account: pinned.account, codeHash: pinned.codeHash }
            }
        }

        impl From<gauges::Pin> for $contract::Pin {
            fn from(pin: gauges::Pin) -> Self {
                Self { account: pin.account, slot: pin.slot, value: pin.value }
            }
        }

        impl From<gauges::Term> for $contract::Term {
            fn from(term: gauges::Term) -> Self {
                Self {
                    account: term.account,
                    side: term.side as u8,
                    native: term.native,
                    slot: term.slot,
                    offset: term.offset,
                    width: term.width,
                    scale: term.scale,
                }
            }
        }

        impl From<gauges::Holding> for $contract::Holding {
            fn from(holding: gauges::Holding) -> Self {
                Self {
                    account: holding.account,
                    vyper: holding.vyper,
                    nested: holding.nested,
                    offset: holding.offset,
                    width: holding.width,
                    scale: holding.scale,
                    word: holding.word,
                    base: holding.base,
                    innerKey: holding.innerKey,
                }
            }
        }
    };
}

gauge_spec_of!(Catalog);
gauge_spec_of!(ProofRung);
