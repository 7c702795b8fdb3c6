//! Terms of the triggers that the machine rungs read, as `Trigger.terms` carries them.
//!
//! No function takes these structs, so no ABI has them: they are written out here, and a test holds them against the
//! interfaces.

use alloy::primitives::{B256, U256, keccak256};
use alloy::sol_types::SolValue;

pub use structs::{
    CanaryTerms, Claims, DepegTerms, Holding, LiquidationLog, OracleTerms, PinnedAccount, SeriesTerms,
    Sources,
};

mod structs {
    // The macro writes one item for each Solidity item; the documentation is in the Solidity files.
    #![allow(missing_docs)]
    alloy::sol! {
        #![sol(all_derives = true)]

        struct PinnedAccount {
            address account;
            bytes32 codeHash;
        }

        struct Holding {
            uint8 account;
            bool vyper;
            bool nested;
            uint8 offset;
            uint16 width;
            uint64 scale;
            uint32 word;
            bytes32 base;
            bytes32 innerKey;
        }

        struct Claims {
            PinnedAccount keeper;
            Holding holding;
            bytes32 pin;
            bytes32 pinned;
        }

        struct CanaryTerms {
            address canary;
            address breaker;
            uint64 gasLimit;
            uint32 spacing;
            uint128 base;
            Claims claims;
        }

        struct Sources {
            address[] feeds;
            uint32 maxAge;
            uint32 grace;
            address sequencer;
        }

        struct DepegTerms {
            Sources sources;
            uint128 strike;
            uint128 par;
            uint128 base;
            uint64 margin;
            uint32 period;
            uint32 maxGap;
            Claims claims;
        }

        struct SeriesTerms {
            Sources x;
            Sources y;
            uint64 start;
            uint64 end;
            uint32 maxGap;
            uint128 base;
            Claims claims;
        }

        struct LiquidationLog {
            address emitter;
            bytes32[4] topics;
            uint8 topicCount;
            uint8 borrower;
            uint8 seized;
            uint8 repaid;
            uint64 unitNum;
            uint64 unitDen;
        }

        struct OracleTerms {
            address watched;
            Sources references;
            uint64 tolerance;
            uint32 period;
            uint32 maxGap;
            uint128 base;
            uint128 debtUnit;
            LiquidationLog log;
            Claims claims;
        }
    }
}

/// `Rung.Feed` as a bit of `Trigger.rungs`.
pub const FEED_BIT: u8 = 1 << 1;
/// `Rung.Canary` as a bit of `Trigger.rungs`.
pub const CANARY_BIT: u8 = 1 << 2;
/// `Rung.Quorum` as a bit of `Trigger.rungs`.
pub const QUORUM_BIT: u8 = 1 << 3;

impl Claims {
    /// Words of a Solidity mapping by holder at slot `base` of `keeper`, whole words, one unit each.
    pub fn mapping(keeper: PinnedAccount, base: u64) -> Self {
        let holding = Holding {
            account: 0,
            vyper: false,
            nested: false,
            offset: 0,
            width: 256,
            scale: 1,
            word: 0,
            base: B256::from(U256::from(base)),
            innerKey: B256::ZERO,
        };
        Self { keeper, holding, pin: B256::ZERO, pinned: B256::ZERO }
    }

    /// The same while `slot` of the keeper holds `value`: its implementation.
    pub fn pinned_to(self, slot: B256, value: B256) -> Self {
        Self { pin: slot, pinned: value, ..self }
    }

    /// What `Trigger.claims` must be, as the rungs hash it.
    pub fn subject(&self, chain_id: u64) -> B256 {
        let Holding { vyper, nested, base, innerKey, word, .. } = self.holding;
        let chain_id = U256::from(chain_id);
        keccak256((chain_id, self.keeper.account, vyper, nested, base, innerKey, word).abi_encode_params())
    }
}

impl CanaryTerms {
    /// As `Trigger.terms` carries them.
    pub fn encode(&self) -> Vec<u8> {
        (tag("breakwater.canary/1"), self.clone()).abi_encode_params()
    }
}

impl OracleTerms {
    /// As `Trigger.terms` carries them.
    pub fn encode(&self) -> Vec<u8> {
        (tag("breakwater.oracle/1"), self.clone()).abi_encode_params()
    }
}

/// Terms begin with the tag of their rung, so that no two rungs read one trigger in two ways.
fn tag(name: &str) -> B256 {
    let mut word = B256::ZERO;
    word[..name.len()].copy_from_slice(name.as_bytes());
    word
}

#[cfg(test)]
mod tests {
    use alloy::sol_types::SolStruct;

    use super::*;

    /// The fields that the interfaces declare, as `type name` in order.
    fn declared(source: &str, name: &str) -> Vec<String> {
        let (_, rest) = source.split_once(&format!("struct {name} {{")).expect("the struct is there");
        let (body, _) = rest.split_once('}').expect("and ends");
        let fields = body.lines().filter_map(|line| line.split(';').next()).map(str::trim);
        // A feed is an address on the wire.
        fields
            .filter(|field| !field.is_empty() && !field.starts_with("//"))
            .map(|field| field.replace("IFeed", "address"))
            .collect()
    }

    fn written<T: SolStruct>() -> Vec<String> {
        let all = T::eip712_root_type();
        let (_, fields) = all.split_once('(').expect("a struct has fields");
        fields.trim_end_matches(')').split(',').map(str::to_owned).collect()
    }

    #[test]
    fn structs_are_those_of_the_interfaces() {
        let holdings = include_str!("../../../contracts/src/interfaces/IHoldings.sol");
        let gauges = include_str!("../../../contracts/src/interfaces/IGauges.sol");
        let canary = include_str!("../../../contracts/src/interfaces/ICanaryRung.sol");
        let oracle = include_str!("../../../contracts/src/interfaces/IOracleRung.sol");
        let feed = include_str!("../../../contracts/src/interfaces/IFeed.sol");
        assert_eq!(written::<Claims>(), declared(holdings, "Claims"));
        assert_eq!(written::<PinnedAccount>(), declared(gauges, "PinnedAccount"));
        assert_eq!(written::<Holding>(), declared(gauges, "Holding"));
        assert_eq!(written::<CanaryTerms>(), declared(canary, "CanaryTerms"));
        assert_eq!(written::<OracleTerms>(), declared(oracle, "OracleTerms"));
        let depeg = include_str!("../../../contracts/src/interfaces/IFeedRung.sol");
        let series = include_str!("../../../contracts/src/interfaces/ISeriesRung.sol");
        assert_eq!(written::<DepegTerms>(), declared(depeg, "DepegTerms"));
        assert_eq!(written::<SeriesTerms>(), declared(series, "SeriesTerms"));
        assert_eq!(written::<LiquidationLog>(), declared(oracle, "LiquidationLog"));
        assert_eq!(written::<Sources>(), declared(feed, "Sources"));
    }
}
