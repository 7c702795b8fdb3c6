//! The price by hand, and that no way of buying is cheaper than another.

use alloy_primitives::U256;
use breakwater_primitives::{Bps, DAY, Time, WAD, Wad, YEAR};
use proptest::prelude::*;

use crate::ops::sample_configs;
use crate::price::{Curve, Surge, base_rate, premium};
use crate::terms::PoolConfig;

fn config() -> PoolConfig {
    let mut config = sample_configs(
        alloy_primitives::Address::with_last_byte(1),
        alloy_primitives::Address::with_last_byte(2),
    )
    .remove(0);
    config.leverage = Bps::new(20_000);
    config.kink = Wad::new(WAD / 2);
    config.scarcity_kink = Wad::new(2 * WAD);
    config.scarcity_full = Wad::new(4 * WAD);
    config
}

fn wad(units: u64) -> U256 {
    U256::from(units) * U256::from(WAD)
}

#[test]
fn the_integral_by_hand() {
    // Capital 500, leverage 2: capacity 1,000, kink at 500, scarcity 1 to 2 to 4.
    let curve = Curve::new(&config(), 500).expect("small");
    assert_eq!(curve.capacity, 1_000);
    assert_eq!(curve.integral(0), Ok(U256::ZERO));
    // 100 + (2 - 1) * 100^2 / 1,000 = 110
    assert_eq!(curve.integral(100), Ok(wad(110)));
    // 500 + 500^2 / 1,000 = 750: the mean multiplier below the kink is 1.5
    assert_eq!(curve.integral(500), Ok(wad(750)));
    // 750 + 2 * 100 + (4 - 2) * 100^2 / 1,000 = 970
    assert_eq!(curve.integral(600), Ok(wad(970)));
    // 750 + 2 * 500 + 2 * 500^2 / 1,000 = 2,250: the mean multiplier above the kink is 3
    assert_eq!(curve.integral(1_000), Ok(wad(2_250)));
}

#[test]
fn the_base_rate_by_hand() {
    // 2 % + 5 % / 2 = 4.5 %
    let rate = base_rate(Wad::new(WAD / 50), Wad::new(WAD / 20), Bps::new(20_000));
    assert_eq!(rate, Ok(U256::from(WAD / 1_000 * 45)));
    // A third of a wad rounds up.
    let rate = base_rate(Wad::new(0), Wad::new(1), Bps::new(30_000));
    assert_eq!(rate, Ok(U256::from(1)));
}

#[test]
fn the_premium_by_hand() {
    let curve = Curve::new(&config(), 500_000_000).expect("small");
    // From 0 to 500 million: area 750 million; at 4 % a year for half a year 15 million, at surge one 30 million.
    let base = U256::from(WAD / 25);
    let half = YEAR / 2;
    let plain = premium(&curve, 0, 500_000_000, base, Wad::new(0), half);
    assert_eq!(plain, Ok(U256::from(15_000_000)));
    let surged = premium(&curve, 0, 500_000_000, base, Wad::ONE, half);
    assert_eq!(surged, Ok(U256::from(30_000_000)));
    // One second more costs a unit more, rounded up.
    let more = premium(&curve, 0, 500_000_000, base, Wad::new(0), half + 1);
    assert_eq!(more, Ok(U256::from(15_000_001)));
}

#[test]
fn a_pool_without_capital_has_no_room_and_no_price() {
    let curve = Curve::new(&config(), 0).expect("small");
    assert_eq!(curve.capacity, 0);
    assert_eq!(curve.integral(0), Ok(U256::ZERO));
    // The kink of the smallest capacity is zero, and everything is above it.
    let tiny = Curve::new(&PoolConfig { leverage: Bps::new(10_000), ..config() }, 1).expect("small");
    assert_eq!(tiny.integral(1), Ok(wad(3)));
}

#[test]
fn a_surge_halves_and_runs_straight_in_between() {
    let surge = Surge { value: Wad::new(1_000), at: Time(100) };
    let at = |time: u64| surge.now(Time(time), 50).get();
    assert_eq!(at(100), 1_000);
    // Half of a half-life takes a quarter of the value: 1,000 - floor(1,000 * 25 / 100).
    assert_eq!(at(125), 750);
    assert_eq!(at(149), 1_000 - 490);
    assert_eq!(at(150), 500);
    assert_eq!(at(175), 375);
    assert_eq!(at(100 + 50 * 9), 1);
    assert_eq!(at(100 + 50 * 10), 0);
    assert_eq!(at(100 + 50 * 200), 0);
}

#[test]
fn a_reserve_raises_the_surge_up_to_the_most() {
    let mut config = config();
    config.surge_slope = Wad::new(2 * WAD);
    config.surge_max = Wad::new(3 * WAD);
    config.surge_half_life = DAY;
    let surge = Surge { value: Wad::ONE, at: Time(0) };
    // A quarter of the capital reserved: half a wad more; one day has halved what was there.
    let next = surge.raised(&config, Time(DAY), 25, 100).expect("small");
    assert_eq!(next, Surge { value: Wad::new(WAD), at: Time(DAY) });
    let most = surge.raised(&config, Time(0), 500, 100).expect("small");
    assert_eq!(most.value, config.surge_max);
    // An empty pool counts as one unit of capital.
    assert_eq!(surge.raised(&config, Time(0), 1, 0).expect("small").value, config.surge_max);
}

proptest! {
    #[test]
    fn the_curve_rises_and_steepens(capital in 2u128..1 << 60, x in 0u128..1 << 60, step in 1u128..1 << 50) {
        let curve = Curve::new(&config(), capital).expect("in range");
        let room = curve.capacity;
        let x = x % room;
        let step = (step % (room - x)).max(1);
        let (a, b) = (curve.integral(x).expect("in range"), curve.integral(x + step).expect("in range"));
        // At least one for each unit (less a rounding), at most the full multiplier.
        prop_assert!(b + U256::from(2) >= a + U256::from(step) * U256::from(WAD));
        prop_assert!(b <= a + U256::from(step) * U256::from(4 * WAD) + U256::from(2));
    }

    #[test]
    fn splitting_is_never_cheaper(
        capital in 10u128..1 << 70,
        exposure in any::<u128>(),
        first in 1u128..1 << 70,
        second in 1u128..1 << 70,
        surge in 0u64..WAD,
        rate in 0u64..WAD,
        term in 1u64..YEAR,
    ) {
        let curve = Curve::new(&config(), capital).expect("in range");
        let exposure = exposure % curve.capacity;
        let room = curve.capacity - exposure;
        let whole = (first + second).min(room);
        let first = first.min(whole);
        let base = base_rate(Wad::new(rate), Wad::new(WAD / 20), Bps::new(20_000)).expect("small");
        let price = |from: u128, sum: u128| {
            premium(&curve, from, sum, base, Wad::new(surge), term).expect("in range")
        };
        let split = price(exposure, first) + price(exposure + first, whole - first);
        prop_assert!(split >= price(exposure, whole));
        // Rounding costs a buyer at most two units a part.
        prop_assert!(split <= price(exposure, whole) + U256::from(4));
    }
}
