//! What to pay for a transaction and how much more for replacing it; no I/O.

/// Bounds on what a sender pays, in wei per gas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeLimits {
    /// Least tip, also used when no node suggests one.
    pub tip_min: u128,
    /// Largest tip of a first attempt.
    pub tip_max: u128,
    /// Largest fee, tip included, of any attempt.
    pub fee_max: u128,
}

impl Default for FeeLimits {
    /// A tip of 0.1 to 5 gwei and at most 500 gwei altogether.
    fn default() -> Self {
        const GWEI: u128 = 1_000_000_000;
        Self { tip_min: GWEI / 10, tip_max: 5 * GWEI, fee_max: 500 * GWEI }
    }
}

/// The two EIP-1559 prices, in wei per gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fees {
    pub(crate) max_fee: u128,
    pub(crate) tip: u128,
}

impl FeeLimits {
    /// Prices of a first attempt: the base fee may double before they are too low.
    pub(crate) fn first(&self, base_fee: u64, suggested_tip: Option<u128>) -> Fees {
        let tip = suggested_tip.unwrap_or(self.tip_min).min(self.tip_max).max(self.tip_min);
        let tip = tip.min(self.fee_max);
        let max_fee = u128::from(base_fee).saturating_mul(2).saturating_add(tip).min(self.fee_max);
        Fees { max_fee, tip }
    }

    /// Prices of a replacement, or `None` if the rise that nodes require exceeds the limit.
    ///
    /// Nodes require a tenth more of both prices; an eighth, rounded up, is more than that.
    pub(crate) fn bumped(&self, old: Fees, fresh: Fees) -> Option<Fees> {
        let required = Fees { max_fee: eighth_more(old.max_fee), tip: eighth_more(old.tip) };
        if required.max_fee > self.fee_max {
            return None;
        }
        let tip = required.tip.max(fresh.tip);
        let max_fee = required.max_fee.max(fresh.max_fee).max(tip);
        (max_fee <= self.fee_max).then_some(Fees { max_fee, tip })
    }
}

/// Nine eighths, rounded up so that the rise is never short by a wei; at least one wei more.
fn eighth_more(price: u128) -> u128 {
    price.saturating_add(price.div_ceil(8).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_price_doubles_the_base_and_obeys_the_limits() {
        let limits = FeeLimits { tip_min: 10, tip_max: 50, fee_max: 1000 };
        assert_eq!(limits.first(100, Some(20)), Fees { max_fee: 220, tip: 20 });
        assert_eq!(limits.first(100, Some(1)), Fees { max_fee: 210, tip: 10 });
        assert_eq!(limits.first(100, Some(99)), Fees { max_fee: 250, tip: 50 });
        assert_eq!(limits.first(100, None), Fees { max_fee: 210, tip: 10 });
        assert_eq!(limits.first(900, Some(20)), Fees { max_fee: 1000, tip: 20 });
    }

    #[test]
    fn no_replacement_above_the_limit() {
        let limits = FeeLimits { tip_min: 1, tip_max: 50, fee_max: 1000 };
        let fresh = Fees { max_fee: 100, tip: 1 };
        assert_eq!(limits.bumped(Fees { max_fee: 889, tip: 8 }, fresh), None);
        let risen = limits.bumped(Fees { max_fee: 888, tip: 8 }, fresh);
        assert_eq!(risen, Some(Fees { max_fee: 999, tip: 9 }));
    }

    proptest! {
        #[test]
        fn a_replacement_pays_an_eighth_more_of_both(max_fee in 0u128..1 << 90, tip in 0u128..1 << 90, base: u64) {
            let limits = FeeLimits { tip_min: 0, tip_max: u128::MAX, fee_max: 1 << 100 };
            let old = Fees { max_fee: max_fee.max(tip), tip };
            if let Some(new) = limits.bumped(old, limits.first(base, None)) {
                prop_assert!(new.max_fee * 8 >= old.max_fee * 9 && new.tip * 8 >= old.tip * 9);
                prop_assert!(new.max_fee > old.max_fee && new.tip > old.tip);
                prop_assert!(new.tip <= new.max_fee && new.max_fee <= limits.fee_max);
            }
        }
    }
}
