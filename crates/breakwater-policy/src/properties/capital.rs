//! Capital: what comes in, what leaves, and to whom comes back what was not lost.

use alloy_primitives::U256;
use breakwater_primitives::{Bps, DAY};
use proptest::prelude::*;

use super::invariants::check;
use super::stage::*;
use crate::refusal::Refusal;

/// Value of all shares of an account in a layer, pool units.
fn value(stage: &Stage, account: alloy_primitives::Address, layer: usize) -> u128 {
    let tranche = stage.pool().tranche(layer);
    tranche.to_assets(tranche.balance(account), stage.pool().layers[layer]).expect("small")
}

#[test]
fn a_deposit_is_priced_in_the_next_epoch() {
    let mut stage = Stage::set();
    stage.deposit(BOB, 2, 500 * K);
    let request = stage.time.epoch(DAY);
    assert_eq!(stage.act(BOB).claim_deposit(2, request), Err(Refusal::NotProcessed { request_id: request }));
    assert_eq!(stage.pool().layers[2], 1_000 * K);
    stage.pass(DAY);
    let shares = stage.act(BOB).claim_deposit(2, request).expect("processed");
    // The first deposit of 1,000 K was worth a million shares a unit, and nothing has been earned.
    assert_eq!(shares, U256::from(500 * K) * U256::from(1_000_000));
    assert_eq!(stage.pool().layers[2], 1_500 * K);
    let nothing = Refusal::NothingToClaim { request_id: request, controller: BOB };
    assert_eq!(stage.act(BOB).claim_deposit(2, request), Err(nothing));
}

#[test]
fn a_redemption_waits_cools_and_is_paid_once() {
    let mut stage = Stage::set();
    let shares = stage.pool().tranche(2).balance(CAROL) / U256::from(4);
    let request = stage.act(CAROL).redeem(2, shares).expect("hers");
    // Requested on day n with a cooldown of one day: payable from day n + 3 on.
    assert_eq!(request, stage.time.epoch(DAY) + 3);
    stage.pass(2 * DAY);
    stage.act(KEEPER).accrue();
    let nothing = Refusal::NothingToClaim { request_id: request, controller: CAROL };
    assert_eq!(stage.act(CAROL).claim_redeem(2, request), Err(nothing.clone()));
    stage.pass(DAY);
    stage.act(KEEPER).accrue();
    let had = stage.balance(CAROL);
    assert_eq!(stage.act(CAROL).claim_redeem(2, request), Ok(250 * K));
    assert_eq!(stage.balance(CAROL) - had, 250 * K);
    assert_eq!(stage.act(CAROL).claim_redeem(2, request), Err(nothing));
    assert_eq!(stage.pool().layers[2], 750 * K);
    check(&stage.world);
}

#[test]
fn an_exit_leaves_what_exposure_needs_and_rolls() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 3_500 * K, 200);
    let all = stage.pool().tranche(3).balance(CAROL);
    let request = stage.act(CAROL).redeem(3, all).expect("hers");
    stage.pass(5 * DAY);
    stage.act(KEEPER).accrue();
    // 4,000 and a bit of premium are there, 3,500 must stay.
    let first = stage.act(CAROL).claim_redeem(3, request).expect("in part");
    assert!((500 * K..520 * K).contains(&first), "{first}");
    assert!(stage.pool().capital().expect("small") >= 3_500 * K);
    let refused = stage.world.process_redemptions(stage.context(KEEPER), POOL, 3).map(|e| e.value);
    assert_eq!(refused, Err(Refusal::NothingMatured { epoch: stage.time.epoch(DAY) }), "once an epoch");
    // The cover ends and its report window too: the rest is free.
    stage.pass(230 * DAY);
    stage.act(KEEPER).accrue();
    let second = stage.act(CAROL).claim_redeem(3, request).expect("the rest");
    assert!(first + second >= 2_000 * K, "what rolls earns");
    assert_eq!(stage.pool().tranche(3).supply(), U256::ZERO);
    check(&stage.world);
}

#[test]
fn the_subordination_holds_the_lower_layers() {
    // Junior and mezzanine must stay a quarter: of 4,000 that is 1,000, with 2,000 senior above them.
    let mut stage = Stage::with(|config| config.subordination = Bps::new(2_500), |_| {});
    assert_eq!(stage.pool().exitable(3, stage.time), Ok(4_000 * K));
    // After x has left: 2,000 - x = (4,000 - x) / 4.
    assert_eq!(stage.pool().exitable(1, stage.time), Ok(1_333_333_333));
    let all = stage.pool().tranche(2).balance(CAROL);
    stage.act(CAROL).redeem(2, all).expect("hers");
    let locked = stage.pool().locked;
    let over = stage.pool().tranche(1).balance(CURATOR);
    assert_eq!(stage.act(CURATOR).redeem(1, over), Err(Refusal::SharesLocked { locked, left: U256::ZERO }));
}

#[test]
fn queued_shares_are_slashed_and_recover() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 2_000 * K, 60);
    stage.pass(10 * DAY);
    let half = stage.pool().tranche(2).balance(CAROL) / U256::from(2);
    let request = stage.act(CAROL).redeem(2, half).expect("hers");
    stage.pass(12);
    let incident = stage.open(750);
    // 1,500 reserved: junior's 1,000 and a bit less than 500 of mezzanine.
    let lost = stage.booking(incident).charged[2];
    assert!(lost > 480 * K && lost <= 500 * K, "{lost}");
    stage.finalise(incident);
    stage.pass(4 * DAY);
    stage.act(KEEPER).accrue();
    let paid = stage.act(CAROL).claim_redeem(2, request).expect("what is left of it");
    assert!(paid > 240 * K && paid < 270 * K, "about half of 500: {paid}");
    // Nobody claims: what was reserved comes back to those who stood there, in the queue and out of it.
    stage.close(incident);
    let held = stage.act(CAROL).recover(2, incident).expect("held at the time");
    let queued = stage.act(CAROL).recover_queued(2, incident, request).expect("queued at the time");
    assert!(held.abs_diff(queued) <= U256::from(1), "{held} and {queued}");
    let again = stage.act(CAROL).recover(2, incident);
    assert_eq!(again, Err(Refusal::NothingToRecover { incident, account: CAROL }));
    check(&stage.world);
}

#[test]
fn later_joiners_recover_nothing() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 3_000 * K, 60);
    stage.pass(10 * DAY);
    let worth = value(&stage, CAROL, 2);
    let incident = stage.open(600);
    stage.finalise(incident);
    // Mezzanine has lost four fifths. Bob buys in at that price.
    let price = stage.pool().layers[2];
    assert!(price < 250 * K, "{price}");
    stage.deposit(BOB, 2, 1_000 * K);
    let request = stage.time.epoch(DAY);
    stage.pass(DAY);
    stage.act(BOB).claim_deposit(2, request).expect("processed");
    stage.close(incident);
    // The 800 that nobody was owed came back for the shares of the block before the opening.
    let bob = value(&stage, BOB, 2);
    assert!(bob <= 1_000 * K + 10 * K, "Bob has {bob} of his 1,000");
    let refused = stage.act(BOB).recover(2, incident);
    assert_eq!(refused, Err(Refusal::NothingToRecover { incident, account: BOB }));
    stage.act(CAROL).recover(2, incident).expect("hers");
    let carol = value(&stage, CAROL, 2);
    assert!(carol + 5 * K >= worth, "Carol has {carol} of her {worth}");
    check(&stage.world);
}

#[test]
fn shares_bought_in_the_block_of_the_opening_recover_nothing() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 3_000 * K, 60);
    stage.pass(10 * DAY);
    let at = stage.context(CAROL);
    let all = stage.pool().tranche(2).balance(CAROL);
    stage.world.transfer_shares(at, POOL, 2, BOB, all).expect("hers");
    let incident = stage.open(600);
    stage.finalise(incident);
    stage.close(incident);
    let refused = stage.act(BOB).recover(2, incident);
    assert_eq!(refused, Err(Refusal::NothingToRecover { incident, account: BOB }));
    stage.act(CAROL).recover(2, incident).expect("she held them at the end of the block before");
}

#[test]
fn a_layer_that_was_taken_whole_comes_back_by_its_price() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 4_000 * K, 60);
    stage.pass(10 * DAY);
    let before = value(&stage, CAROL, 2);
    let incident = stage.open(900);
    assert_eq!((stage.pool().layers[1], stage.pool().layers[2]), (0, 0));
    assert!(stage.pool().tranche(2).is_worthless(0));
    let at = stage.context(BOB);
    let refused = stage.world.request_deposit(at, POOL, 2, K, BOB, BOB).map(|e| e.value);
    assert_eq!(refused, Err(Refusal::TrancheIsClosed));
    stage.finalise(incident);
    stage.close(incident);
    assert!(value(&stage, CAROL, 2) >= before, "no shares were minted, so the price is back");
    assert_eq!(
        stage.act(CAROL).recover(2, incident),
        Err(Refusal::NothingToRecover { incident, account: CAROL })
    );
    check(&stage.world);
}

#[test]
fn pending_deposits_of_a_closed_tranche_go_back() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 4_000 * K, 60);
    stage.pass(10 * DAY);
    let request = stage.time.epoch(DAY);
    let had = stage.balance(BOB);
    stage.deposit(BOB, 2, 100 * K);
    let incident = stage.open(900);
    stage.finalise(incident);
    stage.pass(DAY);
    assert_eq!(stage.act(BOB).claim_deposit(2, request), Ok(U256::ZERO));
    assert_eq!(stage.balance(BOB), had);
    assert_eq!(stage.pool().tranche(2).held, 0);
    check(&stage.world);
}

#[test]
fn nobody_enters_or_leaves_while_a_booking_dwells() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 500 * K, 60);
    stage.pass(10 * DAY);
    let shares = stage.pool().tranche(3).balance(CAROL) / U256::from(2);
    let cohort = stage.act(CAROL).redeem(3, shares).expect("hers");
    stage.deposit(BOB, 3, 100 * K);
    let request = stage.time.epoch(DAY);
    // The exit would be payable now, in the very block of the opening.
    stage.pass(3 * DAY);
    let incident = stage.open(500);
    stage.act(KEEPER).accrue();
    assert_eq!(stage.act(BOB).claim_deposit(3, request), Err(Refusal::NotProcessed { request_id: request }));
    let nothing = Refusal::NothingToClaim { request_id: cohort, controller: CAROL };
    assert_eq!(stage.act(CAROL).claim_redeem(3, cohort), Err(nothing));
    let at = stage.context(KEEPER);
    let refused = stage.world.process_redemptions(at, POOL, 3).map(|effects| effects.value);
    assert_eq!(refused, Err(Refusal::NothingMatured { epoch: stage.time.epoch(DAY) }));
    stage.finalise(incident);
    stage.act(BOB).claim_deposit(3, request).expect("the dwell is over");
    stage.act(CAROL).claim_redeem(3, cohort).expect("the dwell is over");
}

#[test]
fn new_cover_waits_until_underwriters_could_leave() {
    let mut stage = Stage::set();
    let at = stage.context(CURATOR);
    let setting = |stage: &Stage| stage.pool().products[&PLAIN].setting(stage.time);
    stage.act(CURATOR).cap(PLAIN, 1_000 * K).expect("tighter");
    assert_eq!(setting(&stage).cap, 1_000 * K, "a lower cap acts at once");
    stage.act(CURATOR).cap(PLAIN, 4_000 * K).expect("the lock is enough");
    assert_eq!(setting(&stage).cap, 1_000 * K);
    stage.pass(3 * DAY - 1);
    assert_eq!(setting(&stage).cap, 1_000 * K);
    stage.pass(1);
    assert_eq!(setting(&stage).cap, 4_000 * K, "one day of cooldown and two epochs");
    // A lower rate waits with its cap, a higher one does not.
    let rate = |bps: u64| breakwater_primitives::Wad::new(bps * 100_000_000_000_000);
    let at = crate::Context { time: stage.time, ..at };
    stage.world.set_product(at, POOL, PLAIN, 4_000 * K, rate(900)).expect("dearer");
    assert_eq!(setting(&stage).floor_rate, rate(900));
    stage.world.set_product(at, POOL, PLAIN, 3_000 * K, rate(100)).expect("cheaper");
    assert_eq!((setting(&stage).cap, setting(&stage).floor_rate), (3_000 * K, rate(900)));
    // The lock must carry the caps: 1 % of 60,000 is more than the 500 it is worth.
    let refused = stage.act(CURATOR).cap(PLAIN, 60_000 * K).map(|_| ());
    assert!(matches!(refused, Err(Refusal::LockTooSmall { .. })), "{refused:?}");
}

#[test]
fn a_first_depositor_cannot_take_from_the_second() {
    // The attacker buys one unit's worth of shares, lets a great premium inflate them, and the victim follows.
    let mut stage = Stage::empty(|_| {}, |_| {});
    stage.deposit(ALICE, 1, 1);
    stage.pass(DAY);
    stage.act(KEEPER).accrue();
    // Whatever lifts the layer is a gift to it: here a thousand units of surplus moved by hand.
    let gift = 1_000 * K;
    let pool = stage.world.pools.get_mut(&POOL).expect("registered");
    pool.layers[1] += gift;
    stage.world.ledger.mint(ASSET, POOL, U256::from(gift)).expect("fits");
    stage.deposit(BOB, 1, 1_500 * K);
    let request = stage.time.epoch(DAY);
    stage.pass(DAY);
    let claimed = stage.act(BOB).claim_deposit(1, request);
    let shares = claimed.expect("processed or returned");
    let alice = {
        let tranche = stage.pool().tranche(1);
        tranche.to_assets(U256::from(1_000_000), stage.pool().layers[1]).expect("small")
    };
    let bob = {
        let tranche = stage.pool().tranche(1);
        tranche.to_assets(shares, stage.pool().layers[1]).expect("small")
    };
    assert!(alice <= gift, "the attacker is left with {alice} of his gift of {gift}");
    assert!(bob + bob / 1_000 + 2 * K >= 1_500 * K, "the victim has {bob} of 1,500");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn inflation_costs_more_than_it_brings(
        first in 1u128..1_000,
        gift in 1u128..1_000_000 * K,
        victim in 1u128..1_000_000 * K,
    ) {
        let mut stage = Stage::empty(|_| {}, |_| {});
        stage.deposit(ALICE, 1, first);
        stage.pass(DAY);
        stage.act(KEEPER).accrue();
        let pool = stage.world.pools.get_mut(&POOL).expect("registered");
        pool.layers[1] += gift;
        stage.world.ledger.mint(ASSET, POOL, U256::from(gift)).expect("fits");
        stage.deposit(BOB, 1, victim);
        stage.pass(DAY);
        stage.act(KEEPER).accrue();
        let tranche = stage.pool().tranche(1);
        let attacker = U256::from(first) * U256::from(1_000_000);
        let left = tranche.to_assets(attacker, stage.pool().layers[1]).expect("small");
        prop_assert!(left <= first + gift, "{left} of {first} and {gift}");
    }

    #[test]
    fn no_redemption_is_paid_more_than_its_value(
        part in 1u64..100,
        sum in 1u128..3_500 * K,
        permille in 50u128..1_000,
        claims in any::<bool>(),
        wait in 1u64..40,
    ) {
        let mut stage = Stage::set();
        let id = stage.buy(ALICE, PLAIN, sum, 60);
        stage.pass(10 * DAY);
        stage.act(KEEPER).accrue();
        let shares = stage.pool().tranche(3).balance(CAROL) * U256::from(part) / U256::from(100);
        let requested = stage.pool().tranche(3).to_assets(shares, stage.pool().layers[3]).expect("small");
        let request = stage.act(CAROL).redeem(3, shares).expect("hers");
        let incident = stage.open(permille);
        stage.finalise(incident);
        if claims {
            stage.lost(incident, ALICE, sum * permille / 1_000);
            let _ = stage.settle(id, incident);
        }
        stage.pass(wait * DAY);
        stage.act(KEEPER).accrue();
        let paid = stage.act(CAROL).claim_redeem(3, request).unwrap_or(0);
        prop_assert!(paid <= requested, "{paid} paid of {requested}");
        check(&stage.world);
    }

    #[test]
    fn recoveries_add_up(
        parts in proptest::collection::vec(1u64..50, 1..4),
        permille in 300u128..1_000,
        kept in 0u128..300,
    ) {
        // Carol spreads her mezzanine over accounts and the queue, then half of a loss comes back.
        let mut stage = Stage::set();
        stage.buy(ALICE, PLAIN, 3_000 * K, 60);
        stage.pass(10 * DAY);
        let all = stage.pool().tranche(2).balance(CAROL);
        for (i, part) in parts.iter().enumerate() {
            let at = stage.context(CAROL);
            let to = alloy_primitives::Address::with_last_byte(40 + i as u8);
            let shares = all * U256::from(*part) / U256::from(200);
            stage.world.transfer_shares(at, POOL, 2, to, shares).expect("hers");
        }
        let request = stage.act(CAROL).redeem(2, all / U256::from(10)).expect("hers");
        stage.pass(12);
        let incident = stage.open(permille);
        stage.pass(12);
        stage.revise(incident, permille.saturating_sub(kept).max(50)).ok();
        stage.finalise(incident);
        stage.close(incident);
        let minted = stage.pool().tranche(2).recoveries.shares.get(&incident).copied().unwrap_or_default();
        let mut claimed = U256::ZERO;
        for i in 0..parts.len() {
            let account = alloy_primitives::Address::with_last_byte(40 + i as u8);
            claimed += stage.act(account).recover(2, incident).unwrap_or_default();
        }
        claimed += stage.act(CAROL).recover(2, incident).unwrap_or_default();
        claimed += stage.act(CAROL).recover_queued(2, incident, request).unwrap_or_default();
        prop_assert!(claimed <= minted);
        // Each claim rounds down by less than one share.
        prop_assert!(minted - claimed <= U256::from(parts.len() + 2));
        check(&stage.world);
    }
}
