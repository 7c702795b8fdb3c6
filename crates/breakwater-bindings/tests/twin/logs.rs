//! Logs of the contracts as the twin's events.

use alloy::primitives::{Bytes, Log as Raw, U256};
use alloy::sol_types::SolEventInterface;
use breakwater_bindings::Catalog::CatalogEvents;
use breakwater_bindings::Incidents::IncidentsEvents;
use breakwater_bindings::Policies::PoliciesEvents;
use breakwater_bindings::Pool::PoolEvents;
use breakwater_bindings::Tranche::TrancheEvents;
use breakwater_bindings::Treaty::TreatyEvents;
use breakwater_bindings::TreatyFactory::TreatyFactoryEvents;
use breakwater_bindings::Underwriting::UnderwritingEvents;
use breakwater_bindings::{Catalog, Incidents, Policies};
use breakwater_policy::incident::{Measurement, Rung};
use breakwater_policy::ops::{Clock, Scene};
use breakwater_policy::policies::Policy;
use breakwater_policy::terms::{GAUGE_RUNGS, GaugeInfo, Kind, Product};
use breakwater_policy::{Event, Log, Refusal};
use breakwater_primitives::{Block, Bps, Time, U256Ext, Wad};

use crate::certificates;
use crate::reverts;
use crate::stage::form;
use crate::treaties;

/// A log of either side, ready to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    /// The reason of a skipped policy is replaced by [`NO_REASON`] and stands beside it.
    pub(crate) log: Log,
    /// What a skipped policy was skipped for: the revert data of its settlement.
    pub(crate) reason: Option<Bytes>,
}

/// Stands where the contracts have bytes and the twin a refusal.
const NO_REASON: Refusal = Refusal::ZeroAmount;

impl Logged {
    /// A log of the twin.
    pub(crate) fn of_twin(mut log: Log) -> Self {
        let reason = match &mut log.event {
            Event::Skipped { reason, .. } => {
                Some(reverts::data(&std::mem::replace(reason, NO_REASON)).into())
            }
            _ => None,
        };
        Self { log, reason }
    }

    /// A log of the contracts; none for what the twin has no event for.
    pub(crate) fn of_chain(scene: &Scene, clock: Clock, raw: &Raw) -> Option<Self> {
        let emitter = raw.address;
        let mut reason = None;
        let event = if emitter == scene.deployment.catalog {
            catalog_event(CatalogEvents::decode_log(raw).expect("an event of the catalog").data, clock)?
        } else if emitter == scene.deployment.incidents {
            incidents_event(IncidentsEvents::decode_log(raw).expect("an event of the incidents").data)?
        } else if emitter == scene.deployment.policies {
            let event = PoliciesEvents::decode_log(raw).expect("an event of the policies").data;
            if let PoliciesEvents::Skipped(skipped) = &event {
                reason = Some(skipped.reason.clone());
            }
            policies_event(event)?
        } else if scene.pools.iter().any(|(pool, _, _)| *pool == emitter) {
            pool_event(PoolEvents::decode_log(raw).expect("an event of a pool").data)
        } else if scene.pools.iter().any(|(_, tranches, _)| tranches.contains(&emitter)) {
            tranche_event(TrancheEvents::decode_log(raw).expect("an event of a tranche").data)?
        } else if emitter == scene.deployment.underwriting {
            certificates::event(UnderwritingEvents::decode_log(raw).expect("an event of underwriting").data)?
        } else if emitter == scene.deployment.treaties {
            treaties::made(TreatyFactoryEvents::decode_log(raw).expect("an event of the factory").data)
        } else if scene.treaties.contains(&emitter) {
            treaties::treaty_event(TreatyEvents::decode_log(raw).expect("an event of a treaty").data)?
        } else {
            return None;
        };
        Some(Self { log: Log { emitter, time: clock.time, block: clock.block, event }, reason })
    }
}

fn catalog_event(event: CatalogEvents, clock: Clock) -> Option<Event> {
    Some(match event {
        CatalogEvents::GaugeListed(e) => {
            let info = GaugeInfo {
                subject: e.subject,
                asset: e.spec.asset,
                threshold: Wad::new(e.spec.threshold),
                listed_at: clock.time,
                account: e.spec.accounts[usize::from(e.spec.holding.account)].account,
                form: form(e.spec.form),
                rungs: GAUGE_RUNGS,
                trigger: false,
                placed: true,
            };
            Event::GaugeListed { gauge: e.gauge, info }
        }
        // Places of pools are not the twin's: it makes no ninth pool of a gauge.
        CatalogEvents::PoolAdmitted(_) => return None,
        CatalogEvents::TriggerListed(e) => {
            let info = GaugeInfo {
                subject: e.trigger.claims,
                asset: e.trigger.asset,
                threshold: Wad::new(e.trigger.threshold),
                listed_at: clock.time,
                account: e.trigger.subject,
                form: form(0),
                rungs: e.trigger.rungs,
                trigger: true,
                placed: !e.trigger.claims.is_zero(),
            };
            Event::GaugeListed { gauge: e.id, info }
        }
        CatalogEvents::ProductListed(e) => {
            Event::ProductListed { product: e.product, terms: terms(&e.terms) }
        }
        CatalogEvents::PoolRegistered(e) => Event::PoolRegistered { pool: e.pool },
        CatalogEvents::PoolAttached(e) => Event::PoolAttached { gauge: e.gauge, pool: e.pool },
        CatalogEvents::AuthorityUpdated(_) | CatalogEvents::Wired(_) => return None,
    })
}

fn terms(terms: &Catalog::Product) -> Product {
    Product {
        gauge: terms.gauge,
        kind: kind(terms.kind),
        asset: terms.asset,
        registrant: terms.registrant,
        unit_num: terms.unitNum,
        unit_den: terms.unitDen,
        min_sum: terms.minSum,
        event_limit: terms.eventLimit,
        deductible: Bps::new(terms.deductibleBps.into()),
        loss_cap: Bps::new(terms.lossCapBps.into()),
        bounty: Bps::new(terms.bountyBps.into()),
        instant: terms.instant,
        waiting_period: terms.waitingPeriod.into(),
        report_window: terms.reportWindow.into(),
        min_term: terms.minTerm.into(),
        max_term: terms.maxTerm.into(),
    }
}

fn kind(number: u8) -> Kind {
    use Kind::{Custom, Depeg, Governance, Liquidity, Oracle, Position, Protocol, Upgrade};
    [Position, Protocol, Liquidity, Oracle, Governance, Upgrade, Depeg, Custom][usize::from(number)]
}

fn incidents_event(event: IncidentsEvents) -> Option<Event> {
    Some(match event {
        IncidentsEvents::Opened(e) => Event::Opened {
            id: id(e.id),
            gauge: e.gauge,
            rung: rung(e.rung),
            opener: e.opener,
            measured: measured(&e.m),
            dwell_end: Block(e.dwellEnd),
        },
        IncidentsEvents::Revised(e) => {
            Event::Revised { id: id(e.id), measured: measured(&e.m), dwell_end: Block(e.dwellEnd) }
        }
        IncidentsEvents::Voided(e) => Event::Voided { id: id(e.id), reading: Block(e.reading) },
        IncidentsEvents::Finalised(e) => {
            Event::Finalised { id: id(e.id), claims_end: Time(e.claimsEnd.into()) }
        }
        IncidentsEvents::PositionProven(e) => Event::PositionProven {
            id: id(e.id),
            account: e.account,
            onset: Block(e.onset),
            lost: amount(e.lost),
            value: amount(e.value),
        },
        IncidentsEvents::PositionPaid(e) => Event::PositionPaid {
            id: id(e.id),
            account: e.account,
            whole: e.whole,
            amount: amount(e.amount),
            paid_for_account: amount(e.paidForAccount),
            paid_in_all: amount(e.paidInAll),
        },
        IncidentsEvents::Returned(e) => {
            Event::Returned { id: id(e.id), amount: amount(e.amount), paid_in_all: amount(e.paidInAll) }
        }
        other => ladder_event(other)?,
    })
}

fn ladder_event(event: IncidentsEvents) -> Option<Event> {
    Some(match event {
        IncidentsEvents::Held(e) => Event::Held { id: id(e.id), undisputed: e.undisputed, by: e.by },
        IncidentsEvents::Disputed(e) => {
            Event::Disputed { id: id(e.id), loss: e.loss, asserted: e.asserted, decide_by: Block(e.decideBy) }
        }
        IncidentsEvents::Decided(e) => {
            Event::Decided { id: id(e.id), loss: e.loss, claims_end: Time(e.claimsEnd.into()) }
        }
        IncidentsEvents::Overruled(e) => {
            Event::Overruled { id: id(e.id), loss: e.loss, dwell_end: Block(e.dwellEnd) }
        }
        IncidentsEvents::Outranked(e) => Event::Outranked { id: id(e.id) },
        IncidentsEvents::Counted(e) => {
            Event::Counted { id: id(e.id), pool: e.pool, amount: amount(e.amount) }
        }
        IncidentsEvents::Uncounted(e) => Event::Uncounted { id: id(e.id) },
        IncidentsEvents::Delayed(e) => Event::Delayed { id: id(e.id), dwell_end: Block(e.dwellEnd) },
        IncidentsEvents::Extended(e) => Event::Extended {
            id: id(e.id),
            opened_time: Time(e.openedTime),
            claims_end: Time(e.claimsEnd.into()),
        },
        IncidentsEvents::CeilingSet(e) => {
            Event::CeilingSet { rung: rung(e.rung), asset: e.asset, ceiling: e.ceiling }
        }
        IncidentsEvents::GuardianSet(e) => Event::GuardianSet { guardian: e.guardian },
        _ => return None,
    })
}

fn measured(m: &Incidents::Measurement) -> Measurement {
    Measurement {
        onset: Block(m.onset),
        reading: Block(m.reading),
        onset_time: Time(m.onsetTime),
        after_time: Time(m.afterTime),
        base: m.base,
        loss: m.loss,
        evidence: m.evidence,
    }
}

fn rung(number: u8) -> Rung {
    [Rung::Proof, Rung::Feed, Rung::Canary, Rung::Quorum, Rung::Assembly][usize::from(number)]
}

fn policies_event(event: PoliciesEvents) -> Option<Event> {
    Some(match event {
        PoliciesEvents::Bought(e) => {
            Event::Bought { id: id(e.id), policy: policy(&e.policy), premium: e.premium }
        }
        PoliciesEvents::SplitOff(e) => {
            Event::SplitOff { id: id(e.id), new_id: id(e.newId), policy: policy(&e.policy) }
        }
        PoliciesEvents::Distributed(e) => {
            Event::Distributed { id: id(e.id), distributor: e.distributor, fee: e.fee }
        }
        PoliciesEvents::Lowered(e) => {
            Event::Lowered { id: id(e.id), sum: amount(e.sum), refund: amount(e.refund) }
        }
        PoliciesEvents::Cancelled(e) => Event::Cancelled { id: id(e.id), refund: amount(e.refund) },
        PoliciesEvents::Settled(e) => Event::Settled {
            id: id(e.id),
            incident: id(e.incident),
            lost: amount(e.lost),
            due: amount(e.due),
            paid: amount(e.paid),
            settler: e.settler,
        },
        PoliciesEvents::Skipped(e) => {
            Event::Skipped { id: id(e.id), incident: id(e.incident), reason: NO_REASON }
        }
        PoliciesEvents::Transfer(e) => Event::PolicyTransfer { from: e.from, to: e.to, id: id(e.tokenId) },
        _ => return None,
    })
}

fn policy(policy: &Policies::Policy) -> Policy {
    Policy {
        product: policy.product,
        pool: policy.pool,
        position: policy.position,
        sum: policy.sum,
        paid: policy.paid,
        purchased: Time(policy.purchased),
        inception: Time(policy.inception),
        expiry: Time(policy.expiry),
        stream_rate: policy.streamRate,
    }
}

fn pool_event(event: PoolEvents) -> Event {
    match event {
        PoolEvents::FeeEarned(e) => Event::FeeEarned { amount: amount(e.amount) },
        PoolEvents::Accrued(e) => Event::Accrued { time: Time(id(e.time)), earned: amount(e.earned) },
        PoolEvents::ProductCapped(e) => Event::ProductCapped {
            product: e.product,
            gauge: e.gauge,
            cap: amount(e.cap),
            floor_rate: Wad::new(id(e.floorRate)),
            effective_at: Time(id(e.effectiveAt)),
        },
        PoolEvents::Sold(e) => Event::Sold {
            product: e.product,
            sum: amount(e.sum),
            premium: e.premium,
            inception: Time(id(e.inception)),
            expiry: Time(id(e.expiry)),
            exposure: amount(e.exposure),
        },
        PoolEvents::ExposureReduced(e) => Event::ExposureReduced {
            product: e.product,
            sum: amount(e.sum),
            stream_rate: e.streamRate,
            expiry: Time(id(e.expiry)),
            refund: amount(e.refund),
            exposure: amount(e.exposure),
        },
        PoolEvents::PoolClosed(e) => Event::PoolClosed { time: Time(id(e.time)) },
        PoolEvents::Credited(e) => Event::Credited { account: e.account, amount: amount(e.amount) },
        PoolEvents::Withdrawn(e) => Event::Withdrawn { account: e.account, amount: amount(e.amount) },
        PoolEvents::CuratorLocked(e) => Event::CuratorLocked { shares: e.shares },
        other => booking_event(other),
    }
}

fn booking_event(event: PoolEvents) -> Event {
    match event {
        PoolEvents::Booked(e) => Event::Booked {
            incident: id(e.incident),
            onset_time: Time(e.onsetTime),
            reserved: amount(e.reserved),
            funded: amount(e.funded),
            surge: Wad::new(id(e.surge)),
        },
        PoolEvents::ProductBooked(e) => Event::ProductBooked {
            incident: id(e.incident),
            product: e.product,
            exposure: amount(e.exposure),
            fraction: e.fraction,
            instant_paid: amount(e.instantPaid),
        },
        PoolEvents::Charged(e) => {
            Event::Charged { incident: id(e.incident), layer: layer(e.layer), amount: amount(e.amount) }
        }
        PoolEvents::Released(e) => Event::Released {
            incident: id(e.incident),
            layer: layer(e.layer),
            amount: amount(e.amount),
            recovery_shares: e.recoveryShares,
        },
        PoolEvents::Filled(e) => {
            Event::Filled { from: id(e.from), to: id(e.to), layer: layer(e.layer), amount: amount(e.amount) }
        }
        PoolEvents::Paid(e) => {
            Event::Paid { incident: id(e.incident), to: e.to, amount: amount(e.amount), pulled: e.pulled }
        }
        PoolEvents::BookingPaid(e) => Event::BookingPaid {
            incident: id(e.incident),
            product: e.product,
            due: amount(e.due),
            paid: amount(e.paid),
            instant_paid: amount(e.instantPaid),
        },
        PoolEvents::InstantLoss(e) => Event::InstantLoss {
            incident: id(e.incident),
            amount: amount(e.amount),
            shares_burned: e.sharesBurned,
        },
        PoolEvents::BookingSettled(e) => Event::BookingSettled { incident: id(e.incident) },
        PoolEvents::LockFreed(e) => Event::LockFreed { incident: id(e.incident) },
        PoolEvents::BookingClosed(e) => {
            Event::BookingClosed { incident: id(e.incident), due: amount(e.due), paid: amount(e.paid) }
        }
        other => treaties::pool_event(other),
    }
}

fn tranche_event(event: TrancheEvents) -> Option<Event> {
    Some(match event {
        TrancheEvents::Transfer(e) => Event::ShareTransfer { from: e.from, to: e.to, shares: e.value },
        TrancheEvents::DepositRequest(e) => Event::DepositRequest {
            controller: e.controller,
            owner: e.owner,
            request_id: id(e.requestId),
            sender: e.sender,
            assets: amount(e.assets),
        },
        TrancheEvents::RedeemRequest(e) => Event::RedeemRequest {
            controller: e.controller,
            owner: e.owner,
            request_id: id(e.requestId),
            sender: e.sender,
            shares: e.shares,
        },
        TrancheEvents::DepositsProcessed(e) => Event::DepositsProcessed {
            request_id: id(e.requestId),
            assets: amount(e.assets),
            shares: e.shares,
        },
        TrancheEvents::DepositsReturned(e) => {
            Event::DepositsReturned { request_id: id(e.requestId), assets: amount(e.assets) }
        }
        TrancheEvents::RedemptionsProcessed(e) => Event::RedemptionsProcessed {
            request_id: id(e.requestId),
            shares: e.shares,
            assets: amount(e.assets),
            remaining: e.remaining,
        },
        TrancheEvents::DepositClaimed(e) => {
            Event::DepositClaimed { controller: e.controller, request_id: id(e.requestId), shares: e.shares }
        }
        TrancheEvents::RedeemClaimed(e) => Event::RedeemClaimed {
            controller: e.controller,
            request_id: id(e.requestId),
            assets: amount(e.assets),
        },
        TrancheEvents::RecoveryClaimed(e) => {
            Event::RecoveryClaimed { incident: id(e.incident), account: e.account, shares: e.shares }
        }
        TrancheEvents::QueuedRecoveryClaimed(e) => Event::QueuedRecoveryClaimed {
            incident: id(e.incident),
            request_id: id(e.requestId),
            controller: e.controller,
            shares: e.shares,
        },
        TrancheEvents::Approval(_) => return None,
        // Who acts for whom is not the twin's, and the others tell again what the claims tell.
        TrancheEvents::OperatorSet(_) | TrancheEvents::Deposit(_) | TrancheEvents::Withdraw(_) => {
            return None;
        }
    })
}

/// Ids, epochs and times: 64 bits in the twin.
pub(crate) fn id(value: U256) -> u64 {
    u64::try_from(value).expect("below 2^64")
}

pub(crate) fn layer(value: U256) -> usize {
    usize::try_from(value).expect("a layer is 0 to 3")
}

pub(crate) fn amount(value: U256) -> u128 {
    value.to_u128().expect("amounts have 128 bits")
}
