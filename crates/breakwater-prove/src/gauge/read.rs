//! What a gauge reads in one block, from raw words.

use super::{Form, GaugeSpec, Side, holders_hash};
use alloy::primitives::{Address, B256, KECCAK256_EMPTY, U256};

/// What to fetch of one account, in the order in which evidence proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountReads {
    /// The account.
    pub account: Address,
    /// Its pins in spec order, then its terms that are not native, then the holders' slots.
    /// One slot may stand here twice.
    pub slots: Vec<B256>,
}

/// What the chain answers for one account of [`GaugeSpec::reads`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountWords {
    /// keccak256 of the code; zero or the hash of nothing for an absent or plain account.
    pub code_hash: B256,
    /// In wei.
    pub balance: U256,
    /// One word for each of the slots, in the same order.
    pub slots: Vec<U256>,
}

/// What the chain answers for the whole gauge in one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Block number.
    pub number: u64,
    /// The block's time, in seconds.
    pub time: u64,
    /// One for each account of the spec, in the same order.
    pub accounts: Vec<AccountWords>,
}

/// Health of a gauge in one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Block number.
    pub number: u64,
    /// The block's time, in seconds.
    pub time: u64,
    /// Gauge units; geometric: floor(sqrt(reserve0 * reserve1)).
    pub assets: u128,
    /// Shares for ratio and geometric gauges, gauge units for the others.
    pub claims: u128,
    /// Enumerated: chain hash of the sorted holders; else zero.
    pub holders: B256,
}

/// Something that the gauge pins has changed, so its words no longer mean what they meant.
/// That is neither a loss nor its denial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// The account's code is another.
    #[error("account {account} must have code {expected}, has {got}")]
    Code {
        /// The account.
        account: Address,
        /// The pinned code hash; zero: no code.
        expected: B256,
        /// What it has.
        got: B256,
    },
    /// A pinned word holds something else.
    #[error("slot {slot} of {account} must hold {expected}, holds {got}")]
    Pin {
        /// The account.
        account: Address,
        /// The slot.
        slot: B256,
        /// The pinned value.
        expected: B256,
        /// What it holds.
        got: B256,
    },
}

/// Why there is no reading.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A pin does not hold.
    #[error("undecided: {0}")]
    Undecided(#[from] Undecided),
    /// A sum is below zero or above 2^128 - 1.
    #[error("the {sum} add up to less than 0 or more than 2^128 - 1: {plus} - {minus}")]
    Range {
        /// Assets or claims.
        sum: &'static str,
        /// What is added; saturated at 2^256 - 1.
        plus: U256,
        /// What is subtracted; saturated at 2^256 - 1.
        minus: U256,
    },
    /// The words are not those that the gauge asked for.
    #[error("expected {expected} {what}, got {got}")]
    Shape {
        /// Accounts or slots.
        what: &'static str,
        /// How many were asked for.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// An enumerated gauge needs at least one holder, the others take none.
    #[error("a {form} gauge cannot be read with {holders} holders")]
    Holders {
        /// The gauge's form.
        form: &'static str,
        /// How many were given.
        holders: usize,
    },
    /// Holders must be strictly ascending, from above the zero address.
    #[error("holders must be strictly ascending and not zero: {second} follows {first}")]
    HolderOrder {
        /// The earlier one; zero before the first.
        first: Address,
        /// The one that is out of order.
        second: Address,
    },
    /// The spec was not validated: an index or a bit range points nowhere.
    #[error("invalid gauge: {0}")]
    Spec(#[from] super::SpecError),
}

impl GaugeSpec {
    /// Accounts and slots to fetch, in the order of the spec. `holders` only for an enumerated gauge.
    pub fn reads(&self, holders: &[Address]) -> Vec<AccountReads> {
        (0..)
            .zip(&self.accounts)
            .map(|(index, pinned)| {
                let pins = self.pins.iter().filter(|pin| pin.account == index).map(|pin| pin.slot);
                let terms = self
                    .terms
                    .iter()
                    .filter(|term| term.account == index && !term.native)
                    .map(|term| term.slot);
                let mut slots: Vec<B256> = pins.chain(terms).collect();
                if self.form == Form::Enumerated && self.holding.account == index {
                    slots.extend(holders.iter().map(|holder| self.holder_slot(*holder)));
                }
                AccountReads { account: pinned.account, slots }
            })
            .collect()
    }

    /// Reads the gauge from the words that [`reads`](Self::reads) asked for: at the onset, where a sum out
    /// of range is an error.
    ///
    /// # Errors
    /// [`ReadError::Undecided`] if a pin does not hold, [`ReadError::Range`] if a sum is out of range,
    /// and the others if words, holders or spec are not what they should be.
    pub fn read(&self, words: &Words, holders: &[Address]) -> Result<Reading, ReadError> {
        let (reading, out_of_range) = self.sum_up(words, holders)?;
        out_of_range.map_or(Ok(reading), Err)
    }

    /// The same at a later block, the one after the onset included, where a sum below zero counts as 0 and one above 2^128 - 1 as that: a
    /// protocol drained below its own reserves must remain measurable.
    ///
    /// # Errors
    /// As [`read`](Self::read), without [`ReadError::Range`].
    pub fn read_later(&self, words: &Words, holders: &[Address]) -> Result<Reading, ReadError> {
        Ok(self.sum_up(words, holders)?.0)
    }

    /// What one holder has, from the raw word in its slot: shares, or claims in gauge units; at most 2^128 - 1.
    pub fn holder_claim(&self, word: U256) -> u128 {
        let mut sum = Sum::new("holder's shares");
        self.add_holder(&mut sum, word);
        sum.total().0
    }

    /// The reading with every sum within its range, and the first sum that was not.
    fn sum_up(&self, words: &Words, holders: &[Address]) -> Result<(Reading, Option<ReadError>), ReadError> {
        self.validate_reads()?;
        self.check_holders(holders)?;
        let reads = self.reads(holders);
        same("accounts", reads.len(), words.accounts.len())?;
        let mut sums = Sums {
            assets: Sum::new("assets"),
            claims: Sum::new("claims"),
            product: U256::ONE,
            out_of_range: None,
        };
        for (index, (asked, got)) in (0..).zip(reads.iter().zip(&words.accounts)) {
            same("slots", asked.slots.len(), got.slots.len())?;
            let mut slots = got.slots.iter().copied();
            self.check_code(index, got.code_hash)?;
            self.check_pins_of(index, &mut slots)?;
            self.add_terms(index, got.balance, &mut slots, &mut sums)?;
            // What is left are the holders' words.
            slots.for_each(|word| self.add_holder(&mut sums.claims, word));
        }
        let assets = match self.form {
            // The root of 256 bits has at most 128.
            Form::Geometric => sums.product.root(2).saturating_to(),
            _ => sums.total_assets(),
        };
        let claims = sums.total_claims();
        let holders = holders_hash(B256::ZERO, holders);
        let reading = Reading { number: words.number, time: words.time, assets, claims, holders };
        Ok((reading, sums.out_of_range))
    }

    fn add_terms(
        &self,
        index: u8,
        balance: U256,
        slots: &mut impl Iterator<Item = U256>,
        sums: &mut Sums,
    ) -> Result<(), ReadError> {
        for term in self.terms.iter().filter(|term| term.account == index) {
            let value = if term.native {
                balance
            } else {
                // The count was checked before, so the word is there.
                bits(slots.next().unwrap_or_default(), term.offset, term.width)
            };
            match term.side {
                Side::AssetAdd if self.form == Form::Geometric => sums.multiply(value, term.scale),
                Side::AssetAdd => sums.assets.add(value, term.scale),
                Side::AssetSub => sums.assets.subtract(value, term.scale),
                Side::ClaimAdd => sums.claims.add(value, term.scale),
                Side::ClaimSub => sums.claims.subtract(value, term.scale),
                Side::__Invalid => return Err(super::SpecError::Enum("side").into()),
            }
        }
        Ok(())
    }

    fn add_holder(&self, sum: &mut Sum, word: U256) {
        sum.add(bits(word, self.holding.offset, self.holding.width), self.holding.scale);
    }

    fn check_holders(&self, holders: &[Address]) -> Result<(), ReadError> {
        if (self.form == Form::Enumerated) == holders.is_empty() {
            return Err(ReadError::Holders { form: self.form_name(), holders: holders.len() });
        }
        let mut first = Address::ZERO;
        for second in holders.iter().copied() {
            if second <= first {
                return Err(ReadError::HolderOrder { first, second });
            }
            first = second;
        }
        Ok(())
    }

    /// Checks the code of the account that keeps the holders' shares or claims; the spec must be valid.
    pub(crate) fn check_holding_code(&self, got: B256) -> Result<(), Undecided> {
        self.check_code(self.holding.account, got)
    }

    fn check_code(&self, index: u8, got: B256) -> Result<(), Undecided> {
        let pinned = &self.accounts[usize::from(index)];
        // An absent account and one without code are the same to every caller.
        let code = if got == KECCAK256_EMPTY { B256::ZERO } else { got };
        if code == pinned.code_hash {
            return Ok(());
        }
        Err(Undecided::Code { account: pinned.account, expected: pinned.code_hash, got })
    }

    fn check_pins_of(&self, index: u8, slots: &mut impl Iterator<Item = U256>) -> Result<(), Undecided> {
        let account = self.accounts[usize::from(index)].account;
        for pin in self.pins.iter().filter(|pin| pin.account == index) {
            let got = B256::from(slots.next().unwrap_or_default());
            if got != pin.value {
                return Err(Undecided::Pin { account, slot: pin.slot, expected: pin.value, got });
            }
        }
        Ok(())
    }
}

struct Sums {
    assets: Sum,
    claims: Sum,
    /// Geometric: of the reserves.
    product: U256,
    out_of_range: Option<ReadError>,
}

impl Sums {
    /// One reserve of a geometric gauge; two of at most 128 bits multiply within 256.
    fn multiply(&mut self, value: U256, scale: u64) {
        let mut reserve = Sum::new("reserves");
        reserve.add(value, scale);
        let (reserve, error) = reserve.total();
        self.out_of_range = self.out_of_range.take().or(error);
        self.product = self.product.saturating_mul(U256::from(reserve));
    }

    fn total_assets(&mut self) -> u128 {
        let (total, error) = self.assets.total();
        self.out_of_range = self.out_of_range.take().or(error);
        total
    }

    fn total_claims(&mut self) -> u128 {
        let (total, error) = self.claims.total();
        self.out_of_range = self.out_of_range.take().or(error);
        total
    }
}

/// A sum of numbers that are added and numbers that are subtracted, each exact up to 256 bits.
struct Sum {
    name: &'static str,
    plus: U256,
    minus: U256,
    overflown: bool,
}

impl Sum {
    fn new(name: &'static str) -> Self {
        Self { name, plus: U256::ZERO, minus: U256::ZERO, overflown: false }
    }

    fn add(&mut self, value: U256, scale: u64) {
        self.plus = self.grown(self.plus, value, scale);
    }

    fn subtract(&mut self, value: U256, scale: u64) {
        self.minus = self.grown(self.minus, value, scale);
    }

    fn grown(&mut self, sum: U256, value: U256, scale: u64) -> U256 {
        let grown = value.checked_mul(U256::from(scale)).and_then(|scaled| sum.checked_add(scaled));
        self.overflown |= grown.is_none();
        grown.unwrap_or(U256::MAX)
    }

    /// The total, held to 0 and 2^128 - 1, and the error if it had to be.
    fn total(&self) -> (u128, Option<ReadError>) {
        let exact = self.plus.checked_sub(self.minus).map(u128::try_from);
        let held = match exact {
            Some(Ok(total)) => total,
            Some(Err(_)) => u128::MAX,
            None => 0,
        };
        let good = matches!(exact, Some(Ok(_))) && !self.overflown;
        let error = ReadError::Range { sum: self.name, plus: self.plus, minus: self.minus };
        (held, (!good).then_some(error))
    }
}

/// Bits [offset, offset + width) of a word.
fn bits(word: U256, offset: u8, width: u16) -> U256 {
    let shifted = word >> usize::from(offset);
    if width >= 256 { shifted } else { shifted & ((U256::ONE << usize::from(width)) - U256::ONE) }
}

fn same(what: &'static str, expected: usize, got: usize) -> Result<(), ReadError> {
    if expected == got { Ok(()) } else { Err(ReadError::Shape { what, expected, got }) }
}
