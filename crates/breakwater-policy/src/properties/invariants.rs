//! Checks that look at a whole world.

use std::collections::BTreeMap;

use alloy_primitives::U256;

use super::market::Market;
use crate::events::Event;
use crate::incident::Status;
use crate::pool::Pool;
use crate::world::World;

/// Everything that must hold between operations; panics with what does not.
pub(super) fn check(world: &World) {
    for pool in world.pools.values() {
        check_cash(world, pool);
        check_exposure(pool);
        check_bookings(pool);
        check_shares(pool);
        check_treaties(world, pool);
    }
    check_policies(world);
}

/// Nobody gives the pools anything, so the identity is an equality.
fn check_cash(world: &World, pool: &Pool) {
    let balance = world.ledger.balance(pool.config.asset, pool.address);
    assert_eq!(balance, pool.obligations().expect("in range"), "cash of pool {}", pool.address);
}

fn check_exposure(pool: &Pool) {
    let sum: u128 = pool.products.values().map(|book| book.exposure).sum();
    assert_eq!(pool.exposure, sum, "the pool's exposure is that of its products");
    for (product, book) in &pool.products {
        assert_eq!(book.exposure, book.bucketed(), "buckets of {product}");
    }
}

fn check_bookings(pool: &Pool) {
    for (incident, booking) in &pool.bookings {
        let charged: u128 = booking.charged.iter().sum();
        assert_eq!(charged, booking.own(), "incident {incident}: what layers gave is what they bear");
        assert!(booking.paid <= booking.cash(), "incident {incident}: paid more than held: {booking:?}");
        assert!(booking.paid <= booking.due, "incident {incident}: paid more than due: {booking:?}");
        for i in 0..4 {
            assert!(booking.charged[i] <= booking.limit[i], "incident {incident}: limit of layer {i}");
        }
        let instant: u128 = booking.products.values().map(|row| row.instant_paid).sum();
        assert_eq!(instant, booking.instant_paid, "incident {incident}: instant payments");
        let short = booking.funded < booking.need().expect("fits");
        assert!(!short || pool.shorts.contains(incident), "incident {incident} is short and not queued");
    }
}

/// A treaty has what it says, never less than is locked, and sends at most its share of what is due.
fn check_treaties(world: &World, pool: &Pool) {
    for (address, treaty) in &pool.ceding.treaties {
        let balance = world.ledger.balance(pool.config.asset, *address);
        assert_eq!(balance, U256::from(treaty.assets + treaty.returns), "cash of treaty {address}");
        assert!(treaty.encumbered() <= treaty.assets, "collateral of treaty {address}");
        for incident in treaty.incidents() {
            let cession = treaty.cession(incident).expect("listed");
            let booking = pool.bookings.get(&incident).expect("only bookings are ceded");
            let share = U256::from(booking.due) * treaty.terms.share.wide();
            // What the curator bore of an instant payment was due when it was drawn.
            let due = U256::from(cession.drawn) * U256::from(10_000u64);
            assert!(due <= share || booking.instant_paid > 0, "treaty {address} in {incident}");
            assert!(cession.drawn <= cession.covered && cession.claimed <= cession.returned);
        }
    }
}

fn check_shares(pool: &Pool) {
    for (i, tranche) in pool.tranches.iter().enumerate() {
        let sum = tranche.accounts().map(|account| tranche.balance(account)).fold(U256::ZERO, |a, b| a + b);
        assert_eq!(sum, tranche.supply(), "supply of tranche {i}");
        let queued = tranche.cohorts.values().map(|cohort| cohort.remaining.latest());
        let queued = queued.fold(U256::ZERO, |a, b| a + b);
        assert_eq!(queued, tranche.balance(tranche.address), "queued shares of tranche {i}");
    }
    let locked = pool.tranche(1).balance(pool.config.curator);
    assert!(pool.locked <= locked, "the lock of pool {}", pool.address);
}

fn check_policies(world: &World) {
    for (i, holding) in world.policies.list.iter().enumerate() {
        let policy = &holding.policy;
        assert!(policy.paid <= holding.due, "policy {}: paid more than due", i + 1);
        assert!(holding.due <= policy.sum, "policy {}: due more than its sum", i + 1);
        for (incident, settlement) in &holding.settlements {
            assert!(settlement.paid <= settlement.due, "policy {} in incident {incident}", i + 1);
        }
    }
}

/// What was granted of an incident is never more than the highest loss that was ever proven, and where nothing was
/// paid before a lower measurement came, not more than the loss.
pub(super) fn check_registry(market: &Market, highest: &BTreeMap<u64, u128>) {
    for (i, incident) in market.world.incidents.list.iter().enumerate() {
        let id = i as u64 + 1;
        let proven = highest.get(&id).copied().unwrap_or(incident.measured.loss);
        assert!(incident.paid <= proven, "incident {id}: {} granted of {proven}", incident.paid);
        if incident.status == Status::Final {
            let granted: u128 = market
                .world
                .incidents
                .positions
                .iter()
                .filter(|((of, _), _)| *of == id)
                .map(|(_, position)| position.paid)
                .sum();
            assert!(granted >= incident.paid, "incident {id}: positions {granted}, in all {}", incident.paid);
        }
    }
}

/// In force at a past second is what a count over all policies says.
pub(super) fn check_in_force(market: &mut Market) {
    let now = market.clock.time.0;
    let back = market.source.next() % (90 * 86_400);
    let time = breakwater_primitives::Time(now.saturating_sub(back));
    for pool in market.world.pools.values() {
        for (product, book) in &pool.products {
            let counted = market.count_in_force(pool.address, *product, time);
            assert_eq!(book.in_force(time), Ok(counted), "product {product} at {time}");
        }
    }
}

/// Exact cover: whoever is settled out of a booking that is not short is paid in full, whoever came before him and
/// whatever was paid in the dwell.
pub(super) fn check_cover(market: &Market, from: usize) {
    for log in &market.logs[from..] {
        let Event::Settled { id, incident, .. } = log.event else { continue };
        let holding = market.world.policies.get(id).expect("settled");
        let pool = market.world.pools.get(&holding.policy.pool).expect("it paid");
        let booking = pool.bookings.get(&incident).expect("it paid");
        let settlement = holding.settlements.get(&incident).expect("settled");
        let ledger = &market.world.ledger;
        let frozen = booking.line.iter().any(|treaty| ledger.is_blocked(pool.config.asset, *treaty));
        // What a treaty cannot send now is paid once it can.
        if booking.settled && booking.funded >= booking.need().expect("fits") && !frozen {
            assert_eq!(settlement.paid, settlement.due, "policy {id} in incident {incident}: {booking:?}");
        }
        if !booking.settled {
            assert_eq!(settlement.paid, settlement.due, "in the dwell only what is paid becomes due");
        }
    }
}
