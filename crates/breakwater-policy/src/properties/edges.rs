//! Edges that a long random run does not reach.

use alloy_primitives::U256;
use breakwater_primitives::{Bps, DAY, Time, WAD, Wad, YEAR};

use super::invariants::check;
use super::stage::*;
use crate::incident::{Measurement, Rung};
use crate::ops::sample_configs;
use crate::price::{Curve, premium};
use crate::refusal::Refusal;
use crate::terms::PoolConfig;

/// Money that comes to a layer from nowhere, as an auction of salvage might bring it.
fn gift(stage: &mut Stage, layer: usize, amount: u128) {
    stage.world.ledger.mint(ASSET, POOL, U256::from(amount)).expect("fits");
    stage.world.pools.get_mut(&POOL).expect("registered").layers[layer] += amount;
}

#[test]
fn what_nobody_bears_stays_charged() {
    let mut stage = Stage::set();
    gift(&mut stage, 0, 400 * K);
    let id = stage.buy(ALICE, INSTANT, 800 * K, 60);
    stage.pass(10 * DAY);
    let incident = stage.open(500);
    assert_eq!(stage.booking(incident).charged, [400 * K, 0, 0, 0], "surplus reserves all of it");
    stage.lost(incident, ALICE, 200 * K);
    assert_eq!(stage.settle(id, incident), Ok(200 * K));
    // Something else takes junior whole; then the loss turns out to be a fifth, and the curator has nothing.
    let junior = std::mem::take(&mut stage.world.pools.get_mut(&POOL).expect("registered").layers[1]);
    stage.pass(12);
    stage.revise(incident, 100).expect("lower");
    let booking = stage.booking(incident);
    // Of 200 that were paid, 40 are within the reserve.
    assert_eq!((booking.reserved, booking.funded, booking.paid), (80 * K, 240 * K, 200 * K));
    assert_eq!(booking.charged, [240 * K, 0, 0, 0]);
    assert_eq!((booking.instant_paid, booking.uncovered), (40 * K, 160 * K));
    // The next revision finds no excess and still may not release what was paid.
    stage.pass(12);
    stage.revise(incident, 90).expect("lower");
    let booking = stage.booking(incident);
    assert_eq!((booking.reserved, booking.uncovered, booking.paid), (72 * K, 164 * K, 200 * K));
    assert_eq!(booking.funded, 236 * K);
    stage.world.pools.get_mut(&POOL).expect("registered").layers[1] = junior;
    check(&stage.world);
}

#[test]
fn cover_that_begins_within_the_onset_is_not_touched() {
    let mut stage = Stage::with(|_| {}, |terms| terms.waiting_period = 60);
    stage.pass(3_600);
    let id = stage.buy(ALICE, PLAIN, 1_000 * K, 60);
    let inception = stage.world.policies.get(id).expect("bought").policy.inception;
    // The onset's block is half a slot before the inception, the next one half a slot after it.
    stage.pass(120);
    let measured = Measurement {
        onset_time: Time(inception.0 - 6),
        after_time: Time(inception.0 + 6),
        ..stage.measured(6, 500)
    };
    let at = stage.context(RUNG);
    let incident = stage.world.open(at, GAUGE, Rung::Proof, KEEPER, measured).expect("a loss").value;
    assert!(stage.pool().bookings.is_empty(), "nothing was in force at the onset");
    stage.lost(incident, ALICE, 500 * K);
    stage.finalise(incident);
    assert_eq!(stage.settle(id, incident), Err(Refusal::NotTouched { id, incident }));
}

#[test]
fn a_release_to_shares_that_were_nobodys_goes_to_surplus() {
    let mut stage = Stage::empty(|_| {}, |_| {});
    stage.deposit(CURATOR, 1, 1_000 * K);
    let request = stage.time.epoch(DAY);
    stage.pass(DAY);
    stage.act(CURATOR).claim_deposit(1, request).expect("processed");
    let shares = stage.pool().tranche(1).balance(CURATOR);
    stage.act(CURATOR).lock(shares).expect("his");
    stage.act(CURATOR).cap(PLAIN, 4_000 * K).expect("the lock is enough");
    stage.pass(10 * DAY);
    gift(&mut stage, 2, 500 * K);
    stage.buy(ALICE, PLAIN, 1_500 * K, 60);
    stage.pass(10 * DAY);
    let incident = stage.open(900);
    let charged = stage.booking(incident).charged;
    assert!(charged[2] > 340 * K, "{charged:?}");
    stage.finalise(incident);
    // Bob joins mezzanine before the release: it is not his.
    stage.deposit(BOB, 2, 1_000 * K);
    let request = stage.time.epoch(DAY);
    stage.pass(DAY);
    stage.act(BOB).claim_deposit(2, request).expect("processed");
    let surplus = stage.pool().layers[0];
    let mezzanine = stage.pool().layers[2];
    stage.close(incident);
    assert_eq!(stage.pool().layers[0] - surplus, charged[2]);
    assert!(stage.pool().layers[2] - mezzanine < 20 * K, "only premium came to mezzanine");
    check(&stage.world);
}

#[test]
fn a_paid_claim_has_used_its_part_of_the_premium_up() {
    let (mut paid, mut unpaid) = (Stage::set(), Stage::set());
    let mut refunds = Vec::new();
    for (stage, claims) in [(&mut paid, true), (&mut unpaid, false)] {
        let id = stage.buy(ALICE, PLAIN, 1_000 * K, 200);
        stage.pass(10 * DAY);
        let incident = stage.open(750);
        stage.finalise(incident);
        if claims {
            stage.lost(incident, ALICE, 750 * K);
            assert_eq!(stage.settle(id, incident), Ok(750 * K));
        }
        stage.close(incident);
        refunds.push(stage.act(ALICE).cancel(id).expect("claims are over"));
        assert_eq!(stage.pool().exposure, 0);
        check(&stage.world);
    }
    assert_eq!(refunds[0], refunds[1] / 4, "a quarter of the sum was left");
}

#[test]
fn a_claim_that_is_owed_outlives_the_cover() {
    let mut stage = Stage::with(|config| config.leverage = Bps::new(30_000), |_| {});
    let id = stage.buy(ALICE, PLAIN, 5_000 * K, 200);
    stage.pass(10 * DAY);
    let incident = stage.open(1_000);
    stage.lost(incident, ALICE, 4_800 * K);
    stage.finalise(incident);
    let part = stage.settle(id, incident).expect("in part");
    stage.close(incident);
    let (due, paid) = (4_800 * K, part);
    assert!(paid < due);
    assert_eq!(stage.act(ALICE).cancel(id), Err(Refusal::StillOwed { id, due, paid }));
    // The cover may go, down to what is due and no further.
    let below = Refusal::SumBelowMinimum { sum: 0, minimum: 1 };
    assert_eq!(stage.act(ALICE).lower(id, due - 1), Err(below));
    stage.act(ALICE).lower(id, due).expect("the claim stands alone");
    let policy = stage.world.policies.get(id).expect("bought").policy;
    assert_eq!((policy.sum, policy.stream_rate), (due, U256::ZERO));
    // Once claims are over only 4,800 need be shared out instead of 5,000, and what is there is all paid.
    let funded = stage.booking(incident).funded;
    assert!(part < funded && funded < due, "{part} {funded}");
    assert_eq!(stage.settle(id, incident), Ok(funded - part));
    assert_eq!(stage.settle(id, incident), Err(Refusal::NothingToPay { id, incident }));
    check(&stage.world);
}

#[test]
fn both_steps_of_the_premium_round_up() {
    let configs = sample_configs(ASSET, CURATOR);
    let config = PoolConfig {
        leverage: Bps::new(20_000),
        kink: Wad::new(WAD / 2),
        scarcity_kink: Wad::new(2 * WAD),
        ..configs[0].clone()
    };
    // The kink is at 2.5e17, so the first unit has an area of 1e18 + 2; at 1e18 − 1 a year that is 1e18 + 1 − 2e−18.
    let curve = Curve::new(&config, 250_000_000_000_000_000).expect("small");
    assert_eq!(curve.integral(1), Ok(U256::from(WAD + 2)));
    let price = premium(&curve, 0, 1, U256::from(WAD - 1), Wad::new(0), YEAR);
    assert_eq!(price, Ok(U256::from(2)));
}

#[test]
fn an_asset_with_a_stranger_in_it_changes_nothing() {
    // A donation to the pool's balance is nobody's: prices, capital and capacity stay.
    let mut stage = Stage::set();
    let before = stage.world.words(stage.time);
    stage.world.ledger.mint(ASSET, POOL, U256::from(1_000_000 * K)).expect("fits");
    stage.act(KEEPER).accrue();
    assert_eq!(stage.world.words(stage.time), before);
}

#[test]
fn what_is_funded_above_the_reserve_pays_nobody_more_than_is_due() {
    let mut stage = Stage::set();
    gift(&mut stage, 0, 400 * K);
    let first = stage.buy(ALICE, INSTANT, 400 * K, 60);
    let second = stage.buy(BOB, INSTANT, 400 * K, 60);
    stage.pass(10 * DAY);
    let incident = stage.open(500);
    stage.lost(incident, ALICE, 200 * K);
    stage.lost(incident, BOB, 200 * K);
    assert_eq!(stage.settle(first, incident), Ok(200 * K));
    let junior = std::mem::take(&mut stage.world.pools.get_mut(&POOL).expect("registered").layers[1]);
    stage.pass(12);
    stage.revise(incident, 100).expect("lower, and nobody bears the rest");
    stage.world.pools.get_mut(&POOL).expect("registered").layers[1] = junior;
    stage.pass(12);
    stage.revise(incident, 500).expect("up to the peak again");
    let booking = stage.booking(incident);
    assert!(booking.funded > booking.reserved, "{booking:?}");
    stage.finalise(incident);
    assert_eq!(stage.settle(second, incident), Ok(200 * K));
    assert_eq!(stage.settle(first, incident), Err(Refusal::NothingToPay { id: first, incident }));
    check(&stage.world);
}

#[test]
fn where_nobody_bore_an_excess_every_other_claimant_finds_all_of_his() {
    let mut stage = Stage::set();
    gift(&mut stage, 0, 400 * K);
    let first = stage.buy(ALICE, INSTANT, 400 * K, 60);
    let second = stage.buy(BOB, PLAIN, 400 * K, 60);
    stage.pass(10 * DAY);
    let incident = stage.open(500);
    stage.lost(incident, ALICE, 200 * K);
    stage.lost(incident, BOB, 200 * K);
    assert_eq!(stage.settle(first, incident), Ok(200 * K));
    let junior = std::mem::take(&mut stage.world.pools.get_mut(&POOL).expect("registered").layers[1]);
    stage.pass(12);
    stage.revise(incident, 100).expect("lower");
    stage.world.pools.get_mut(&POOL).expect("registered").layers[1] = junior;
    let booking = stage.booking(incident);
    assert_eq!((booking.reserved, booking.uncovered, booking.funded), (80 * K, 160 * K, 240 * K));
    stage.finalise(incident);
    assert_eq!(stage.settle(second, incident), Ok(40 * K));
    assert_eq!(stage.pool().closed_at, None);
    check(&stage.world);
}

#[test]
fn the_lock_stays_for_what_the_lane_has_paid() {
    let mut stage = Stage::with(|config| config.curator_share = Bps::new(100), |_| {});
    let id = stage.buy(ALICE, INSTANT, 400 * K, 60);
    let at = stage.context(CURATOR);
    for product in [PLAIN, INSTANT] {
        stage.world.set_product(at, POOL, product, 0, Wad::new(RATE)).expect("a lower cap acts at once");
    }
    stage.pass(10 * DAY);
    let incident = stage.open(500);
    stage.lost(incident, ALICE, 200 * K);
    assert_eq!(stage.settle(id, incident), Ok(200 * K));
    let all = stage.pool().locked;
    let refused = stage.act(CURATOR).unlock(all).map(|_| ());
    let value = U256::ZERO;
    assert_eq!(refused, Err(Refusal::LockTooSmall { needed: U256::from(200 * K), value }));
    stage.finalise(incident);
    // Of 400 that were insured 200 are paid; a hundredth of the rest stays until it counts no more.
    let refused = stage.act(CURATOR).unlock(all).map(|_| ());
    assert_eq!(refused, Err(Refusal::LockTooSmall { needed: U256::from(2 * K), value }));
    stage.pass(100 * DAY);
    stage.act(CURATOR).unlock(all).expect("nothing is bought, and nothing dwells");
    let more = stage.act(CURATOR).unlock(U256::from(1)).map(|_| ());
    assert_eq!(more, Err(Refusal::LockTooSmall { needed: U256::from(1), value }));
}

#[test]
fn a_lower_rate_comes_into_force_after_its_wait() {
    let mut stage = Stage::set();
    let at = stage.context(CURATOR);
    let cheaper = Wad::new(WAD / 100);
    stage.world.set_product(at, POOL, PLAIN, 9_000 * K, cheaper).expect("less cap, less rate");
    let setting = |stage: &Stage| stage.pool().products[&PLAIN].setting(stage.time);
    assert_eq!((setting(&stage).cap, setting(&stage).floor_rate), (9_000 * K, Wad::new(RATE)));
    stage.pass(3 * DAY);
    assert_eq!((setting(&stage).cap, setting(&stage).floor_rate), (9_000 * K, cheaper));
}

#[test]
fn the_curator_bears_before_a_release_fills_others() {
    let mut stage = Stage::with(|config| config.leverage = Bps::new(30_000), |_| {});
    let id = stage.buy(ALICE, INSTANT, 800 * K, 60);
    stage.pass(10 * DAY);
    let incident = stage.open(500);
    stage.lost(incident, ALICE, 200 * K);
    assert_eq!(stage.settle(id, incident), Ok(200 * K));
    // A booking of another incident takes all that is left and is short of 1,000.
    let pool = stage.world.pools.get_mut(&POOL).expect("registered");
    let charged = std::mem::take(&mut pool.layers);
    let funded: u128 = charged.iter().sum();
    let short = crate::booking::Booking {
        reserved: funded + 1_000 * K,
        funded,
        limit: charged,
        charged,
        opened_at: stage.block,
        settled: true,
        ..Default::default()
    };
    pool.bookings.insert(99, short);
    pool.shorts.push_back(99);
    stage.pass(12);
    stage.revise(incident, 0).expect("the loan is back");
    // Of the 400 that come back to junior 200 are the curator's to bear, the other 200 fill the short booking.
    assert_eq!(stage.booking(99).funded - funded, 200 * K);
    let booking = stage.booking(incident);
    assert_eq!((booking.funded, booking.paid, booking.instant_paid), (0, 0, 0));
    check(&stage.world);
}

#[test]
fn what_the_curator_recovers_is_locked_again() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 1_000 * K, 60);
    stage.pass(10 * DAY);
    let incident = stage.open(500);
    stage.finalise(incident);
    stage.close(incident);
    let locked = stage.pool().locked;
    let shares = stage.act(CURATOR).recover(1, incident).expect("his junior was charged");
    assert_eq!(stage.pool().locked, locked + shares);
    let worth = stage.pool().lock_value(stage.pool().locked).expect("small");
    assert!(worth + K >= 500 * K, "the lock is worth {worth} again");
    check(&stage.world);
}

#[test]
fn a_layer_taken_but_for_dust_counts_as_if_a_thousandth_had_stayed() {
    let stage = Stage::set();
    let tranche = stage.pool().tranche(2);
    let supply = tranche.supply() + U256::from(1_000_000);
    let amount = 1_000 * K;
    // With a tenth left the price is what is left; with a millionth it is a thousandth of what comes back.
    let plenty = tranche.to_recovery_shares(amount, 100 * K);
    assert_eq!(plenty, Ok(U256::from(amount) * supply / U256::from(100 * K + 1)));
    let dust = tranche.to_recovery_shares(amount, K / 1_000);
    assert_eq!(dust, Ok(U256::from(amount) * supply / U256::from(K + 1)));
}
