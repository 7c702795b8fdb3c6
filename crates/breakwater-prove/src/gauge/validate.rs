//! What a gauge must satisfy before anything may read by it; the catalog refuses the same.

use super::{Form, GaugeSpec, Holding, Side, Term};
use alloy::primitives::{Address, B256, KECCAK256_EMPTY, U256};

/// How long the lists of a gauge may be.
pub mod limits {
    /// Accounts that are read.
    pub const ACCOUNTS: usize = 8;
    /// Words that are pinned.
    pub const PINS: usize = 8;
    /// Numbers that are added up.
    pub const TERMS: usize = 16;
    /// The threshold of a gauge that only a total loss sets off, wad.
    pub const THRESHOLD_MAX: u64 = 1_000_000_000_000_000_000;
}

/// Why a gauge is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The bytes are not the ABI encoding of a gauge.
    #[error("not the ABI encoding of a gauge: {0}")]
    Encoding(String),
    /// A chain id that no chain has.
    #[error("chain id {0} does not fit 64 bits")]
    ChainId(U256),
    /// The threshold is zero or above one.
    #[error("threshold must be 1 to 1e18, got {0}")]
    Threshold(u64),
    /// A list is too short or too long.
    #[error("expected {min} to {max} {what}, got {got}")]
    Count {
        /// Which list.
        what: &'static str,
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
        /// How many there are.
        got: usize,
    },
    /// Accounts are not strictly ascending, or the zero address is among them.
    #[error("accounts must be strictly ascending and not zero: {second} follows {first}")]
    AccountOrder {
        /// The earlier one; zero for the first account.
        first: Address,
        /// The one that is out of order.
        second: Address,
    },
    /// A pin, a term or the holding names an account that is not listed.
    #[error("{what} names account {index}, but there are {count}")]
    AccountIndex {
        /// What names it.
        what: &'static str,
        /// The index.
        index: u8,
        /// How many accounts there are.
        count: usize,
    },
    /// The hash of no code, which a gauge writes as zero.
    #[error("account {0}: no code is written as code hash zero, not as the hash of nothing")]
    HashOfNothing(Address),
    /// A floor of zero would let a loss of nothing count.
    #[error("the floor must be at least 1")]
    Floor,
    /// Bits that a word does not have.
    #[error("{what}: bits {offset} to {offset} + {width} are not in a word")]
    Bits {
        /// What reads them.
        what: &'static str,
        /// First bit.
        offset: u8,
        /// How many.
        width: u16,
    },
    /// A scale of zero.
    #[error("{0}: the scale must be at least 1")]
    Scale(&'static str),
    /// A native balance has neither slot nor bits.
    #[error("term {0} is a native balance: slot, offset and width must be zero")]
    NativeBits(usize),
    /// A side that this form does not have, or too few or too many terms of one.
    #[error("a {form} gauge has {expected}, got {got}")]
    Sides {
        /// The gauge's form.
        form: &'static str,
        /// What it must have.
        expected: &'static str,
        /// How many asset terms (added, subtracted) and claim terms (added, subtracted) it has.
        got: String,
    },
    /// A form with shares needs the health it starts from; one without has none.
    #[error(
        "a {form} gauge needs {expected}, got assets0 {assets0}, shares0 {shares0}, growth {growth}, pinnedAt {pinned_at}"
    )]
    Origin {
        /// The gauge's form.
        form: &'static str,
        /// What it must have.
        expected: &'static str,
        /// Pinned assets.
        assets0: u128,
        /// Pinned shares.
        shares0: u128,
        /// Growth, wad per year.
        growth: u64,
        /// When, in seconds.
        pinned_at: u64,
    },
    /// An inner key without an inner mapping.
    #[error("the holding is not nested, so its inner key must be zero, got {0}")]
    InnerKey(B256),
    /// Not a form or a side that exists.
    #[error("{0} is not one of its values")]
    Enum(&'static str),
}

impl GaugeSpec {
    /// Checks every rule of a gauge's own fields, which are the catalog's.
    ///
    /// What only the chain can say is left to the catalog: that this is its id, that `pinned_at` has
    /// passed, and that the other gauges of the subject are excluded.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), SpecError> {
        self.validate_reads()?;
        if self.threshold == 0 || self.threshold > limits::THRESHOLD_MAX {
            return Err(SpecError::Threshold(self.threshold));
        }
        if self.floor == 0 {
            return Err(SpecError::Floor);
        }
        self.check_origin()
    }

    /// Checks the rules on what is read, and not yet the threshold and the pinned health: a gauge is read
    /// before they are known.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate_reads(&self) -> Result<(), SpecError> {
        count("accounts", 1, limits::ACCOUNTS, self.accounts.len())?;
        count("pins", 0, limits::PINS, self.pins.len())?;
        count("terms", 1, limits::TERMS, self.terms.len())?;
        self.check_accounts()?;
        for pin in &self.pins {
            self.account_index("a pin", pin.account)?;
        }
        for (index, term) in self.terms.iter().enumerate() {
            self.account_index("a term", term.account)?;
            term.check(index)?;
        }
        self.account_index("the holding", self.holding.account)?;
        self.holding.check()?;
        self.check_sides()
    }

    fn check_accounts(&self) -> Result<(), SpecError> {
        let mut first = Address::ZERO;
        for pinned in &self.accounts {
            if pinned.account <= first {
                return Err(SpecError::AccountOrder { first, second: pinned.account });
            }
            if pinned.code_hash == KECCAK256_EMPTY {
                return Err(SpecError::HashOfNothing(pinned.account));
            }
            first = pinned.account;
        }
        Ok(())
    }

    fn check_sides(&self) -> Result<(), SpecError> {
        let sides = [Side::AssetAdd, Side::AssetSub, Side::ClaimAdd, Side::ClaimSub];
        let [asset_add, asset_sub, claim_add, claim_sub] =
            sides.map(|side| self.terms.iter().filter(|term| term.side == side).count());
        if asset_add + asset_sub + claim_add + claim_sub != self.terms.len() {
            return Err(SpecError::Enum("side"));
        }
        let (good, expected) = match self.form {
            Form::Ratio | Form::Par => {
                (asset_add >= 1 && claim_add >= 1, "at least one added asset and one added claim")
            }
            Form::Enumerated => (
                asset_add >= 1 && claim_add + claim_sub == 0,
                "at least one added asset and no claim terms, because the holders' words are the claims",
            ),
            Form::Geometric => (
                asset_add == 2 && asset_sub == 0 && claim_add >= 1,
                "exactly two added assets, its reserves, none subtracted, and at least one added claim",
            ),
            Form::__Invalid => return Err(SpecError::Enum("form")),
        };
        if good {
            return Ok(());
        }
        let got = format!("{asset_add}, {asset_sub}, {claim_add}, {claim_sub}");
        Err(SpecError::Sides { form: self.form_name(), expected, got })
    }

    fn check_origin(&self) -> Result<(), SpecError> {
        let (good, expected) = if self.has_shares() {
            (
                self.assets0 > 0 && self.shares0 > 0 && self.pinned_at > 0,
                "assets0, shares0 and pinnedAt of at least 1",
            )
        } else {
            let none = self.assets0 == 0 && self.shares0 == 0 && self.growth == 0 && self.pinned_at == 0;
            (none, "all of them zero, because its claims are amounts of the asset")
        };
        if good {
            return Ok(());
        }
        Err(SpecError::Origin {
            form: self.form_name(),
            expected,
            assets0: self.assets0,
            shares0: self.shares0,
            growth: self.growth,
            pinned_at: self.pinned_at,
        })
    }

    fn account_index(&self, what: &'static str, index: u8) -> Result<(), SpecError> {
        let count = self.accounts.len();
        if usize::from(index) < count { Ok(()) } else { Err(SpecError::AccountIndex { what, index, count }) }
    }

    /// The form's name as in JSON.
    pub fn form_name(&self) -> &'static str {
        match self.form {
            Form::Ratio => "ratio",
            Form::Par => "par",
            Form::Enumerated => "enumerated",
            Form::Geometric => "geometric",
            Form::__Invalid => "invalid",
        }
    }
}

impl Term {
    fn check(&self, index: usize) -> Result<(), SpecError> {
        if self.scale == 0 {
            return Err(SpecError::Scale("a term"));
        }
        if self.native {
            let bare = self.slot.is_zero() && self.offset == 0 && self.width == 0;
            return if bare { Ok(()) } else { Err(SpecError::NativeBits(index)) };
        }
        check_bits("a term", self.offset, self.width)
    }
}

impl Holding {
    fn check(&self) -> Result<(), SpecError> {
        if self.scale == 0 {
            return Err(SpecError::Scale("the holding"));
        }
        if !self.nested && !self.inner_key.is_zero() {
            return Err(SpecError::InnerKey(self.inner_key));
        }
        check_bits("the holding", self.offset, self.width)
    }
}

fn check_bits(what: &'static str, offset: u8, width: u16) -> Result<(), SpecError> {
    if width == 0 || u32::from(offset) + u32::from(width) > 256 {
        return Err(SpecError::Bits { what, offset, width });
    }
    Ok(())
}

fn count(what: &'static str, min: usize, max: usize, got: usize) -> Result<(), SpecError> {
    if (min..=max).contains(&got) { Ok(()) } else { Err(SpecError::Count { what, min, max, got }) }
}
