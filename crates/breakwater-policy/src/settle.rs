//! Settlement: what a policy is due for an incident, and its payment.

use alloy_primitives::Address;

use crate::context::{Context, Cx, Effects};
use crate::due;
use crate::events::Event;
use crate::exposure::{add, take};
use crate::incident::{Incident, Rung, Status};
use crate::pay::PayOrder;
use crate::policies::{Holding, Policy, Settlement};
use crate::refusal::Refusal;
use crate::terms::Product;
use crate::world::World;

impl World {
    /// `settle`: answers what was paid. An incident whose dwell or dispute is over is finalised on the way.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Policies.
    pub fn settle(&mut self, context: Context, id: u64, incident: u64) -> Result<Effects<u128>, Refusal> {
        self.transact(context, |world, cx| {
            world.ripen(cx, incident)?;
            let settler = cx.caller;
            world.settle_one(cx, id, incident, settler)
        })
    }

    /// `settleBatch`: policies that cannot be settled are passed over.
    ///
    /// # Errors
    /// [`Refusal::UnknownIncident`].
    pub fn settle_batch(
        &mut self,
        context: Context,
        ids: &[u64],
        incident: u64,
    ) -> Result<Effects<u128>, Refusal> {
        self.transact(context, |world, cx| {
            world.ripen(cx, incident)?;
            let (settler, mut paid) = (cx.caller, 0);
            for id in ids {
                let (before, logged) = (world.clone(), cx.logs.len());
                match world.settle_one(cx, *id, incident, settler) {
                    Ok(got) => paid = add(paid, got)?,
                    Err(reason) => {
                        *world = before;
                        cx.logs.truncate(logged);
                        cx.emit(world.terms.policies, Event::Skipped { id: *id, incident, reason });
                    }
                }
            }
            Ok(paid)
        })
    }

    /// What `settle` would find due now, in pool units, before the registry and the instant budget limit it.
    ///
    /// # Errors
    /// Everything that `settle` is refused for before it pays.
    pub fn due_now(&self, id: u64, incident: u64) -> Result<u128, Refusal> {
        let found = *self.incidents.known(incident)?;
        let (holding, _) = self.policies.owned(id)?;
        let terms = self.terms_of(&holding.policy)?;
        check_touched(id, holding, terms, incident, &found)?;
        let before = holding.settlements.get(&incident).copied().unwrap_or_default();
        let lost = self.lost(&holding.policy, terms, incident, &found);
        self.formula(id, terms, incident, &found, lost, &before)
    }

    fn ripen(&mut self, cx: &mut Cx, incident: u64) -> Result<(), Refusal> {
        let found = self.incidents.known(incident)?;
        let waits = matches!(found.status, Status::Dwelling | Status::Disputed);
        if waits && cx.block > found.dwell_end {
            self.finalise_incident(cx, incident)?;
        }
        Ok(())
    }

    fn settle_one(&mut self, cx: &mut Cx, id: u64, incident: u64, settler: Address) -> Result<u128, Refusal> {
        let found = *self.incidents.known(incident)?;
        let (holding, holder) = self.policies.owned(id)?;
        let policy = holding.policy;
        let before = holding.settlements.get(&incident).copied().unwrap_or_default();
        let terms = self.terms_of(&policy)?.clone();
        check_touched(id, self.policies.owned(id)?.0, &terms, incident, &found)?;
        let lost = self.lost(&policy, &terms, incident, &found);
        let due = self.new_due(cx, id, &terms, incident, &found, lost, &before)?;
        let order = PayOrder {
            incident,
            product: policy.product,
            due_before: before.due,
            due,
            paid_before: before.paid,
            expiry: policy.expiry,
            holder,
            settler,
        };
        let pool = self.pools.get_mut(&policy.pool).ok_or(Refusal::NotAPool { pool: policy.pool })?;
        let paid = pool.pay(cx, &mut self.ledger, &terms, found.opener, &order)?;
        if paid == 0 && due == before.due {
            return Err(Refusal::NothingToPay { id, incident });
        }
        self.apply_settlement(id, incident, due, paid)?;
        cx.emit(self.terms.policies, Event::Settled { id, incident, lost, due, paid, settler });
        Ok(paid)
    }

    pub(crate) fn apply_settlement(
        &mut self,
        id: u64,
        incident: u64,
        due: u128,
        paid: u128,
    ) -> Result<(), Refusal> {
        let holding = self.policies.get_mut(id)?;
        let settlement = holding.settlements.entry(incident).or_default();
        holding.due = add(holding.due, take(due, settlement.due)?)?;
        settlement.due = due;
        settlement.paid = add(settlement.paid, paid)?;
        holding.policy.paid = add(holding.policy.paid, paid)?;
        Ok(())
    }

    fn lost(&self, policy: &Policy, terms: &Product, incident: u64, found: &Incident) -> u128 {
        if terms.registrant.is_zero() {
            self.incidents.position_lost(incident, policy.position)
        } else {
            found.measured.loss
        }
    }

    /// What is due after the registry granted what is new of it; after the claims only what was due before.
    #[allow(clippy::too_many_arguments, reason = "one step of a settlement, split off for its length")]
    fn new_due(
        &mut self,
        cx: &mut Cx,
        id: u64,
        terms: &Product,
        incident: u64,
        found: &Incident,
        lost: u128,
        before: &Settlement,
    ) -> Result<u128, Refusal> {
        if found.status == Status::Final && cx.time > found.claims_end {
            if before.due == 0 {
                return Err(Refusal::ClaimsOver { id: incident, claims_end: found.claims_end });
            }
            return Ok(before.due);
        }
        let formula = self.formula(id, terms, incident, found, lost, before)?;
        let mut more = formula.saturating_sub(before.due);
        let policy = self.policies.owned(id)?.0.policy;
        if found.status == Status::Dwelling {
            let pool = self.pools.get_mut(&policy.pool).ok_or(Refusal::NotAPool { pool: policy.pool })?;
            pool.accrue(cx)?;
            more = more.min(pool.instant_budget(incident)?);
        }
        if more > 0 {
            more = self.grant(cx, &policy, terms, incident, found, lost, more)?;
        }
        Ok(add(before.due, more)?)
    }

    /// What of `more` pool units the registry grants.
    #[allow(clippy::too_many_arguments, reason = "one step of a settlement, split off for its length")]
    fn grant(
        &mut self,
        cx: &mut Cx,
        policy: &Policy,
        terms: &Product,
        incident: u64,
        found: &Incident,
        lost: u128,
        more: u128,
    ) -> Result<u128, Refusal> {
        let wanted = due::to_gauge_units(terms, more)?;
        let room = due::registry_limit(terms, lost, found.fraction())?;
        let emitter = self.terms.incidents;
        let payee = (policy.position, !terms.registrant.is_zero());
        let granted = self.incidents.consume(cx, emitter, incident, payee, room, wanted)?;
        if granted < wanted { Ok(due::to_pool_units(terms, granted)?) } else { Ok(more) }
    }

    fn formula(
        &self,
        id: u64,
        terms: &Product,
        incident: u64,
        found: &Incident,
        lost: u128,
        before: &Settlement,
    ) -> Result<u128, Refusal> {
        let (holding, _) = self.policies.owned(id)?;
        let policy = &holding.policy;
        let elsewhere = take(holding.due, before.due)?;
        let sum_left = take(policy.sum, elsewhere)?;
        let pool = self.pools.get(&policy.pool).ok_or(Refusal::NotAPool { pool: policy.pool })?;
        // While it is disputed the pool keeps the fraction of what was asserted, but pays what nobody disputes.
        let told = due::fraction(found.fraction(), terms.deductible)?;
        let fraction = pool.fraction(incident, &policy.product).min(told);
        if fraction.is_zero() || found.fraction().is_zero() {
            return Ok(0);
        }
        Ok(due::due(terms, lost, found.fraction(), sum_left, fraction)?)
    }
}

/// A policy is touched if its cover includes the onset and the block after it, and the incident was opened in time and
/// not before it was split off.
fn check_touched(
    id: u64,
    holding: &Holding,
    terms: &Product,
    incident: u64,
    found: &Incident,
) -> Result<(), Refusal> {
    let policy = &holding.policy;
    if found.gauge != terms.gauge {
        return Err(Refusal::WrongGauge { expected: terms.gauge, got: found.gauge });
    }
    if found.status == Status::Voided {
        return Err(Refusal::IncidentNotOpen { id: incident, status: found.status });
    }
    let covered = policy.inception <= found.measured.onset_time
        && found.measured.after_time <= policy.expiry
        && found.opened_time <= policy.expiry.plus(terms.report_window)
        && found.opened_at >= holding.since;
    if !covered {
        return Err(Refusal::NotTouched { id, incident });
    }
    // At once only on the word of a machine, and only while nobody holds the incident.
    let instant = terms.instant && found.rung < Rung::Quorum && !found.doubt.held;
    if found.status == Status::Dwelling && !instant {
        return Err(Refusal::StillDwelling { incident, dwell_end: found.dwell_end });
    }
    Ok(())
}
