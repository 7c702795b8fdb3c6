//! Policies: what they cost, what they give back, and what they are paid.

use alloy_primitives::U256;
use breakwater_primitives::{Bps, DAY, Time, WAD, Wad};
use proptest::prelude::*;

use super::stage::*;
use crate::context::Effects;
use crate::incident::{Rung, Status};
use crate::refusal::Refusal;
use crate::terms::Kind;

#[test]
fn a_premium_streams_to_the_tranches_by_weight_and_size() {
    let mut stage = Stage::set();
    let before = stage.pool().layers;
    let had = stage.balance(ALICE);
    stage.buy(ALICE, PLAIN, 1_000 * K, 30);
    let premium = had - stage.balance(ALICE);
    // 1,000 of a capacity of 4,000, below the kink of 70 %: the mean multiplier is 1 + 0.5 * 1,000 / 5,600; 4 % a year.
    let policy = stage.world.policies.get(1).expect("bought").policy;
    let term = policy.expiry.since(policy.inception);
    let exact = 1_000 * K * 40 / 1_000 * u128::from(term) / u128::from(365 * DAY);
    let mean = exact + exact * 1_000 / 11_200;
    assert!(premium.abs_diff(mean) <= 2, "{premium} is not about {mean}");

    stage.pass(100 * DAY);
    stage.act(KEEPER).accrue();
    let earned: Vec<u128> = (0..4).map(|i| stage.pool().layers[i] - before[i]).collect();
    assert_eq!(earned.iter().sum::<u128>(), premium, "all of it is earned after the expiry");
    // Weights 50, 30, 20 times 1,000, 1,000, 2,000: 5 : 3 : 4.
    assert_eq!(earned[0], 0);
    assert!(earned[1].abs_diff(premium * 5 / 12) < 40, "{earned:?}");
    assert!(earned[3].abs_diff(premium * 4 / 12) < 40, "{earned:?}");
    assert_eq!(stage.pool().stream.unearned(), U256::ZERO);
}

#[test]
fn cover_counts_for_capacity_until_the_report_window_is_over() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 3_000 * K, 10);
    let expiry = stage.world.policies.get(1).expect("bought").policy.expiry;
    let refused = stage.try_buy(BOB, INSTANT, 1_001 * K, 10);
    let capacity = 4_000 * K;
    assert_eq!(refused, Err(Refusal::CapacityExceeded { wanted: 4_001 * K, capacity }));
    stage.pass(expiry.plus(7 * DAY).since(stage.time) - 1);
    stage.act(KEEPER).accrue();
    assert_eq!(stage.pool().exposure, 3_000 * K);
    stage.pass(1);
    stage.act(KEEPER).accrue();
    assert_eq!(stage.pool().exposure, 0);
}

#[test]
fn the_first_week_is_earned_in_any_case() {
    let mut stage = Stage::set();
    let had = stage.balance(ALICE);
    let id = stage.buy(ALICE, PLAIN, 1_000 * K, 97);
    let premium = had - stage.balance(ALICE);
    let policy = stage.world.policies.get(id).expect("bought").policy;
    assert_eq!(stage.act(ALICE).cancel(id), Err(Refusal::NotIncepted { id, inception: policy.inception }));
    stage.pass(3 * DAY);
    let refund = stage.act(ALICE).cancel(id).expect("nothing touches it");
    // Seven days of the whole stream stay, rounded up.
    let life = u128::from(policy.expiry.since(policy.purchased));
    let kept = (premium * u128::from(7 * DAY)).div_ceil(life);
    assert!(refund.abs_diff(premium - kept) <= 1, "{refund} is not {}", premium - kept);
    assert_eq!(stage.balance(ALICE), had - premium + refund);
    assert_eq!(stage.world.policies.get(id).expect("burned").owner, None);
    assert_eq!(stage.act(ALICE).cancel(id), Err(Refusal::ERC721NonexistentToken { id }));
    assert_eq!((stage.pool().exposure, stage.pool().stream.rate), (0, U256::ZERO));
}

#[test]
fn lowering_gives_back_in_proportion() {
    let mut stage = Stage::set();
    let id = stage.buy(ALICE, PLAIN, 1_000 * K, 97);
    stage.pass(50 * DAY);
    let rate = stage.world.policies.get(id).expect("bought").policy.stream_rate;
    let refund = stage.act(ALICE).lower(id, 250 * K).expect("free");
    let policy = stage.world.policies.get(id).expect("bought").policy;
    assert_eq!(policy.stream_rate, rate.div_ceil(U256::from(4)));
    let seconds = U256::from(policy.expiry.since(stage.time));
    assert_eq!(U256::from(refund), (rate - policy.stream_rate) * seconds / U256::from(WAD));
    assert_eq!((policy.sum, stage.pool().exposure), (250 * K, 250 * K));
    assert_eq!(
        stage.act(ALICE).lower(id, 250 * K),
        Err(Refusal::NotLower { new_sum: 250 * K, sum: 250 * K })
    );
    assert_eq!(stage.act(ALICE).lower(id, 0), Err(Refusal::SumBelowMinimum { sum: 0, minimum: 1 }));
    assert_eq!(stage.act(BOB).lower(id, 1), Err(Refusal::NotHolder { id, caller: BOB }));
}

#[test]
fn an_edit_waits_for_the_claim() {
    let mut stage = Stage::set();
    let id = stage.buy(ALICE, PLAIN, 1_000 * K, 200);
    stage.pass(20 * DAY);
    let incident = stage.open(500);
    assert_eq!(stage.act(ALICE).cancel(id), Err(Refusal::Frozen { id }));
    stage.finalise(incident);
    assert_eq!(stage.act(ALICE).lower(id, 1), Err(Refusal::Frozen { id }));
    stage.pass(14 * DAY);
    assert_eq!(stage.act(ALICE).lower(id, 1), Err(Refusal::Frozen { id }));
    stage.pass(1);
    stage.act(ALICE).lower(id, 1).expect("claims are over");
}

#[test]
fn a_claim_by_hand() {
    let mut stage = Stage::with(
        |_| {},
        |terms| {
            (terms.deductible, terms.loss_cap, terms.bounty) =
                (Bps::new(2_000), Bps::new(9_000), Bps::new(200));
        },
    );
    let id = stage.buy(ALICE, PLAIN, 1_000 * K, 60);
    stage.pass(10 * DAY);
    let incident = stage.open(600);
    assert_eq!(stage.booking(incident).reserved, 500 * K, "half of the sum after the deductible");
    stage.lost(incident, ALICE, 480 * K);
    let end = stage.world.incidents.get(incident).expect("opened").dwell_end;
    assert_eq!(stage.settle(id, incident), Err(Refusal::StillDwelling { incident, dwell_end: end }));
    stage.finalise(incident);
    let (holder, keeper) = (stage.balance(ALICE), stage.balance(KEEPER));
    // 480 lost, 432 payable, times 50 / 60 is 360; below the 500 of the sum.
    assert_eq!(stage.settle(id, incident), Ok(360 * K));
    // Of 360 the bounty is 7.2: half to the opener, half to the settler, and both are the keeper.
    assert_eq!(stage.balance(KEEPER) - keeper, 7_200_000);
    assert_eq!(stage.balance(ALICE) - holder, 352_800_000);
    assert_eq!(stage.settle(id, incident), Err(Refusal::NothingToPay { id, incident }));
    // A better proof pays the difference, up to the sum's part.
    stage.lost(incident, ALICE, 600 * K);
    assert_eq!(stage.settle(id, incident), Ok(90 * K));
    stage.lost(incident, ALICE, 900 * K);
    assert_eq!(stage.settle(id, incident), Ok(50 * K));
    let policy = stage.world.policies.get(id).expect("bought").policy;
    assert_eq!((policy.paid, stage.pool().exposure), (500 * K, 500 * K));
    let found = stage.world.incidents.get(incident).expect("opened");
    assert_eq!((found.status, found.paid), (Status::Final, 500 * K));
}

#[test]
fn a_position_is_paid_once_whatever_covers_it() {
    let mut stage = Stage::set();
    let first = stage.buy(ALICE, PLAIN, 1_000 * K, 60);
    let second = stage.buy(ALICE, INSTANT, 1_000 * K, 60);
    stage.pass(10 * DAY);
    let incident = stage.open(500);
    stage.lost(incident, ALICE, 450 * K);
    stage.finalise(incident);
    assert_eq!(stage.settle(first, incident), Ok(450 * K));
    assert_eq!(stage.settle(second, incident), Err(Refusal::NothingToPay { id: second, incident }));
    assert_eq!(stage.world.incidents.positions[&(incident, ALICE)].paid, 450 * K);
}

#[test]
fn all_payments_together_stay_within_the_loss() {
    let mut stage = Stage::set();
    let ids = [ALICE, BOB].map(|owner| stage.buy(owner, PLAIN, 1_000 * K, 60));
    stage.pass(10 * DAY);
    // A tiny gauge: 700 of 1,000 are gone, and two positions claim 500 each.
    let mut measured = stage.measured(3, 0);
    (measured.base, measured.loss) = (1_000 * K, 700 * K);
    let at = stage.context(RUNG);
    let incident = stage.world.open(at, GAUGE, Rung::Proof, KEEPER, measured).expect("a loss").value;
    for account in [ALICE, BOB] {
        stage.lost(incident, account, 500 * K);
    }
    stage.finalise(incident);
    assert_eq!(stage.settle(ids[0], incident), Ok(500 * K));
    assert_eq!(stage.settle(ids[1], incident), Ok(200 * K));
    assert_eq!(stage.settle(ids[1], incident), Err(Refusal::NothingToPay { id: ids[1], incident }));
}

#[test]
fn units_of_a_gauge_become_units_of_a_pool() {
    let mut stage = Stage::with(|_| {}, |terms| (terms.unit_num, terms.unit_den) = (3, 7));
    let id = stage.buy(ALICE, PLAIN, 1_000 * K, 60);
    stage.pass(10 * DAY);
    let incident = stage.open(1_000);
    stage.lost(incident, ALICE, 100);
    stage.finalise(incident);
    // floor(100 * 3 / 7) = 42, for which ceil(42 * 7 / 3) = 98 units of the gauge are used.
    assert_eq!(stage.settle(id, incident), Ok(42));
    assert_eq!(stage.world.incidents.positions[&(incident, ALICE)].paid, 98);
}

#[test]
fn a_holder_whom_the_asset_refuses_stops_nobody() {
    let mut stage = Stage::set();
    let ids = [ALICE, BOB].map(|owner| stage.buy(owner, PLAIN, 1_000 * K, 60));
    stage.pass(10 * DAY);
    let incident = stage.open(500);
    for account in [ALICE, BOB] {
        stage.lost(incident, account, 100 * K);
    }
    stage.finalise(incident);
    stage.world.ledger.set_blocked(ASSET, ALICE, true);
    let at = stage.context(KEEPER);
    let effects: Effects<u128> =
        stage.world.settle_batch(at, &[ids[0], 99, ids[1]], incident).expect("settles");
    assert_eq!(effects.value, 200 * K);
    assert_eq!((paid_to(&effects, ALICE), paid_to(&effects, BOB)), (100 * K, 100 * K));
    assert_eq!(stage.pool().owed.get(&ALICE), Some(&(100 * K)));
    let refused = stage.world.withdraw(at, POOL, ALICE).map(|effects| effects.value);
    assert_eq!(refused, Err(Refusal::SafeERC20FailedOperation { token: ASSET }));
    stage.world.ledger.set_blocked(ASSET, ALICE, false);
    let had = stage.balance(ALICE);
    assert_eq!(stage.world.withdraw(at, POOL, ALICE).map(|effects| effects.value), Ok(100 * K));
    assert_eq!(stage.balance(ALICE) - had, 100 * K);
    let again = stage.world.withdraw(at, POOL, ALICE).map(|effects| effects.value);
    assert_eq!(again, Err(Refusal::NothingOwed { account: ALICE }));
}

#[test]
fn only_cover_of_both_blocks_is_touched() {
    let mut stage = Stage::set();
    let id = stage.buy(ALICE, PLAIN, 1_000 * K, 8);
    let Time(expiry) = stage.world.policies.get(id).expect("bought").policy.expiry;
    // The onset is in time, the block after it is not: expired cover is not paid, and nothing breaks.
    stage.pass(expiry - stage.time.0 + 30);
    let incident = stage.open(500);
    let measured = stage.world.incidents.get(incident).expect("opened").measured;
    assert!(measured.onset_time < Time(expiry) && measured.after_time > Time(expiry));
    stage.lost(incident, ALICE, 500 * K);
    stage.finalise(incident);
    assert_eq!(stage.settle(id, incident), Err(Refusal::NotTouched { id, incident }));
    stage.close(incident);
    assert_eq!(stage.booking(incident).funded, 0);
}

#[test]
fn cover_bought_after_the_drain_is_worth_nothing() {
    let mut stage = Stage::with(|_| {}, |terms| terms.waiting_period = 1);
    stage.pass(12);
    let onset = stage.measured(2, 900);
    let id = stage.buy(ALICE, PLAIN, 1_000 * K, 60);
    stage.pass(24);
    let at = stage.context(RUNG);
    let incident = stage.world.open(at, GAUGE, Rung::Proof, KEEPER, onset).expect("a loss").value;
    assert!(stage.pool().bookings.is_empty(), "nothing was in force");
    stage.lost(incident, ALICE, 900 * K);
    stage.finalise(incident);
    assert_eq!(stage.settle(id, incident), Err(Refusal::NotTouched { id, incident }));
}

#[test]
fn cover_of_a_protocol_is_for_its_registrant() {
    let mut stage = Stage::with(
        |_| {},
        |terms| {
            (terms.kind, terms.registrant, terms.loss_cap) = (Kind::Protocol, ALICE, Bps::new(9_000));
        },
    );
    let refused = stage.try_buy(BOB, PLAIN, 1_000 * K, 30);
    assert_eq!(refused, Err(Refusal::NotRegistrant { expected: ALICE, got: BOB }));
    let id = stage.buy(ALICE, PLAIN, 1_000 * K, 30);
    stage.pass(5 * DAY);
    let mut measured = stage.measured(3, 0);
    (measured.base, measured.loss) = (2_000 * K, 1_000 * K);
    let at = stage.context(RUNG);
    let incident = stage.world.open(at, GAUGE, Rung::Proof, KEEPER, measured).expect("a loss").value;
    stage.finalise(incident);
    // Without any proof of a position: 90 % of 1,000 lost, but half of the sum at most.
    assert_eq!(stage.settle(id, incident), Ok(500 * K));
}

#[test]
fn an_event_limit_is_one_fraction_for_all() {
    let mut stage = Stage::with(|_| {}, |terms| terms.event_limit = 300 * K);
    let ids = [ALICE, BOB].map(|owner| stage.buy(owner, PLAIN, 1_000 * K, 60));
    stage.pass(10 * DAY);
    let incident = stage.open(500);
    assert_eq!(stage.booking(incident).reserved, 300 * K);
    for account in [ALICE, BOB] {
        stage.lost(incident, account, 500 * K);
    }
    stage.finalise(incident);
    for id in ids {
        assert_eq!(stage.settle(id, incident), Ok(150 * K));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn buying_and_cancelling_never_profits(
        sums in proptest::collection::vec(1u128..900 * K, 1..5),
        days in 8u64..200,
        wait in 3u64..100,
        rate in 0u64..WAD / 2,
    ) {
        let mut stage = Stage::set();
        let at = stage.context(CURATOR);
        stage.world.set_product(at, POOL, PLAIN, 4_000 * K, Wad::new(rate.max(RATE))).expect("tighter");
        let had = stage.balance(ALICE);
        let ids: Vec<u64> = sums.iter().map(|sum| stage.buy(ALICE, PLAIN, *sum, days)).collect();
        stage.pass(wait * DAY);
        for id in ids {
            let _ = stage.act(ALICE).cancel(id);
        }
        prop_assert!(stage.balance(ALICE) <= had);
        super::invariants::check(&stage.world);
    }

    #[test]
    fn one_purchase_is_never_dearer_than_two(first in 1u128..2_000 * K, second in 1u128..2_000 * K) {
        let (mut whole, mut split) = (Stage::set(), Stage::set());
        let had = whole.balance(ALICE);
        whole.buy(ALICE, PLAIN, first + second, 60);
        split.buy(ALICE, PLAIN, first, 60);
        split.buy(ALICE, PLAIN, second, 60);
        prop_assert!(had - whole.balance(ALICE) <= had - split.balance(ALICE));
    }
}
