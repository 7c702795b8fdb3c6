//! Gauges: how the health of a subject is read from accounts and storage words.
//!
//! A [`GaugeSpec`] mirrors `GaugeSpec` of `contracts/src/interfaces/IGauges.sol` field by field and
//! encodes to the same bytes, so that its [`id`](GaugeSpec::id) is the one the contracts compute.
//! What a loss between two readings is, is arithmetic and lives in `breakwater_policy::measure`.

mod json;
mod loss;
mod read;
mod slots;
mod sol;
mod validate;

pub use breakwater_bindings::gauges::{Form, Side};
pub use loss::evidence_hash;
pub use read::{AccountReads, AccountWords, ReadError, Reading, Undecided, Words};
pub use slots::holders_hash;
pub use validate::{SpecError, limits};

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::sol_types::SolValue;
use breakwater_bindings::{decimal, gauges};
use serde::{Deserialize, Serialize};

/// An account whose words are read, with the code that it must have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinnedAccount {
    /// Where the words are.
    pub account: Address,
    /// keccak256 of the account's code; zero: the account is absent or holds no code.
    pub code_hash: B256,
}

/// A word that must hold exactly `value` at every reading: an implementation, a beacon.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pin {
    /// Index into [`GaugeSpec::accounts`].
    pub account: u8,
    /// The storage slot.
    pub slot: B256,
    /// The whole word.
    pub value: B256,
}

/// One number: bits [offset, offset + width) of a word, or an account's native balance, times `scale`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Term {
    /// Index into [`GaugeSpec::accounts`].
    pub account: u8,
    /// Which sum the number belongs to, and its sign.
    #[serde(with = "json::side")]
    pub side: Side,
    /// The account's balance in wei; `slot`, `offset` and `width` are zero.
    #[serde(default)]
    pub native: bool,
    /// The storage slot.
    #[serde(default)]
    pub slot: B256,
    /// Bits, from the least significant.
    #[serde(default)]
    pub offset: u8,
    /// Bits, 1 to 256; 0 for a native balance.
    #[serde(default)]
    pub width: u16,
    /// Multiplier, at least 1.
    #[serde(with = "decimal")]
    pub scale: u64,
}

/// Where one holder's shares or claims are kept: a mapping keyed by the holder's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Holding {
    /// Index into [`GaugeSpec::accounts`].
    pub account: u8,
    /// The operands of both hashes are swapped: keccak(slot . key) in place of keccak(key . slot).
    #[serde(default)]
    pub vyper: bool,
    /// The mapping's value is a mapping itself, read at `inner_key`.
    #[serde(default)]
    pub nested: bool,
    /// Bits, from the least significant.
    #[serde(default)]
    pub offset: u8,
    /// Bits, 1 to 256.
    pub width: u16,
    /// Multiplier, at least 1.
    #[serde(with = "decimal")]
    pub scale: u64,
    /// Words after the start of the mapping's value.
    #[serde(default)]
    pub word: u32,
    /// Slot of the mapping.
    pub base: B256,
    /// Key of the inner mapping; zero if not `nested`.
    #[serde(default)]
    pub inner_key: B256,
}

/// Everything that defines a gauge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GaugeSpec {
    /// The chain whose state is read. Solidity has 256 bits here; no chain uses more than 64.
    #[serde(with = "decimal")]
    pub chain_id: u64,
    /// How health follows from assets and claims.
    #[serde(with = "json::form")]
    pub form: Form,
    /// What the assets are counted in; zero: the chain's native coin.
    pub asset: Address,
    /// Smallest loss that is an incident, wad, 0 < threshold <= 1e18.
    #[serde(with = "decimal")]
    pub threshold: u64,
    /// How fast assets per share may honestly rise, wad per year.
    #[serde(with = "decimal")]
    pub growth: u64,
    /// When `assets0` and `shares0` were read, in seconds.
    #[serde(with = "decimal")]
    pub pinned_at: u64,
    /// Smallest claims (par, enumerated) or shares (ratio, geometric) at which a loss is defined.
    #[serde(with = "decimal")]
    pub floor: u128,
    /// Assets at `pinned_at`, gauge units; ratio and geometric only.
    #[serde(with = "decimal")]
    pub assets0: u128,
    /// Shares at `pinned_at`; ratio and geometric only.
    #[serde(with = "decimal")]
    pub shares0: u128,
    /// 1 to 8 accounts, strictly ascending by address.
    pub accounts: Vec<PinnedAccount>,
    /// At most 8.
    pub pins: Vec<Pin>,
    /// 1 to 16.
    pub terms: Vec<Term>,
    /// Where one holder's shares or claims are kept.
    pub holding: Holding,
}

impl GaugeSpec {
    /// The gauge's identity: keccak256 of [`encode`](Self::encode).
    pub fn id(&self) -> B256 {
        keccak256(self.encode())
    }

    /// What Solidity's `abi.encode(spec)` gives.
    pub fn encode(&self) -> Vec<u8> {
        gauges::GaugeSpec::from(self).abi_encode()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`SpecError::Encoding`] if the bytes are not exactly that encoding of a gauge, or an error of
    /// [`TryFrom<gauges::GaugeSpec>`] for numbers that do not fit.
    pub fn decode(bytes: &[u8]) -> Result<Self, SpecError> {
        let sol = gauges::GaugeSpec::abi_decode_validate(bytes)
            .map_err(|error| SpecError::Encoding(error.to_string()))?;
        let spec = Self::try_from(sol)?;
        // The decoder follows offsets wherever they point; only one layout is what Solidity writes.
        if spec.encode() != bytes {
            return Err(SpecError::Encoding("not the canonical ABI encoding".to_owned()));
        }
        Ok(spec)
    }

    /// True for the forms whose claims are shares in the assets, not amounts of the asset.
    pub fn has_shares(&self) -> bool {
        matches!(self.form, Form::Ratio | Form::Geometric)
    }

    /// Hash of where the holders' claims are kept, whatever bits of the word they take; two gauges of one
    /// subject must exclude each other. None if the holding's account is beyond the accounts.
    pub fn subject(&self) -> Option<B256> {
        let Holding { vyper, nested, base, inner_key, word, .. } = self.holding;
        let account = self.holding_account()?;
        Some(keccak256(
            (U256::from(self.chain_id), account, vyper, nested, base, inner_key, word).abi_encode(),
        ))
    }

    /// True if no block can be read by both: some account must have two codes, or some slot two values.
    pub fn excludes(&self, other: &Self) -> bool {
        let codes = self.accounts.iter().any(|mine| {
            other
                .accounts
                .iter()
                .any(|theirs| mine.account == theirs.account && mine.code_hash != theirs.code_hash)
        });
        let place = |spec: &Self, pin: &Pin| {
            (spec.accounts.get(usize::from(pin.account)).map(|at| at.account), pin.slot)
        };
        codes
            || self.pins.iter().any(|mine| {
                other
                    .pins
                    .iter()
                    .any(|theirs| place(self, mine) == place(other, theirs) && mine.value != theirs.value)
            })
    }

    /// The account that keeps the holders' shares or claims; none if the index is beyond the accounts.
    pub fn holding_account(&self) -> Option<Address> {
        self.accounts.get(usize::from(self.holding.account)).map(|pinned| pinned.account)
    }
}

#[cfg(test)]
mod tests;
