//! What holders do with policies beside giving back: split them, order their renewal, buy several products under one sum.
//!
//! The arithmetic alone; who may do it, and when, is docs/design.md, "Settlement (Policies)".

use alloy_primitives::U256;
use breakwater_primitives::{DAY, MathError, Time, U256Ext, WAD, Wad, YEAR, mul_div_ceil, mul_div_floor};
use thiserror::Error;

use crate::policies::Policy;
use crate::refusal::Refusal;

/// Most seconds that a renewal may begin before the end of the policy.
pub const MAX_LEAD: u64 = 7 * DAY;

/// Two policies of one: the old one, and the new one with `sum_off` of the sum and of the rate.
///
/// `due` is what is due to the old one over all incidents, pool units; it stays there with all that was paid.
/// The new rate is rounded down: refunds of the old policy are cut for what is due, those of the new one are not.
///
/// # Errors
/// [`Refusal::SumBelowMinimum`] where a part is not worth a settlement.
pub fn split(policy: &Policy, due: u128, sum_off: u128, min_sum: u128) -> Result<(Policy, Policy), Refusal> {
    let left = policy.sum.saturating_sub(due).saturating_sub(sum_off);
    for sum in [sum_off, left] {
        if sum < min_sum {
            return Err(Refusal::SumBelowMinimum { sum, minimum: min_sum });
        }
    }
    let rate = mul_div_floor(policy.stream_rate, U256::from(sum_off), U256::from(policy.sum))?;
    let part = Policy { sum: sum_off, paid: 0, stream_rate: rate, ..*policy };
    // The sum holds both parts, as was just seen.
    let sum = policy.sum.saturating_sub(sum_off);
    Ok((Policy { sum, stream_rate: policy.stream_rate.minus(rate)?, ..*policy }, part))
}

/// What of a renewal order decides what is bought. Times in seconds, the sum in pool units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Most that is insured.
    pub sum: u128,
    /// From the end of the policy to that of its renewal.
    pub term: u64,
    /// How long before the end the renewal may begin.
    pub lead: u64,
}

/// The policy that an order buys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// Sum insured, pool units.
    pub sum: u128,
    /// When it begins.
    pub inception: Time,
    /// When it ends.
    pub expiry: Time,
}

/// Why an order buys nothing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotRenewable {
    /// A lead above [`MAX_LEAD`].
    #[error("a lead of {got} s, at most {most} s")]
    LeadTooLong {
        /// The most.
        most: u64,
        /// The order's.
        got: u64,
    },
    /// The renewal would begin too early or leave a gap.
    #[error("it would begin at {inception:?}, expected {least:?} to {most:?}")]
    OutsideWindow {
        /// One waiting period from now.
        inception: Time,
        /// The end of the policy less the lead.
        least: Time,
        /// The end of the policy.
        most: Time,
    },
}

/// What an order buys at `now`, for a policy that is due `due` pool units over all incidents.
///
/// # Errors
/// [`NotRenewable`].
pub fn renewal(
    policy: &Policy,
    due: u128,
    order: Order,
    waiting_period: u64,
    now: Time,
) -> Result<Renewal, NotRenewable> {
    if order.lead > MAX_LEAD {
        return Err(NotRenewable::LeadTooLong { most: MAX_LEAD, got: order.lead });
    }
    let (inception, most) = (now.plus(waiting_period), policy.expiry);
    let least = Time(most.0.saturating_sub(order.lead));
    if inception > most || inception < least {
        return Err(NotRenewable::OutsideWindow { inception, least, most });
    }
    let sum = order.sum.min(policy.sum.saturating_sub(due));
    Ok(Renewal { sum, inception, expiry: most.plus(order.term) })
}

/// One product of a portfolio as a pool prices it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// What the sum would cost on it alone, pool units.
    pub whole: U256,
    /// Its actuarial rate, wad a year; zero: it has none.
    pub floor_rate: Wad,
}

/// What `sum` costs on all legs together for `term` seconds, and which leg is the dearest, the first where several are.
///
/// The dearest is paid for in full; each other by its actuarial rate alone, rounded up, because capital and its
/// scarcity stand behind one sum; one without such a rate in full as well.
///
/// # Errors
/// Overflow beyond 256 bits.
pub fn portfolio_premium(legs: &[Leg], sum: u128, term: u64) -> Result<(U256, usize), MathError> {
    let (mut premium, mut most, mut saved, mut dearest) = (U256::ZERO, U256::ZERO, U256::ZERO, 0);
    for (at, leg) in legs.iter().enumerate() {
        let part = match leg.floor_rate.get() {
            0 => leg.whole,
            _ => actuarial(sum, leg.floor_rate, term)?,
        };
        premium = premium.plus(part)?;
        if leg.whole > most {
            (most, saved, dearest) = (leg.whole, part, at);
        }
    }
    Ok((premium.minus(saved)?.plus(most)?, dearest))
}

/// ceil(sum · rate · term / (1e18 · year)): what a sum is expected to cost by the actuarial rate alone.
///
/// # Errors
/// Overflow beyond 256 bits.
pub fn actuarial(sum: u128, floor_rate: Wad, term: u64) -> Result<U256, MathError> {
    let rate = floor_rate.wide().times(U256::from(term))?;
    mul_div_ceil(U256::from(sum), rate, U256::from(WAD).times(U256::from(YEAR))?)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, B256};
    use breakwater_primitives::Bps;
    use proptest::prelude::*;

    use super::*;
    use crate::ops::sample_configs;
    use crate::price::{Curve, base_rate, premium};

    const MIN: u128 = 100;

    fn policy(sum: u128, paid: u128, rate: u128) -> Policy {
        Policy {
            product: B256::repeat_byte(1),
            pool: Address::repeat_byte(2),
            position: Address::repeat_byte(3),
            sum,
            paid,
            purchased: Time(0),
            inception: Time(DAY),
            expiry: Time(100 * DAY),
            stream_rate: U256::from(rate),
        }
    }

    /// What giving the whole policy back brings for `seconds`: what streams, less the part that is used up.
    fn refund(policy: &Policy, due: u128, seconds: u64) -> U256 {
        let streams = policy.stream_rate * U256::from(seconds) / U256::from(WAD);
        mul_div_floor(streams, U256::from(policy.sum - due), U256::from(policy.sum)).expect("small")
    }

    #[test]
    fn a_split_by_hand() {
        let (old, new) = split(&policy(1_000, 200, 7), 300, 333, MIN).expect("both are worth it");
        assert_eq!((old.sum, old.paid, old.stream_rate), (667, 200, U256::from(5)));
        assert_eq!((new.sum, new.paid, new.stream_rate), (333, 0, U256::from(2)));
        let refused = |sum| Err(Refusal::SumBelowMinimum { sum, minimum: MIN });
        assert_eq!(split(&policy(1_000, 200, 7), 300, 99, MIN), refused(99));
        assert_eq!(split(&policy(1_000, 200, 7), 300, 601, MIN), refused(99));
        assert_eq!(split(&policy(1_000, 200, 7), 300, u128::MAX, MIN), refused(0));
    }

    #[test]
    fn a_renewal_by_hand() {
        let held = policy(1_000, 0, 1);
        let order = Order { sum: 900, term: 30 * DAY, lead: DAY };
        let at = |now: u64| renewal(&held, 200, order, 2 * DAY, Time(now));
        let bought = at(98 * DAY).expect("gapless");
        assert_eq!((bought.sum, bought.inception, bought.expiry), (800, held.expiry, Time(130 * DAY)));
        assert!(at(97 * DAY).is_ok());
        for now in [97 * DAY - 1, 98 * DAY + 1] {
            assert!(matches!(at(now), Err(NotRenewable::OutsideWindow { .. })), "{now}");
        }
        let long = Order { lead: MAX_LEAD + 1, ..order };
        let refused = renewal(&held, 0, long, 2 * DAY, Time(98 * DAY));
        assert_eq!(refused, Err(NotRenewable::LeadTooLong { most: MAX_LEAD, got: MAX_LEAD + 1 }));
    }

    #[test]
    fn a_portfolio_by_hand() {
        let leg = |whole: u64, rate: u64| Leg { whole: U256::from(whole), floor_rate: Wad::new(rate) };
        // Two per cent of a million for a year.
        let legs = [leg(70_000, WAD / 50), leg(90_000, WAD / 20), leg(60_000, 0)];
        let price = portfolio_premium(&legs, 1_000_000, YEAR);
        assert_eq!(price, Ok((U256::from(20_000 + 90_000 + 60_000), 1)));
        assert_eq!(actuarial(1, Wad::new(1), 1), Ok(U256::from(1)));
    }

    proptest! {
        #[test]
        fn a_split_keeps_sum_and_rate_and_never_raises_refunds(
            sum in 3 * MIN..1 << 100,
            rate in 0u128..1 << 100,
            due in any::<u128>(),
            off in any::<u128>(),
            seconds in 1u64..100 * DAY,
        ) {
            let due = due % (sum - 2 * MIN);
            let off = MIN + off % (sum - due - 2 * MIN + 1);
            let whole = policy(sum, due, rate);
            let (old, new) = split(&whole, due, off, MIN).expect("both are worth it");
            prop_assert_eq!(old.sum + new.sum, whole.sum);
            prop_assert_eq!(old.stream_rate + new.stream_rate, whole.stream_rate);
            let parts = refund(&old, due, seconds) + refund(&new, 0, seconds);
            // The one refund is rounded down twice, that of the part split off once.
            prop_assert!(parts <= refund(&whole, due, seconds) + U256::ONE);
        }

        #[test]
        fn a_portfolio_costs_no_less_than_one_leg_and_no_more_than_all(
            capital in 1_000u128..1 << 60,
            exposure in any::<u128>(),
            first in 1u128..1 << 60,
            second in 1u128..1 << 60,
            rates in prop::collection::vec(0u64..WAD, 2..=8),
            term in 1u64..YEAR,
        ) {
            let configs = sample_configs(Address::with_last_byte(1), Address::with_last_byte(2));
            let curve = Curve::new(&configs[0], capital).expect("in range");
            let exposure = exposure % curve.capacity;
            let whole = (first + second).min(curve.capacity - exposure);
            let first = first.min(whole);
            let legs = |from: u128, sum: u128| -> Vec<Leg> {
                let one = |rate: &u64| {
                    let base = base_rate(Wad::new(*rate), Wad::new(WAD / 20), Bps::new(20_000)).expect("small");
                    let whole = premium(&curve, from, sum, base, Wad::new(0), term).expect("in range");
                    Leg { whole, floor_rate: Wad::new(*rate) }
                };
                rates.iter().map(one).collect()
            };
            let price = |from: u128, sum: u128| {
                portfolio_premium(&legs(from, sum), sum, term).expect("in range").0
            };
            let all = price(exposure, whole);
            for leg in legs(exposure, whole) {
                prop_assert!(all >= leg.whole);
            }
            prop_assert!(all <= legs(exposure, whole).iter().map(|leg| leg.whole).sum::<U256>());
            prop_assert!(price(exposure, first) + price(exposure + first, whole - first) >= all);
        }
    }
}
