//! Bookings: the waterfall, the instant lane, shortfalls and their filling.

use alloy_primitives::{B256, U256};
use breakwater_primitives::{Block, DAY, Wad};
use proptest::prelude::*;

use super::invariants::check;
use super::stage::*;
use crate::booking::{BookedProduct, instant_excess};
use crate::incident::{Measurement, Rung};
use crate::refusal::Refusal;
use crate::waterfall::{Layers, lower, raise};

/// A second gauge with one product, in the stage's pool.
const OTHER_GAUGE: B256 = B256::with_last_byte(0x62);
const OTHER: B256 = B256::with_last_byte(0x73);

fn with_other(stage: &mut Stage) {
    let at = stage.context(CURATOR);
    let info = stage.world.gauges[&GAUGE].clone();
    stage.world.list_gauge(at, OTHER_GAUGE, info).expect("new");
    let mut terms = stage.world.products[&PLAIN].clone();
    terms.gauge = OTHER_GAUGE;
    stage.world.list_product(at, OTHER, terms).expect("new");
    stage.world.set_product(at, POOL, OTHER, 4_000 * K, Wad::new(1)).expect("the lock is enough");
    stage.pass(10 * DAY);
}

fn open_other(stage: &mut Stage, permille: u128) -> u64 {
    let measured = stage.measured(3, permille);
    let at = stage.context(RUNG);
    stage.world.open(at, OTHER_GAUGE, Rung::Proof, KEEPER, measured).expect("a loss").value
}

#[test]
fn a_reserve_takes_the_layers_in_turn_and_gives_them_back_in_reverse() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 3_000 * K, 60);
    stage.pass(10 * DAY);
    let before = stage.pool().layers;
    let incident = stage.open(800);
    let booking = stage.booking(incident);
    assert_eq!((booking.reserved, booking.funded), (2_400 * K, 2_400 * K));
    let [_, junior, mezzanine, _] = booking.limit;
    assert_eq!(booking.charged, [0, junior, mezzanine, 2_400 * K - junior - mezzanine]);
    stage.pass(12);
    stage.revise(incident, 400).expect("lower");
    let booking = stage.booking(incident);
    assert_eq!(booking.charged, [0, junior, 1_200 * K - junior, 0], "senior is whole again first");
    assert_eq!(stage.pool().layers[3], before[3] + stage.pool().layers[3] - before[3]);
    stage.finalise(incident);
    stage.close(incident);
    assert_eq!(stage.booking(incident).charged, Layers::default());
    let after = stage.pool().layers;
    assert!((0..4).all(|i| after[i] >= before[i]));
    check(&stage.world);
}

#[test]
fn the_instant_lane_pays_what_the_lock_is_worth() {
    let mut stage = Stage::set();
    let ids = [ALICE, BOB].map(|owner| stage.buy(owner, INSTANT, 400 * K, 60));
    stage.pass(10 * DAY);
    let incident = stage.open(500);
    // 400 reserved, all of it from junior: 600 are left, and half the shares are locked.
    for account in [ALICE, BOB] {
        stage.lost(incident, account, 200 * K);
    }
    let worth = stage.pool().lock_value(stage.pool().locked).expect("small");
    assert!(worth.abs_diff(300 * K) < K, "{worth}");
    assert_eq!(stage.settle(ids[0], incident), Ok(200 * K));
    let rest = worth - 200 * K;
    assert_eq!(stage.pool().instant_budget(incident), Ok(rest));
    assert_eq!(stage.settle(ids[1], incident), Ok(rest), "what the lock cannot bear waits");
    let settlement = stage.world.policies.get(ids[1]).expect("bought").settlements[&incident];
    assert_eq!((settlement.due, settlement.paid), (rest, rest), "only what is paid is due");
    // The lock cannot leave while it may have to bear.
    let all = stage.pool().locked;
    let refused = stage.act(CURATOR).unlock(all / U256::from(2)).map(|_| ());
    assert!(matches!(refused, Err(Refusal::LockTooSmall { .. })), "{refused:?}");
    stage.finalise(incident);
    assert_eq!(stage.settle(ids[1], incident), Ok(200 * K - rest));
    let booking = stage.booking(incident);
    assert_eq!((booking.paid, booking.due, booking.funded), (400 * K, 400 * K, 400 * K));
    assert_eq!(stage.pool().instant_outstanding(), Ok(0));
}

#[test]
fn the_curator_bears_what_the_lane_paid_too_much() {
    let mut stage = Stage::set();
    stage.deposit(BOB, 1, 1_000 * K);
    let request = stage.time.epoch(DAY);
    stage.pass(DAY);
    stage.act(BOB).claim_deposit(1, request).expect("processed");
    let instant = stage.buy(ALICE, INSTANT, 400 * K, 60);
    let plain = stage.buy(CAROL, PLAIN, 400 * K, 60);
    stage.pass(10 * DAY);
    let incident = stage.open(500);
    stage.lost(incident, ALICE, 200 * K);
    stage.lost(incident, CAROL, 200 * K);
    assert_eq!(stage.settle(instant, incident), Ok(200 * K));
    let held = stage.pool().tranche(1).balance(BOB);
    let value =
        |stage: &Stage| stage.pool().tranche(1).to_assets(held, stage.pool().layers[1]).expect("small");
    stage.pass(12);
    let (locked, others, paid) =
        (stage.pool().locked, value(&stage), stage.world.incidents.get(incident).expect("opened").paid);
    // Half of the loss is left: half of the 200 is the curator's.
    stage.revise(incident, 250).expect("lower");
    let booking = stage.booking(incident);
    assert_eq!((booking.reserved, booking.funded), (200 * K, 200 * K));
    assert_eq!((booking.paid, booking.due, booking.instant_paid), (100 * K, 100 * K, 100 * K));
    assert!(stage.pool().locked < locked);
    assert!(value(&stage) >= others, "the other juniors lose nothing");
    let now = stage.world.incidents.get(incident).expect("opened").paid;
    assert_eq!(paid - now, 100 * K, "and the registry has it back");
    // Whoever was not paid yet is covered in full; who was paid too much gets no more.
    stage.finalise(incident);
    assert_eq!(stage.settle(plain, incident), Ok(100 * K));
    assert_eq!(stage.settle(instant, incident), Err(Refusal::NothingToPay { id: instant, incident }));
    let booking = stage.booking(incident);
    assert_eq!((booking.paid, booking.due), (200 * K, 200 * K));
    check(&stage.world);
}

#[test]
fn a_transient_costs_the_curator_alone() {
    let mut stage = Stage::set();
    let instant = stage.buy(ALICE, INSTANT, 400 * K, 60);
    stage.pass(10 * DAY);
    let capital = stage.pool().capital().expect("small");
    let incident = stage.open(500);
    stage.lost(incident, ALICE, 200 * K);
    stage.settle(instant, incident).expect("the lock is enough");
    stage.pass(12);
    stage.revise(incident, 0).expect("the loan is back");
    let booking = stage.booking(incident);
    assert_eq!((booking.funded, booking.paid, booking.due, booking.instant_paid), (0, 0, 0, 0));
    stage.finalise(incident);
    let lost = capital.saturating_sub(stage.pool().capital().expect("small"));
    assert!(lost <= 200 * K, "{lost}");
    assert_eq!(stage.pool().layers[2] / K, 1_000);
    assert_eq!(stage.pool().layers[3] / K, 2_000);
    check(&stage.world);
}

#[test]
fn an_earlier_onset_shuts_out_who_was_paid_and_covers_the_others() {
    let mut stage = Stage::with(|_| {}, |terms| terms.waiting_period = 60);
    let early = stage.buy(CAROL, PLAIN, 400 * K, 60);
    stage.pass(10 * DAY);
    let late = stage.buy(ALICE, INSTANT, 400 * K, 60);
    stage.pass(120);
    // The second cover began ten blocks ago; the onset is three blocks back, then moves to a hundred back.
    let incident = stage.open(500);
    stage.lost(incident, ALICE, 200 * K);
    assert_eq!(stage.settle(late, incident), Ok(200 * K));
    let old = stage.world.incidents.get(incident).expect("opened").measured;
    let at = stage.context(RUNG);
    let earlier = Measurement {
        onset: Block(old.onset.0 - 100),
        onset_time: breakwater_primitives::Time(old.onset_time.0 - 1_200),
        after_time: breakwater_primitives::Time(old.after_time.0 - 1_200),
        loss: old.loss + old.loss / 5,
        ..old
    };
    stage.world.revise(at, incident, earlier).expect("a greater loss");
    let booking = stage.booking(incident);
    assert_eq!(booking.reserved, 240 * K, "only the first cover was in force then");
    assert_eq!((booking.paid, booking.due, booking.instant_paid), (0, 0, 0), "the curator bears all of it");
    stage.finalise(incident);
    stage.lost(incident, CAROL, 240 * K);
    assert_eq!(stage.settle(early, incident), Ok(240 * K));
    check(&stage.world);
}

#[test]
fn the_excess_by_hand() {
    let old = BookedProduct {
        exposure: 1_000,
        fraction: U256::from(500_000_000_000_000_000u64),
        instant_paid: 100,
    };
    let tenth = |n: u64| U256::from(n * 100_000_000_000_000_000u64);
    let none = U256::ZERO;
    assert_eq!(instant_excess(&old, none, tenth(5)), Ok(0));
    assert_eq!(instant_excess(&old, none, tenth(9)), Ok(0));
    assert_eq!(instant_excess(&old, none, tenth(4)), Ok(20));
    // A third of 100 rounds up.
    let third = BookedProduct { fraction: U256::from(3), ..old };
    assert_eq!(instant_excess(&third, none, U256::from(2)), Ok(34));
    assert_eq!(instant_excess(&old, none, none), Ok(100));
    // 60 of sums shut out may have been paid 30; of the other 70 a fifth.
    assert_eq!(instant_excess(&old, U256::from(60), tenth(4)), Ok(30 + 14));
    assert_eq!(instant_excess(&old, U256::from(1_000), tenth(5)), Ok(100));
    let unpaid = BookedProduct { instant_paid: 0, ..old };
    assert_eq!(instant_excess(&unpaid, U256::from(9), none), Ok(0));
}

#[test]
fn a_pool_in_shortfall_closes_and_pays_everyone_alike_and_more_as_money_comes() {
    let mut stage = Stage::with(|config| config.leverage = breakwater_primitives::Bps::new(30_000), |_| {});
    with_other(&mut stage);
    stage.buy(CAROL, OTHER, 3_000 * K, 60);
    let ids = [ALICE, BOB].map(|owner| stage.buy(owner, PLAIN, 2_000 * K, 60));
    stage.pass(10 * DAY);
    let other = open_other(&mut stage, 1_000);
    let incident = stage.open(1_000);
    // 3,000 for the first, and what is left of the capital of a bit over 4,000 for the second's 4,000.
    let funded = stage.booking(incident).funded;
    assert_eq!(stage.booking(other).funded, 3_000 * K);
    assert!(funded > 1_000 * K && funded < 1_100 * K, "{funded}");
    for account in [ALICE, BOB] {
        stage.lost(incident, account, 2_000 * K);
    }
    stage.finalise(incident);
    assert_eq!(stage.pool().closed_at, None, "short, but nobody has shown that so much is owed");
    let share = 2_000 * K * funded / (4_000 * K);
    for id in ids {
        assert_eq!(stage.settle(id, incident), Ok(share));
        assert_eq!(stage.settle(id, incident), Err(Refusal::NothingToPay { id, incident }));
    }
    assert_eq!(stage.pool().closed_at, Some(stage.time));
    // Nobody proves a loss in the other incident: when its claims are over, its money pays these claims.
    stage.finalise_other(other);
    assert_eq!(stage.booking(incident).funded, 4_000 * K);
    for id in ids {
        assert_eq!(stage.settle(id, incident), Ok(2_000 * K - share));
    }
    check(&stage.world);
}

#[test]
fn releases_fill_the_oldest_short_booking_first() {
    let mut stage = Stage::with(|config| config.leverage = breakwater_primitives::Bps::new(30_000), |_| {});
    with_other(&mut stage);
    stage.buy(CAROL, OTHER, 3_000 * K, 60);
    let id = stage.buy(ALICE, PLAIN, 2_000 * K, 60);
    stage.pass(10 * DAY);
    let other = open_other(&mut stage, 1_000);
    let incident = stage.open(1_000);
    // An answer late in the dwell of the first keeps it open a little longer than the second.
    stage.pass(30 * 12);
    let measured = Measurement {
        reading: Block(stage.block.0 - 1),
        loss: 999_000 * K,
        ..stage.world.incidents.get(other).expect("opened").measured
    };
    let at = stage.context(RUNG);
    let before = stage.booking(incident).funded;
    stage.world.revise(at, other, measured).expect("lower");
    let funded = stage.booking(incident).funded;
    assert_eq!(funded - before, 3 * K, "a thousandth of 3,000");
    stage.lost(incident, ALICE, 2_000 * K);
    stage.finalise(incident);
    let part = stage.settle(id, incident).expect("in part");
    assert_eq!(part, funded);
    assert_eq!(stage.pool().closed_at, Some(stage.time));
    assert_eq!(
        stage.try_buy(BOB, PLAIN, 1, 30).map(|_| ()),
        Err(Refusal::PoolIsClosed { closed_at: stage.time })
    );
    // The other incident proves to be less than was feared, and the claimant gets the rest.
    let measured = Measurement {
        reading: Block(stage.block.0 - 1),
        loss: 500_000 * K,
        ..stage.world.incidents.get(other).expect("opened").measured
    };
    let at = stage.context(RUNG);
    stage.world.revise(at, other, measured).expect("lower");
    assert_eq!(stage.booking(incident).funded, 2_000 * K);
    assert_eq!(stage.settle(id, incident), Ok(2_000 * K - part));
    check(&stage.world);
}

#[test]
fn a_closed_pool_gives_premium_back_without_a_minimum() {
    let mut stage = Stage::with(|config| config.leverage = breakwater_primitives::Bps::new(30_000), |_| {});
    with_other(&mut stage);
    let id = stage.buy(ALICE, PLAIN, 5_000 * K, 60);
    let bystander = stage.buy(BOB, OTHER, 100 * K, 97);
    stage.pass(4 * DAY);
    let incident = stage.open(1_000);
    stage.lost(incident, ALICE, 5_000 * K);
    stage.finalise(incident);
    stage.settle(id, incident).expect("in part");
    assert!(stage.pool().closed_at.is_some());
    let policy = stage.world.policies.get(bystander).expect("bought").policy;
    let rest = policy.stream_rate * U256::from(policy.expiry.since(stage.time));
    let refund = stage.act(BOB).cancel(bystander).expect("nothing touches it");
    assert_eq!(U256::from(refund), rest / U256::from(breakwater_primitives::WAD));
    check(&stage.world);
}

impl Stage {
    /// Finalises and closes an incident of nobody's proven loss.
    fn finalise_other(&mut self, id: u64) {
        self.finalise(id);
        self.close(id);
    }
}

proptest! {
    #[test]
    fn charged_is_always_the_waterfall_of_what_is_left(
        limit in proptest::array::uniform4(0u128..1_000),
        steps in proptest::collection::vec(0u128..4_500, 1..12),
    ) {
        let (mut layers, mut charged) = (limit, Layers::default());
        for wanted in steps {
            let now: u128 = charged.iter().sum();
            if wanted > now {
                raise(wanted - now, &mut layers, &limit, &mut charged);
            } else {
                let give = lower(now - wanted, &mut charged);
                for i in 0..4 {
                    layers[i] += give[i];
                }
            }
            // The same reserve taken from fresh layers.
            let (mut fresh, mut direct) = (limit, Layers::default());
            raise(wanted, &mut fresh, &limit, &mut direct);
            prop_assert_eq!(charged, direct);
            prop_assert_eq!(layers, fresh);
        }
    }

    #[test]
    fn the_excess_leaves_at_most_what_the_reserve_holds(
        sums in proptest::collection::vec((1u128..1_000_000, 0u64..100), 1..8),
        old in 1u64..1_000,
        new in 0u64..1_000,
    ) {
        // Policies that were paid in part at the old fraction; the new reserve holds sum * new for each.
        let wad = u128::from(breakwater_primitives::WAD);
        let (old, new) = (u128::from(old) * wad / 1_000, u128::from(new) * wad / 1_000);
        let paid: Vec<u128> = sums.iter().map(|(sum, part)| sum * old / wad * u128::from(*part) / 100).collect();
        let exposure: u128 = sums.iter().map(|(sum, _)| sum).sum();
        let row = BookedProduct {
            exposure,
            fraction: U256::from(old),
            instant_paid: paid.iter().sum(),
        };
        let excess = instant_excess(&row, U256::ZERO, U256::from(new)).expect("small");
        let left = row.instant_paid - excess;
        // What the others may still be due fits into the rest of the reserve.
        let due: u128 = sums
            .iter()
            .zip(&paid)
            .map(|((sum, _), paid)| (sum * new / wad).saturating_sub(*paid))
            .sum();
        prop_assert!(left + due <= exposure * new / wad);
    }
}
