//! Idle capital in a yield vault: what its shares count for.
//!
//! A mark falls with the vault's word at once and follows it upwards slowly, so that a moment's price moves nobody's
//! shares; a vault that does not answer keeps its mark while nobody may leave, but not for ever.

use alloy_primitives::U256;
use breakwater_primitives::{BPS, DAY, MathError, Time, U256Ext, mul_div_ceil, mul_div_floor};

/// Part of itself and what was lost, in bps, by which a mark may rise in a day.
pub const RISE_BPS: u64 = 10;
/// The part of a mark that counts for nothing: vaults round.
pub const DUST: u128 = 1_000_000;
/// Seconds after which a vault that cannot be read counts as lost.
pub const PATIENCE: u64 = 30 * DAY;

/// Shares of a vault and what they count for, pool units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vault {
    /// What the shares count for; part of the layers.
    pub mark: u128,
    /// When it was marked.
    pub marked_at: Time,
    /// Since when it cannot be read.
    pub blind_since: Option<Time>,
    /// The pool's own count of its shares.
    pub shares: U256,
    /// Of withdrawals beyond their marks; earned at the next accrual.
    pub gain: u128,
    /// What it lost and has not earned again; no fee is due on it.
    pub lost: u128,
    /// When the mark fell last, by more than dust.
    pub fell_at: Option<Time>,
}

/// What marking found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marked {
    /// To be earned, what withdrawals gained before included.
    pub gain: u128,
    /// Of `gain`, what the vault had only lost before.
    pub back: u128,
    /// To be taken off the layers, surplus first.
    pub loss: u128,
    /// The vault could not be read: nobody enters or leaves.
    pub blind: bool,
    /// It may be worth more than its mark: no deposit becomes shares.
    pub low: bool,
}

impl Vault {
    /// Marks the vault at `now`; `value` is its word for the shares, if it gave one. `epoch`: of the pool, seconds,
    /// not zero.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn mark(&mut self, value: Option<u128>, now: Time, epoch: u64) -> Result<Marked, MathError> {
        let mut marked = match self.shares.is_zero() && self.mark == 0 {
            true => Marked::default(),
            false => self.mark_shares(value, now, epoch)?,
        };
        marked.gain = marked.gain.saturating_add(std::mem::take(&mut self.gain));
        marked.back = marked.gain.min(self.lost);
        self.lost -= marked.back;
        Ok(marked)
    }

    fn mark_shares(&mut self, value: Option<u128>, now: Time, epoch: u64) -> Result<Marked, MathError> {
        let value = match value {
            Some(value) => {
                self.blind_since = None;
                value
            }
            None => {
                let since = *self.blind_since.get_or_insert(now);
                if now.since(since) <= PATIENCE {
                    return Ok(Marked { blind: true, low: true, ..Marked::default() });
                }
                0
            }
        };
        let before = self.mark;
        let elapsed = U256::from(RISE_BPS).times(U256::from(now.since(self.marked_at)))?;
        let was = U256::from(before).plus(U256::from(self.lost))?;
        let rise = mul_div_floor(was, elapsed, U256::from(BPS * DAY))?;
        let most = U256::from(before).plus(rise)?;
        // At most the value, which has 128 bits.
        self.mark = U256::from(value).min(most).to_u128()?;
        if self.mark != before || value <= before {
            self.marked_at = now;
        }
        let gain = self.mark.saturating_sub(before);
        let loss = before.saturating_sub(self.mark);
        self.lost = self.lost.saturating_add(loss);
        if loss > before / DUST {
            self.fell_at = Some(now);
        }
        let fell = self.fell_at.is_some_and(|at| at.epoch(epoch) == now.epoch(epoch));
        let low = fell || value - self.mark > self.mark / DUST;
        Ok(Marked { gain, loss, low, ..Marked::default() })
    }

    /// Books cash that came out for `burned` shares; answers what was lost by it.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub fn divested(&mut self, got: u128, burned: U256) -> Result<u128, MathError> {
        let burned = burned.min(self.shares);
        let part = match self.shares.is_zero() {
            true => 0,
            // At most the mark.
            false => mul_div_ceil(U256::from(self.mark), burned, self.shares)?.to_u128()?,
        };
        self.shares -= burned;
        self.mark -= part;
        self.gain = U256::from(self.gain).plus(U256::from(got.saturating_sub(part)))?.to_u128()?;
        let loss = part.saturating_sub(got);
        self.lost = self.lost.saturating_add(loss);
        Ok(loss)
    }
}

/// Takes a loss off the layers, surplus first; answers what they did not hold.
pub fn lose(layers: &mut [u128; 4], mut loss: u128) -> u128 {
    for layer in layers {
        let part = loss.min(*layer);
        *layer -= part;
        loss -= part;
    }
    loss
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vault(mark: u128) -> Vault {
        Vault { mark, shares: U256::from(mark), ..Vault::default() }
    }

    #[test]
    fn a_rise_is_a_thousandth_a_day_and_a_fall_is_whole() {
        let mut vault = vault(1_000_000);
        let marked = vault.mark(Some(2_000_000), Time(DAY), DAY).expect("small");
        assert_eq!(marked, Marked { gain: 1_000, low: true, ..Marked::default() });
        let marked = vault.mark(Some(400_000), Time(DAY + 1), DAY).expect("small");
        assert_eq!((marked.loss, vault.mark), (601_000, 400_000));
    }

    #[test]
    fn nobody_buys_in_while_a_mark_comes_back_and_what_comes_back_is_no_gain() {
        let mut vault = vault(1_000_000);
        assert!(vault.mark(Some(900_000), Time(DAY), DAY).expect("small").low, "the epoch of the fall");
        assert!(!vault.mark(Some(900_000), Time(2 * DAY), DAY).expect("small").low);
        let marked = vault.mark(Some(1_200_000), Time(3 * DAY), DAY).expect("small");
        assert_eq!(marked, Marked { gain: 1_000, back: 1_000, low: true, ..Marked::default() });
        let marked = vault.mark(Some(1_200_000), Time(103 * DAY), DAY).expect("small");
        assert_eq!((marked.gain, marked.back), (100_000, 99_000));
        assert!(
            !vault.mark(Some(vault.mark + 1), Time(104 * DAY), DAY).expect("small").low,
            "a unit is dust"
        );
    }

    #[test]
    fn a_mark_of_nothing_rises_again() {
        let mut vault = vault(1_000_000);
        assert_eq!(vault.mark(Some(0), Time(DAY), DAY).expect("small").loss, 1_000_000);
        let marked = vault.mark(Some(1_000_000), Time(2 * DAY), DAY).expect("small");
        assert_eq!((marked.gain, marked.back, vault.mark), (1_000, 1_000, 1_000));
    }

    #[test]
    fn silence_keeps_the_mark_for_thirty_days() {
        let mut vault = vault(1_000);
        assert!(vault.mark(None, Time(5), DAY).expect("small").blind);
        assert!(vault.mark(None, Time(5 + PATIENCE), DAY).expect("small").blind);
        assert_eq!(vault.mark, 1_000);
        let lost = vault.mark(None, Time(6 + PATIENCE), DAY).expect("small");
        assert_eq!(lost, Marked { loss: 1_000, low: true, ..Marked::default() });
        assert_eq!(vault.divested(700, U256::from(1_000)), Ok(0));
        assert_eq!(vault.mark(None, Time(7 + PATIENCE), DAY).expect("small").gain, 700);
    }

    #[test]
    fn losses_run_from_surplus_to_senior() {
        let mut layers = [1, 2, 3, 4];
        assert_eq!(lose(&mut layers, 4), 0);
        assert_eq!(layers, [0, 0, 2, 4]);
        assert_eq!(lose(&mut layers, 7), 1);
        assert_eq!(layers, [0; 4]);
    }

    /// The vault's word after some seconds; none: silence.
    fn words() -> impl Strategy<Value = Vec<(u64, Option<u128>)>> {
        prop::collection::vec((0..3 * DAY, prop::option::weighted(0.9, 0..10_000_000u128)), 1..30)
    }

    proptest! {
        #[test]
        fn a_mark_never_rises_faster_than_its_bound(words in words(), first in 1..5_000_000u128) {
            let (mut vault, mut now) = (vault(first), 0);
            let (mut counted, mut lost) = (first, 0);
            for (wait, word) in words {
                now += wait;
                let (before, at, was) = (vault.mark, vault.marked_at, vault.mark + vault.lost);
                let marked = vault.mark(word, Time(now), DAY).expect("small");
                let most = before + was * u128::from(RISE_BPS * (now - at.seconds())) / u128::from(BPS * DAY);
                prop_assert!(vault.mark <= most);
                prop_assert!(word.is_none_or(|word| vault.mark <= word));
                counted += marked.gain;
                lost += marked.loss;
                prop_assert!(marked.back <= marked.gain);
                prop_assert!(marked.low || word.is_none_or(|word| word - vault.mark <= vault.mark / DUST));
                // What was earned and lost is what the mark moved.
                prop_assert_eq!(vault.mark + lost, counted);
            }
        }

        #[test]
        fn money_that_comes_out_is_mark_gain_or_loss(
            mark in 1..1_000_000u128, shares in 1..1_000_000u128, got in 0..2_000_000u128, part in 0..1_000_000u128,
        ) {
            let mut vault = Vault { mark, shares: U256::from(shares), ..Vault::default() };
            let loss = vault.divested(got, U256::from(part)).expect("small");
            prop_assert_eq!(vault.mark + got + loss, mark + vault.gain);
        }
    }
}
