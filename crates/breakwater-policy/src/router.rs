//! Shares a purchase out over pools so that the last unit costs the same in each.
//!
//! Prices rise with exposure, so equal marginal prices are the cheapest split.
//! The price is found by halving: what the pools offer up to a price only grows with it.

use alloy_primitives::U256;
use breakwater_primitives::{MathError, WAD, mul_div_ceil, mul_div_floor};

/// What a pool sells of a product now. Amounts in pool units; exposure and most together are at most the capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Where the curve ends.
    pub capacity: U256,
    /// Where its two pieces meet, at most the capacity.
    pub kink: U256,
    /// Multiplier at the kink, wad, at least one.
    pub scarcity_kink: U256,
    /// Multiplier at the capacity, wad, at least that at the kink.
    pub scarcity_full: U256,
    /// Exposure now.
    pub exposure: U256,
    /// Base and surge together before scarcity, wad a year.
    pub rate: U256,
    /// What may be sold now by all limits together.
    pub most: U256,
}

/// Why a purchase could not be shared out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// The pools offer less in all, each at least the least part, than is asked.
    #[error("{wanted} was asked and {offered} is offered")]
    NotEnough {
        /// Asked.
        wanted: U256,
        /// Offered.
        offered: U256,
    },
    /// A number exceeds its type.
    #[error(transparent)]
    Math(#[from] MathError),
}

/// Parts of `sum` at equal marginal prices, each zero or at least `least`.
///
/// A part below `least` is left to the others, or where they cannot hold it is bought at `least`.
///
/// # Errors
/// [`SplitError`].
pub fn split(offers: &[Offer], sum: U256, least: U256) -> Result<Vec<U256>, SplitError> {
    let mut most: Vec<U256> =
        offers.iter().map(|o| if o.most < least { U256::ZERO } else { o.most }).collect();
    let mut offered = total(&most);
    if offered < sum {
        return Err(SplitError::NotEnough { wanted: sum, offered });
    }
    let mut fixed = vec![U256::ZERO; offers.len()];
    let mut sum = sum;
    loop {
        let parts = equalise(offers, &most, sum)?;
        let small = |part: &U256| !part.is_zero() && *part < least;
        let lowest = parts.iter().enumerate().filter(|(_, part)| small(part)).min_by_key(|(_, part)| **part);
        let Some((low, _)) = lowest else {
            return Ok(fixed.iter().zip(&parts).map(|(a, b)| a + b).collect());
        };
        offered -= most[low];
        if offered < sum {
            if sum < least {
                return Err(SplitError::NotEnough { wanted: least, offered: sum });
            }
            fixed[low] = least;
            sum -= least;
        }
        most[low] = U256::ZERO;
    }
}

/// Parts of `sum`, which is at most the sum of `most`, at equal marginal prices; exact.
///
/// # Errors
/// Overflow beyond 256 bits.
pub fn equalise(offers: &[Offer], most: &[U256], sum: U256) -> Result<Vec<U256>, MathError> {
    let one = U256::from(1);
    let (mut low, mut high) = (U256::ZERO, one);
    for offer in offers {
        high = high.max(mul_div_ceil(offer.rate, offer.scarcity_full, U256::from(WAD))? + one);
    }
    while low + one < high {
        let price = (low + high) / U256::from(2);
        if total(&supply(offers, most, price)?) < sum {
            low = price;
        } else {
            high = price;
        }
    }
    let mut parts = supply(offers, most, low)?;
    let Some(mut left) = sum.checked_sub(total(&parts)).filter(|left| !left.is_zero()) else {
        return Ok(vec![U256::ZERO; offers.len()]);
    };
    for (part, next) in parts.iter_mut().zip(supply(offers, most, high)?) {
        let more = left.min(next - *part);
        *part += more;
        left -= more;
    }
    Ok(parts)
}

/// What each pool sells up to a marginal price, wad a year; rounded down, rising with the price.
///
/// # Errors
/// Overflow beyond 256 bits.
pub fn supply(offers: &[Offer], most: &[U256], price: U256) -> Result<Vec<U256>, MathError> {
    let mut parts = Vec::with_capacity(offers.len());
    for (offer, most) in offers.iter().zip(most) {
        let up_to = if most.is_zero() { U256::ZERO } else { offer.exposure_at(price)? };
        parts.push(up_to.saturating_sub(offer.exposure).min(*most));
    }
    Ok(parts)
}

impl Offer {
    /// Exposure at which the marginal price is `price`.
    fn exposure_at(&self, price: U256) -> Result<U256, MathError> {
        let one = U256::from(WAD);
        let scarcity = match (self.rate.is_zero(), price.is_zero()) {
            (true, true) => U256::ZERO,
            (true, false) => U256::MAX,
            (false, _) => mul_div_floor(price, one, self.rate)?,
        };
        if scarcity < one {
            return Ok(U256::ZERO);
        }
        if scarcity < self.scarcity_kink {
            return mul_div_floor(self.kink, scarcity - one, self.scarcity_kink - one);
        }
        if scarcity >= self.scarcity_full {
            return Ok(self.capacity);
        }
        let above = scarcity - self.scarcity_kink;
        let width = self.capacity.saturating_sub(self.kink);
        Ok(self.kink + mul_div_floor(width, above, self.scarcity_full - self.scarcity_kink)?)
    }
}

fn total(parts: &[U256]) -> U256 {
    parts.iter().fold(U256::ZERO, |sum, part| sum + part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn u(value: u128) -> U256 {
        U256::from(value)
    }

    /// A pool by capacity, exposure, kink (of 1,000), rate (of 10,000) and two steps of scarcity (of 10).
    fn offer((capacity, exposure, kink, rate, kinked, full): (u128, u128, u128, u128, u128, u128)) -> Offer {
        let exposure = exposure % capacity;
        let wad = u128::from(WAD);
        Offer {
            capacity: u(capacity),
            kink: u((capacity * kink / 1_000).max(1)),
            scarcity_kink: u(wad + kinked * wad / 10),
            scarcity_full: u(wad + (kinked + full) * wad / 10),
            exposure: u(exposure),
            rate: u(rate * wad / 10_000),
            most: u(capacity - exposure),
        }
    }

    /// What a year costs: the area under the scarcity curve times the rate.
    fn cost(offer: &Offer, sum: U256) -> f64 {
        let f = |x: U256| u128::try_from(x).map_or(f64::MAX, |x| x as f64);
        let wad = WAD as f64;
        let area = |x: f64| {
            let low = x.min(f(offer.kink));
            let slope = (f(offer.scarcity_kink) / wad - 1.0) / f(offer.kink) / 2.0;
            let high = x - low;
            let width = (f(offer.capacity) - f(offer.kink)).max(1.0);
            let steep = (f(offer.scarcity_full) - f(offer.scarcity_kink)) / wad / width / 2.0;
            low + slope * low * low + f(offer.scarcity_kink) / wad * high + steep * high * high
        };
        (area(f(offer.exposure + sum)) - area(f(offer.exposure))) * f(offer.rate) / wad
    }

    fn costs(offers: &[Offer], parts: &[U256]) -> f64 {
        offers.iter().zip(parts).map(|(offer, part)| cost(offer, *part)).sum()
    }

    /// What the steps of one unit in each pool may cost.
    fn step(offers: &[Offer]) -> f64 {
        let one = |o: &Offer| {
            let f = |x: U256| u128::try_from(x).map_or(f64::MAX, |x| x as f64);
            let width = (f(o.capacity) - f(o.kink)).max(1.0);
            f(o.rate) / WAD as f64 * (3.0 / f(o.kink) + 3.0 / width + 1e-6)
        };
        offers.iter().map(one).sum()
    }

    fn pools(size: u128, count: usize) -> impl Strategy<Value = Vec<Offer>> {
        let pool = (2..size, 0..size, 1..1_000u128, 10..5_000u128, 0..20u128, 0..30u128);
        prop::collection::vec(pool.prop_map(offer), 1..count)
    }

    #[test]
    fn a_part_below_the_least_is_left_to_others_or_brought_up() {
        let like = |rate| offer((1_000_000, 0, 500, rate, 10, 20));
        let mut offers = vec![like(500), like(250)];
        let parts = split(&offers, u(800_000), u(160_000)).expect("enough");
        assert_eq!(parts, [u(0), u(800_000)]);
        offers[1].most = u(700_000);
        let parts = split(&offers, u(800_000), u(160_000)).expect("enough");
        assert_eq!(parts, [u(160_000), u(640_000)]);
        let refused = split(&offers, u(1_700_001), u(1));
        assert_eq!(refused, Err(SplitError::NotEnough { wanted: u(1_700_001), offered: u(1_700_000) }));
    }

    proptest! {
        #[test]
        fn no_split_is_cheaper(offers in pools(16, 4), seed in any::<u64>()) {
            let most: U256 = offers.iter().map(|o| o.most).fold(U256::ZERO, |a, b| a + b);
            let sum = U256::from(seed) % most + u(1);
            let parts = split(&offers, sum, u(1)).expect("enough");
            prop_assert_eq!(total(&parts), sum);
            let mut cheapest = f64::MAX;
            let mut tried = vec![(Vec::new(), sum)];
            while let Some((parts, left)) = tried.pop() {
                if parts.len() == offers.len() {
                    if left.is_zero() {
                        cheapest = cheapest.min(costs(&offers, &parts));
                    }
                    continue;
                }
                let mut part = U256::ZERO;
                while part <= left.min(offers[parts.len()].most) {
                    let mut next = parts.clone();
                    next.push(part);
                    tried.push((next, left - part));
                    part += u(1);
                }
            }
            prop_assert!(costs(&offers, &parts) <= cheapest + step(&offers));
        }

        #[test]
        fn no_single_pool_is_cheaper(offers in pools(1_000_000_000_000, 9), seed in any::<u64>()) {
            let most = total(&offers.iter().map(|o| o.most).collect::<Vec<_>>());
            let sum = U256::from(seed) % most + u(1);
            let parts = split(&offers, sum, u(1)).expect("enough");
            prop_assert_eq!(total(&parts), sum);
            let paid = costs(&offers, &parts);
            for (offer, part) in offers.iter().zip(&parts) {
                prop_assert!(*part <= offer.most);
                if offer.most >= sum {
                    let alone = cost(offer, sum);
                    prop_assert!(paid <= alone * (1.0 + 1e-9) + step(&offers), "{paid} and {alone} alone");
                }
            }
        }

        #[test]
        fn every_part_is_none_or_at_least_the_least(
            offers in pools(1_000_000, 6), seed in any::<u64>(), least in 1..200_000u128,
        ) {
            let most = total(&offers.iter().map(|o| o.most).collect::<Vec<_>>());
            let sum = U256::from(seed) % most + u(1);
            if let Ok(parts) = split(&offers, sum, u(least)) {
                prop_assert_eq!(total(&parts), sum);
                for (offer, part) in offers.iter().zip(&parts) {
                    prop_assert!(part.is_zero() || (*part >= u(least) && *part <= offer.most));
                }
            }
        }
    }
}
