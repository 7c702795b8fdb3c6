//! One life of a loss, from assertion to the end of its claims, and the register of what positions lost.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{Block, Time, U256Ext, mul_div_floor};

use crate::booking::Claim;
use crate::context::{Context, Cx, Effects};
use crate::events::Event;
use crate::exposure::add;
use crate::measure::lambda;
use crate::refusal::Refusal;
use crate::world::World;

/// Dwells in a span: nothing raises a loss later than this after its opening.
pub const SPAN: u64 = 8;
/// Part of a dwell that any revision leaves for an answer.
pub const ANSWER: u64 = 4;
/// The part of the threshold by which a revision behind the span must move the loss fraction.
pub const STEP: u64 = 8;
/// Incidents of one gauge that [`Incidents::touched`] looks back on.
pub const LOOK_BACK: usize = 8;

/// Which step of the ladder asserts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// Merkle proofs.
    Proof,
    /// Price feeds.
    Feed,
    /// A position that fails to withdraw.
    Canary,
    /// Bonded reporters.
    Quorum,
    /// Assessors.
    Assembly,
}

/// State of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It does not exist.
    None,
    /// It can be countered.
    Dwelling,
    /// It never was.
    Voided,
    /// It is settled.
    Final,
}

/// What a rung says was lost, in the gauge's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measurement {
    /// The last healthy block.
    pub onset: Block,
    /// The block that sizes the loss.
    pub reading: Block,
    /// Time of the onset.
    pub onset_time: Time,
    /// Time of the block after the onset.
    pub after_time: Time,
    /// What the loss is a part of.
    pub base: u128,
    /// At most `base`.
    pub loss: u128,
    /// Hash of the evidence.
    pub evidence: B256,
}

impl Measurement {
    /// λ, wad.
    pub fn fraction(&self) -> U256 {
        lambda(self.loss, self.base)
    }
}

/// An incident of a gauge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    /// The gauge.
    pub gauge: B256,
    /// What it is measured by now.
    pub measured: Measurement,
    /// Who gets the opener's bounty.
    pub opener: Address,
    /// Block of the opening.
    pub opened_at: Block,
    /// Time of the opening.
    pub opened_time: Time,
    /// The kind of evidence.
    pub rung: Rung,
    /// State.
    pub status: Status,
    /// The contract that may revise it.
    pub rung_contract: Address,
    /// Final after this block.
    pub dwell_end: Block,
    /// Set when final: settlement stays open to it, inclusive.
    pub claims_end: Time,
    /// Nothing raises the loss after this block.
    pub span_end: Block,
    /// Gauge units granted, over all pools.
    pub paid: u128,
    /// The highest loss fraction that it has had, wad.
    pub peak: U256,
    /// The gauge's incident before this one that was not voided, or zero.
    pub previous: u64,
}

/// What the register keeps of one position in one incident. Gauge units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Best proven loss.
    pub lost: u128,
    /// What the position was worth at the onset.
    pub value: u128,
    /// The onset of the proof.
    pub onset: Block,
    /// Granted so far.
    pub paid: u128,
}

/// All incidents and the register.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incidents {
    /// Id n is at n − 1.
    pub list: Vec<Incident>,
    /// The gauge's newest incident that was not voided.
    pub latest: BTreeMap<B256, u64>,
    /// The highest reading that voided an incident of the gauge.
    pub voided_at: BTreeMap<B256, Block>,
    /// By (incident, account).
    pub positions: BTreeMap<(u64, Address), Position>,
}

impl Incident {
    /// λ of the measurement of now, wad.
    pub fn fraction(&self) -> U256 {
        self.measured.fraction()
    }

    /// What a position proven from `onset` has lost by the measurement of now; zero if the onset moved.
    pub fn lost_of(&self, position: &Position) -> u128 {
        if position.onset != self.measured.onset || self.measured.base == 0 {
            return 0;
        }
        let (value, loss) = (U256::from(position.value), U256::from(self.measured.loss));
        // 128 bits times 128 bits cannot overflow, and the loss is at most the base.
        let share = mul_div_floor(value, loss, U256::from(self.measured.base)).unwrap_or_default();
        position.lost.min(share.to_u128().unwrap_or(u128::MAX))
    }
}

impl Incidents {
    /// The incident of an id.
    pub fn get(&self, id: u64) -> Option<&Incident> {
        self.list.get(usize::try_from(id.checked_sub(1)?).ok()?)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Incident> {
        self.list.get_mut(usize::try_from(id.checked_sub(1)?).ok()?)
    }

    /// The incident of an id.
    ///
    /// # Errors
    /// [`Refusal::UnknownIncident`].
    pub fn known(&self, id: u64) -> Result<&Incident, Refusal> {
        self.get(id).ok_or(Refusal::UnknownIncident { id })
    }

    /// Best proven loss of a position, at most its worth times the incident's fraction; gauge units.
    pub fn position_lost(&self, id: u64, account: Address) -> u128 {
        let Some(incident) = self.get(id) else { return 0 };
        self.positions.get(&(id, account)).map_or(0, |position| incident.lost_of(position))
    }

    /// The gauge's newest incident that was not voided, or zero.
    pub fn latest_of(&self, gauge: &B256) -> u64 {
        self.latest.get(gauge).copied().unwrap_or_default()
    }

    /// Whether an incident of the gauge with its onset in [from, to] dwells or is open to claims at `now`.
    pub fn touched(&self, gauge: &B256, from: Time, to: Time, now: Time) -> bool {
        let mut id = self.latest_of(gauge);
        for _ in 0..LOOK_BACK {
            let Some(incident) = self.get(id) else { return false };
            let open = incident.status == Status::Dwelling || incident.claims_end >= now;
            if open && (from..=to).contains(&incident.measured.onset_time) {
                return true;
            }
            id = incident.previous;
        }
        false
    }

    fn check_claims(&self, id: u64, now: Time) -> Result<&Incident, Refusal> {
        let incident = self.known(id)?;
        match incident.status {
            Status::Dwelling => Ok(incident),
            Status::Final if now <= incident.claims_end => Ok(incident),
            Status::Final => Err(Refusal::ClaimsOver { id, claims_end: incident.claims_end }),
            status => Err(Refusal::IncidentNotOpen { id, status }),
        }
    }

    /// `consume`: takes from what may still be granted for a position; answers gauge units.
    pub(crate) fn consume(
        &mut self,
        cx: &mut Cx,
        emitter: Address,
        id: u64,
        account: Address,
        lost: u128,
        wanted: u128,
    ) -> Result<u128, Refusal> {
        let incident = self.check_claims(id, cx.time)?;
        let before = self.positions.get(&(id, account)).copied().unwrap_or_default().paid;
        let room = lost.saturating_sub(before).min(incident.measured.loss.saturating_sub(incident.paid));
        let amount = wanted.min(room);
        if amount == 0 {
            return Ok(0);
        }
        let position = self.positions.entry((id, account)).or_default();
        position.paid = add(position.paid, amount)?;
        let paid_for_account = position.paid;
        let incident = self.get_mut(id).ok_or(Refusal::UnknownIncident { id })?;
        incident.paid = add(incident.paid, amount)?;
        let paid_in_all = incident.paid;
        cx.emit(emitter, Event::PositionPaid { id, account, amount, paid_for_account, paid_in_all });
        Ok(amount)
    }
}

impl World {
    /// `open`: opens an incident and books it into every pool on the gauge. Only a rung.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Incidents.
    pub fn open(
        &mut self,
        context: Context,
        gauge: B256,
        rung: Rung,
        opener: Address,
        measured: Measurement,
    ) -> Result<Effects<u64>, Refusal> {
        self.transact(context, |world, cx| world.open_incident(cx, gauge, rung, opener, measured))
    }

    /// `revise`: replaces the measurement of a dwelling incident. Only the contract that opened it.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Incidents.
    pub fn revise(&mut self, context: Context, id: u64, measured: Measurement) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| world.revise_incident(cx, id, measured))
    }

    /// `recordPosition`: records a proven loss of one position; a worse proof changes nothing.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Incidents.
    pub fn record_position(
        &mut self,
        context: Context,
        id: u64,
        account: Address,
        lost: u128,
        value: u128,
    ) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| world.record(cx, id, account, lost, value))
    }

    /// `finalise`: after the dwell an incident is final, or void if it was refuted.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Incidents.
    pub fn finalise(&mut self, context: Context, id: u64) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| world.finalise_incident(cx, id))
    }

    fn open_incident(
        &mut self,
        cx: &mut Cx,
        gauge: B256,
        rung: Rung,
        opener: Address,
        measured: Measurement,
    ) -> Result<u64, Refusal> {
        if self.terms.rungs.get(&cx.caller) != Some(&rung) {
            return Err(Refusal::NotRung { caller: cx.caller, rung });
        }
        let threshold = self.threshold(&gauge)?;
        check_shape(cx, &measured)?;
        self.check_span(&gauge, &measured)?;
        self.check_no_dwelling(cx, &gauge, &measured)?;
        let previous = self.incidents.latest_of(&gauge);
        self.check_onset(previous, &measured)?;
        let least = self.voided_at(&gauge);
        if measured.reading <= least {
            return Err(Refusal::ReadingTooEarly { reading: measured.reading, least });
        }
        let lambda = measured.fraction();
        if lambda < threshold {
            return Err(Refusal::BelowThreshold { lambda, threshold });
        }
        let rung_contract = cx.caller;
        let event = Event::Opened {
            id: self.incidents.list.len() as u64 + 1,
            gauge,
            rung,
            opener,
            measured,
            dwell_end: cx.block.plus(self.terms.dwell),
        };
        let id = self.add_incident(cx.time, cx.block, &event, rung_contract);
        cx.emit(self.terms.incidents, event);
        self.book_pools(cx, id, measured.loss)?;
        Ok(id)
    }

    /// The book-keeping of an opening; answers the id, zero for any other event.
    pub(crate) fn add_incident(
        &mut self,
        time: Time,
        block: Block,
        event: &Event,
        rung_contract: Address,
    ) -> u64 {
        let Event::Opened { id, gauge, rung, opener, measured, dwell_end } = *event else { return 0 };
        let previous = self.incidents.latest_of(&gauge);
        self.incidents.latest.insert(gauge, id);
        self.incidents.list.push(Incident {
            gauge,
            measured,
            opener,
            opened_at: block,
            opened_time: time,
            rung,
            status: Status::Dwelling,
            rung_contract,
            dwell_end,
            claims_end: Time(0),
            span_end: block.plus(SPAN * self.terms.dwell),
            paid: 0,
            peak: measured.fraction(),
            previous,
        });
        id
    }

    fn revise_incident(&mut self, cx: &mut Cx, id: u64, measured: Measurement) -> Result<(), Refusal> {
        let incident = *self.incidents.known(id)?;
        check_rung(cx, &incident)?;
        check_shape(cx, &measured)?;
        let (status, dwell_end, span_end) = (incident.status, incident.dwell_end, incident.span_end);
        if status != Status::Dwelling {
            return Err(Refusal::NotDwelling { id, status });
        }
        if cx.block > dwell_end {
            return Err(Refusal::DwellOver { id, dwell_end, head: cx.block });
        }
        let raises = measured.fraction() > incident.peak;
        if raises && cx.block > span_end {
            return Err(Refusal::SpanOver { id, span_end, head: cx.block });
        }
        let (onset, reading, old) = (measured.onset, measured.reading, incident.measured);
        if onset > old.onset || (onset < old.onset && !raises) || reading < old.reading {
            return Err(Refusal::RevisionBackwards { id, onset, reading });
        }
        if raises {
            self.check_span(&incident.gauge, &measured)?;
            self.check_onset(incident.previous, &measured)?;
        }
        let same =
            (onset, reading, measured.loss, measured.base) == (old.onset, old.reading, old.loss, old.base);
        let threshold = self.threshold(&incident.gauge)?;
        if same || (cx.block > span_end && !moves(incident.fraction(), measured.fraction(), threshold)) {
            return Err(Refusal::NothingNew { id });
        }
        let answer = if raises { self.terms.dwell } else { self.terms.dwell / ANSWER };
        let dwell_end = dwell_end.max(cx.block.plus(answer));
        self.apply_revision(id, measured, dwell_end);
        cx.emit(self.terms.incidents, Event::Revised { id, measured, dwell_end });
        let refuted = measured.fraction() < threshold;
        self.book_pools(cx, id, if refuted { 0 } else { measured.loss })
    }

    pub(crate) fn apply_revision(&mut self, id: u64, measured: Measurement, dwell_end: Block) {
        if let Some(incident) = self.incidents.get_mut(id) {
            incident.measured = measured;
            incident.dwell_end = dwell_end;
            incident.peak = incident.peak.max(measured.fraction());
        }
    }

    fn record(
        &mut self,
        cx: &mut Cx,
        id: u64,
        account: Address,
        lost: u128,
        value: u128,
    ) -> Result<(), Refusal> {
        check_rung(cx, self.incidents.known(id)?)?;
        let incident = self.incidents.check_claims(id, cx.time)?;
        let onset = incident.measured.onset;
        let old = self.incidents.positions.get(&(id, account)).copied().unwrap_or_default();
        let new = Position { lost, value, onset, paid: old.paid };
        let (before, now) = (incident.lost_of(&old), incident.lost_of(&new));
        // Ranked by what it pays: a proof of more loss on less worth must not push a better one out.
        if now > before || (now == before && (old.onset != onset || lost > old.lost)) {
            self.incidents.positions.insert((id, account), new);
            cx.emit(self.terms.incidents, Event::PositionProven { id, account, onset, lost, value });
        }
        Ok(())
    }

    pub(crate) fn finalise_incident(&mut self, cx: &mut Cx, id: u64) -> Result<(), Refusal> {
        let Incident { status, dwell_end, gauge, .. } = *self.incidents.known(id)?;
        if status != Status::Dwelling {
            return Err(Refusal::NotDwelling { id, status });
        }
        if cx.block <= dwell_end {
            return Err(Refusal::DwellNotOver { id, dwell_end, head: cx.block });
        }
        if self.incidents.known(id)?.fraction() < self.threshold(&gauge)? {
            return self.void(cx, id);
        }
        let claims_end = cx.time.plus(self.terms.claim_window);
        self.apply_final(id, claims_end);
        cx.emit(self.terms.incidents, Event::Finalised { id, claims_end });
        self.settle_pools(cx, id)
    }

    pub(crate) fn apply_final(&mut self, id: u64, claims_end: Time) {
        if let Some(incident) = self.incidents.get_mut(id) {
            incident.status = Status::Final;
            incident.claims_end = claims_end;
        }
    }

    fn void(&mut self, cx: &mut Cx, id: u64) -> Result<(), Refusal> {
        let reading = self.incidents.known(id)?.measured.reading;
        self.apply_void(id, reading);
        cx.emit(self.terms.incidents, Event::Voided { id, reading });
        self.settle_pools(cx, id)
    }

    pub(crate) fn apply_void(&mut self, id: u64, reading: Block) {
        let Some(incident) = self.incidents.get_mut(id) else { return };
        incident.status = Status::Voided;
        let (gauge, previous) = (incident.gauge, incident.previous);
        self.incidents.latest.insert(gauge, previous);
        let least = self.incidents.voided_at.entry(gauge).or_default();
        *least = (*least).max(reading);
    }

    /// Every pool of the gauge books the incident as it is measured now, or with loss zero.
    fn book_pools(&mut self, cx: &mut Cx, id: u64, loss: u128) -> Result<(), Refusal> {
        let Incident { gauge, measured, .. } = *self.incidents.known(id)?;
        let claim = Claim { incident: id, gauge, onset_time: measured.onset_time, loss, base: measured.base };
        let mut returned = 0;
        for address in self.pools_of(&gauge) {
            let pool = self.pools.get_mut(&address).ok_or(Refusal::NotAPool { pool: address })?;
            returned = add(returned, pool.book(cx, &self.products, claim)?)?;
        }
        if returned > 0 {
            let incident = self.incidents.get_mut(id).ok_or(Refusal::UnknownIncident { id })?;
            incident.paid = incident.paid.saturating_sub(returned);
            let paid_in_all = incident.paid;
            cx.emit(self.terms.incidents, Event::Returned { id, amount: returned, paid_in_all });
        }
        Ok(())
    }

    fn settle_pools(&mut self, cx: &mut Cx, id: u64) -> Result<(), Refusal> {
        let gauge = self.incidents.known(id)?.gauge;
        for address in self.pools_of(&gauge) {
            let pool = self.pools.get_mut(&address).ok_or(Refusal::NotAPool { pool: address })?;
            pool.settle_booking(cx, id)?;
        }
        Ok(())
    }

    /// The gauge's newest incident does not dwell, or is refuted and ends before `measured` begins: then it is void.
    fn check_no_dwelling(
        &mut self,
        cx: &mut Cx,
        gauge: &B256,
        measured: &Measurement,
    ) -> Result<(), Refusal> {
        let id = self.incidents.latest_of(gauge);
        let Some(newest) = self.incidents.get(id).filter(|newest| newest.status == Status::Dwelling) else {
            return Ok(());
        };
        let refuted = newest.fraction() < self.threshold(gauge)?;
        if !refuted || measured.onset < newest.measured.reading {
            return Err(Refusal::AlreadyDwelling { id });
        }
        self.void(cx, id)
    }

    fn check_span(&self, gauge: &B256, measured: &Measurement) -> Result<(), Refusal> {
        let last = measured.onset.max(self.voided_at(gauge)).plus(SPAN * self.terms.dwell);
        if measured.reading > last {
            return Err(Refusal::ReadingTooLate { reading: measured.reading, last });
        }
        Ok(())
    }

    fn check_onset(&self, earlier: u64, measured: &Measurement) -> Result<(), Refusal> {
        let least = self.incidents.get(earlier).map_or(Block(0), |incident| incident.measured.reading);
        if measured.onset < least {
            return Err(Refusal::OnsetTooEarly { onset: measured.onset, least });
        }
        Ok(())
    }

    fn voided_at(&self, gauge: &B256) -> Block {
        self.incidents.voided_at.get(gauge).copied().unwrap_or_default()
    }

    fn threshold(&self, gauge: &B256) -> Result<U256, Refusal> {
        let info = self.gauges.get(gauge).ok_or(Refusal::UnknownGauge { gauge: *gauge })?;
        Ok(info.threshold.wide())
    }
}

/// Whether two loss fractions are at least an eighth of the threshold, rounded up, apart.
fn moves(before: U256, now: U256, threshold: U256) -> bool {
    before.abs_diff(now) >= threshold.div_ceil(U256::from(STEP))
}

fn check_rung(cx: &Cx, incident: &Incident) -> Result<(), Refusal> {
    if cx.caller != incident.rung_contract {
        return Err(Refusal::NotThisRung { expected: incident.rung_contract, caller: cx.caller });
    }
    Ok(())
}

fn check_shape(cx: &Cx, measured: &Measurement) -> Result<(), Refusal> {
    let Measurement { onset, reading, base, loss, .. } = *measured;
    if reading <= onset || measured.after_time <= measured.onset_time || base == 0 || loss > base {
        return Err(Refusal::BadMeasurement { onset, reading, base, loss });
    }
    if reading >= cx.block {
        return Err(Refusal::NotMined { reading, head: cx.block });
    }
    Ok(())
}
