//! The parts that a log says were touched.

use std::collections::BTreeSet;

use alloy::primitives::Address;
use breakwater_policy::ops::Scene;
use breakwater_policy::words::Part;
use breakwater_policy::{Event, Log};

use crate::{certificates, treaties};

/// Parts that a log says were touched, and that a difference in it would show in.
pub(crate) fn touched(scene: &Scene, log: &Log, parts: &mut BTreeSet<Part>) {
    let emitter = log.emitter;
    let tranche = scene.pools.iter().find_map(|(pool, tranches, _)| {
        let layer = tranches.iter().position(|tranche| *tranche == emitter)? + 1;
        Some((*pool, layer))
    });
    if let Some(at) = tranche {
        parts.extend([Part::Pool(at.0), Part::Tranche(at)]);
        return touched_in_tranche(at, log, parts);
    }
    if emitter == scene.deployment.underwriting {
        return certificates::touched(log, parts);
    }
    if scene.treaties.contains(&emitter) {
        return treaties::touched(emitter, log, parts);
    }
    if scene.pools.iter().any(|(pool, _, _)| *pool == emitter) {
        parts.extend([Part::Pool(emitter), Part::Certified(emitter)]);
        return touched_in_pool(scene, emitter, log, parts);
    }
    match log.event {
        Event::PoolAttached { gauge, .. } => parts.extend([Part::Gauge(gauge)]),
        Event::Opened { id, gauge, .. } => parts.extend([Part::Gauge(gauge), Part::Incident(id)]),
        Event::Revised { id, .. }
        | Event::Voided { id, .. }
        | Event::Finalised { id, .. }
        | Event::Held { id, .. }
        | Event::Disputed { id, .. }
        | Event::Decided { id, .. }
        | Event::Overruled { id, .. }
        | Event::Outranked { id }
        | Event::Counted { id, .. }
        | Event::Uncounted { id }
        | Event::Extended { id, .. }
        | Event::Delayed { id, .. }
        | Event::Returned { id, .. } => parts.extend([Part::Incident(id)]),
        Event::CeilingSet { rung, asset, .. } => parts.extend([Part::Ceiling(rung, asset)]),
        Event::GuardianSet { .. } => parts.extend([Part::Guardian]),
        Event::PositionProven { id, account, .. } => parts.extend([Part::Position(id, account)]),
        Event::PositionPaid { id, account, .. } => {
            parts.extend([Part::Incident(id), Part::Position(id, account)]);
        }
        Event::Bought { id, .. }
        | Event::Lowered { id, .. }
        | Event::Cancelled { id, .. }
        | Event::PolicyTransfer { id, .. } => parts.extend([Part::Policy(id)]),
        Event::SplitOff { id, new_id, .. } => parts.extend([Part::Policy(id), Part::Policy(new_id)]),
        Event::Settled { id, incident, .. } | Event::Skipped { id, incident, .. } => {
            parts.extend([Part::Policy(id), Part::Settlement(id, incident), Part::Incident(incident)]);
        }
        _ => {}
    }
}

fn touched_in_pool(scene: &Scene, pool: Address, log: &Log, parts: &mut BTreeSet<Part>) {
    match log.event {
        Event::ProductCapped { product, .. }
        | Event::Sold { product, .. }
        | Event::ExposureReduced { product, .. } => parts.extend([Part::Product(pool, product)]),
        Event::Booked { incident, .. }
        | Event::ProductBooked { incident, .. }
        | Event::Charged { incident, .. }
        | Event::Paid { incident, .. }
        | Event::BookingPaid { incident, .. }
        | Event::InstantLoss { incident, .. }
        | Event::BookingSettled { incident }
        | Event::LockFreed { incident }
        | Event::BookingClosed { incident, .. } => parts.extend([Part::Booking(pool, incident)]),
        Event::Ceded { incident, .. } | Event::Recovered { incident, .. } => {
            parts.extend([Part::Booking(pool, incident)]);
        }
        Event::Released { incident, layer, .. } | Event::RecoveredTo { incident, layer, .. } => {
            parts.extend([Part::Booking(pool, incident)]);
            if layer > 0 {
                parts.extend([Part::Tranche((pool, layer)), Part::Recovery((pool, layer), incident)]);
            }
        }
        Event::Filled { from, to, .. } => {
            parts.extend([Part::Booking(pool, to)]);
            // What a recovery fills comes from no booking.
            parts.extend((from != 0).then_some(Part::Booking(pool, from)));
        }
        Event::FeeEarned { .. } => {
            let found = scene.pools.iter().filter(|(address, _, _)| *address == pool);
            parts.extend(found.map(|(_, _, config)| Part::Owed(pool, config.curator)));
        }
        Event::Credited { account, .. } | Event::Withdrawn { account, .. } => {
            parts.extend([Part::Owed(pool, account)]);
        }
        _ => {}
    }
}

fn touched_in_tranche(at: (Address, usize), log: &Log, parts: &mut BTreeSet<Part>) {
    match log.event {
        Event::ShareTransfer { from, to, .. } => {
            let accounts = [from, to].into_iter().filter(|account| !account.is_zero());
            parts.extend(accounts.map(|account| Part::Balance(at, account)));
        }
        Event::DepositRequest { controller, request_id, .. }
        | Event::DepositClaimed { controller, request_id, .. } => {
            parts.extend([Part::Deposits(at, request_id), Part::Deposit(at, request_id, controller)]);
        }
        Event::DepositsProcessed { request_id, .. } | Event::DepositsReturned { request_id, .. } => {
            parts.extend([Part::Deposits(at, request_id)]);
        }
        Event::RedeemRequest { controller, request_id, .. }
        | Event::RedeemClaimed { controller, request_id, .. } => {
            parts.extend([Part::Cohort(at, request_id), Part::Redemption(at, request_id, controller)]);
        }
        Event::RedemptionsProcessed { request_id, .. } => parts.extend([Part::Cohort(at, request_id)]),
        Event::RecoveryClaimed { incident, account, .. } => {
            parts.extend([Part::Recovery(at, incident), Part::Recovered(at, incident, account)]);
        }
        Event::QueuedRecoveryClaimed { incident, request_id, controller, .. } => {
            let claimed = Part::QueueRecovered(at, incident, request_id, controller);
            parts.extend([Part::Recovery(at, incident), claimed]);
        }
        _ => {}
    }
}
