//! The rungs above the proof, as docs/ladder.md tells them: what is held, disputed and decided, how much may be open on
//! the word of a rung, and which payouts wait for the guardian.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{BPS, Block, Time};

use crate::booking::Claim;
use crate::context::{Context, Cx, Effects};
use crate::events::Event;
use crate::exposure::{add, take};
use crate::incident::{
    ANSWER, Incident, Incidents, LOOK_BACK, Measurement, Rung, Status, check_dwelling, check_rung,
};
use crate::measure::lambda;
use crate::refusal::Refusal;
use crate::world::{Deployment, World};

/// `heavyBps` of a deployment in which nothing waits.
const NEVER: u16 = u16::MAX;

/// What goes beyond the word of the rung that opened an incident.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Doubt {
    /// The lowest of all challenges, gauge units.
    pub undisputed: u128,
    /// While it is disputed, what the pools are booked for; gauge units.
    pub asserted: u128,
    /// Nobody's word alone ends it.
    pub held: bool,
    /// It waited for the guardian.
    pub delayed: bool,
    /// The assembly's, or over: no longer in the account of its rung.
    pub uncounted: bool,
}

impl Deployment {
    /// Blocks that an answer to an incident of this rung has; of the assembly, those it has to decide in.
    pub fn window(&self, rung: Rung) -> u64 {
        match rung {
            Rung::Quorum => self.quorum_window,
            Rung::Assembly => self.assembly_window,
            _ => self.dwell,
        }
    }

    fn has_assembly(&self) -> bool {
        self.rungs.values().any(|rung| *rung == Rung::Assembly)
    }
}

impl Incident {
    /// What the pools are booked for; above the loss only while it is disputed. Gauge units.
    pub fn asserted(&self) -> u128 {
        if self.status == Status::Disputed { self.doubt.asserted } else { self.measured.loss }
    }

    /// What reporters said and nobody was paid for.
    fn unpaid_report(&self) -> bool {
        let open = self.status == Status::Dwelling || self.status == Status::Disputed;
        open && self.rung == Rung::Quorum && self.paid == 0
    }

    /// What of the loss nobody disputes; below the threshold it is nothing.
    fn undisputed(&self, threshold: U256) -> u128 {
        let Doubt { held, undisputed, .. } = self.doubt;
        if !held || undisputed >= self.measured.loss {
            return self.measured.loss;
        }
        if lambda(undisputed, self.measured.base) >= threshold { undisputed } else { 0 }
    }
}

impl World {
    /// `hold`: a challenge says that at most `undisputed` was lost. Only the contract that opened the incident.
    ///
    /// # Errors
    /// See docs/ladder.md.
    pub fn hold(&mut self, context: Context, id: u64, undisputed: u128) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            let incident = *world.incidents.known(id)?;
            check_rung(cx, &incident)?;
            check_dwelling(cx, id, &incident)?;
            let most = incident.measured.loss;
            if undisputed >= most {
                return Err(Refusal::OutsideDispute { loss: undisputed, least: 0, most });
            }
            world.hold_incident(cx, id, undisputed, cx.caller)
        })
    }

    /// `escalate`: sends a delayed incident to the assembly. Only the guardian.
    ///
    /// # Errors
    /// See docs/ladder.md.
    pub fn escalate(&mut self, context: Context, id: u64) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            if cx.caller != world.incidents.guardian {
                return Err(Refusal::NotGuardian { caller: cx.caller });
            }
            let incident = *world.incidents.known(id)?;
            check_dwelling(cx, id, &incident)?;
            let Doubt { held, undisputed, delayed, .. } = incident.doubt;
            if !delayed || (held && undisputed == 0) {
                return Err(Refusal::NotDelayed { id });
            }
            world.hold_incident(cx, id, 0, cx.caller)
        })
    }

    /// `decide`: ends a dispute. Only the assembly.
    ///
    /// # Errors
    /// See docs/ladder.md.
    pub fn decide(&mut self, context: Context, id: u64, loss: u128) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            if world.terms.rungs.get(&cx.caller) != Some(&Rung::Assembly) {
                return Err(Refusal::NotRung { caller: cx.caller, rung: Rung::Assembly });
            }
            check_dispute(id, world.incidents.known(id)?, loss)?;
            world.decide_incident(cx, id, loss)
        })
    }

    /// `overrule`: re-executed evidence shows a report to be wrong. Only the contract that opened the incident.
    ///
    /// # Errors
    /// See docs/ladder.md.
    pub fn overrule(&mut self, context: Context, id: u64, loss: u128) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            let incident = *world.incidents.known(id)?;
            check_rung(cx, &incident)?;
            if incident.status == Status::Disputed {
                check_dispute(id, &incident, loss)?;
                return world.decide_incident(cx, id, loss);
            }
            check_dwelling(cx, id, &incident)?;
            let most = incident.measured.loss;
            if loss >= most {
                return Err(Refusal::OutsideDispute { loss, least: 0, most });
            }
            let dwell_end = world.extended(cx, &incident, ANSWER);
            world.incidents.apply_overruled(id, loss, dwell_end);
            cx.emit(world.terms.incidents, Event::Overruled { id, loss, dwell_end });
            let refuted = lambda(loss, incident.measured.base) < world.threshold(&incident.gauge)?;
            world.book_pools(cx, id, if refuted { 0 } else { loss })
        })
    }

    /// `extend`: what kept claimants from their evidence keeps no claim out. Only the contract that opened it.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Incidents.
    pub fn extend(&mut self, context: Context, id: u64, seconds: u64) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            check_rung(cx, world.incidents.known(id)?)?;
            let Incident { opened_time, claims_end, .. } = *world.incidents.check_claims(id, cx.time)?;
            let (opened_time, claims_end) = if claims_end == Time(0) {
                (Time(opened_time.0.saturating_sub(seconds)), claims_end)
            } else {
                (opened_time, Time((claims_end.0.saturating_add(seconds)).min(u32::MAX.into())))
            };
            world.incidents.apply_extended(id, opened_time, claims_end);
            cx.emit(world.terms.incidents, Event::Extended { id, opened_time, claims_end });
            Ok(())
        })
    }

    /// `release`: once its claims are over an incident no longer counts towards a ceiling.
    ///
    /// # Errors
    /// See docs/ladder.md.
    pub fn release(&mut self, context: Context, id: u64) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            let incident = *world.incidents.known(id)?;
            if incident.status != Status::Final || cx.time <= incident.claims_end {
                return Err(Refusal::IncidentNotOver { id, claims_end: incident.claims_end });
            }
            if incident.doubt.uncounted || incident.rung == Rung::Proof {
                return Err(Refusal::NothingNew { id });
            }
            world.leave(id)?;
            cx.emit(world.terms.incidents, Event::Uncounted { id });
            Ok(())
        })
    }

    /// `setCeiling`, by who may.
    ///
    /// # Errors
    /// None.
    pub fn set_ceiling(
        &mut self,
        context: Context,
        rung: Rung,
        asset: Address,
        ceiling: u128,
    ) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            world.incidents.ceilings.insert((rung, asset), ceiling);
            cx.emit(world.terms.incidents, Event::CeilingSet { rung, asset, ceiling });
            Ok(())
        })
    }

    /// `setGuardian`, by who may.
    ///
    /// # Errors
    /// None.
    pub fn set_guardian(&mut self, context: Context, guardian: Address) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            world.incidents.guardian = guardian;
            cx.emit(world.terms.incidents, Event::GuardianSet { guardian });
            Ok(())
        })
    }

    /// `finalise`: after the dwell an incident is void, delayed, disputed or final; after a dispute that nobody decided
    /// it is final at what was asserted.
    ///
    /// # Errors
    /// See docs/design.md and docs/ladder.md, "Errors".
    pub fn finalise(&mut self, context: Context, id: u64) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| world.finalise_incident(cx, id))
    }

    pub(crate) fn finalise_incident(&mut self, cx: &mut Cx, id: u64) -> Result<(), Refusal> {
        let incident = *self.incidents.known(id)?;
        let Incident { status, dwell_end, gauge, doubt, .. } = incident;
        if status != Status::Dwelling && status != Status::Disputed {
            return Err(Refusal::NotDwelling { id, status });
        }
        if cx.block <= dwell_end {
            return Err(Refusal::DwellNotOver { id, dwell_end, head: cx.block });
        }
        if status == Status::Disputed {
            return self.decide_incident(cx, id, doubt.asserted);
        }
        let threshold = self.threshold(&gauge)?;
        if incident.fraction() < threshold {
            return self.void(cx, id, false);
        }
        if !doubt.delayed && self.great(id, &gauge) {
            let dwell_end = cx.block.plus(self.terms.guardian_delay);
            self.incidents.apply_delayed(id, dwell_end);
            cx.emit(self.terms.incidents, Event::Delayed { id, dwell_end });
            return Ok(());
        }
        let (loss, asserted) = (incident.undisputed(threshold), incident.measured.loss);
        if loss < asserted && self.terms.has_assembly() {
            let decide_by = cx.block.plus(self.terms.assembly_window);
            self.incidents.apply_disputed(id, loss, asserted, decide_by);
            cx.emit(self.terms.incidents, Event::Disputed { id, loss, asserted, decide_by });
        } else {
            let claims_end = cx.time.plus(self.terms.claim_window);
            self.incidents.apply_final(id, asserted, claims_end);
            cx.emit(self.terms.incidents, Event::Finalised { id, claims_end });
        }
        self.settle_pools(cx, id)
    }

    /// Where among the gauge's incidents, which lie in the order of their blocks, a new one belongs: voids what it
    /// takes the place of; what stands in its way refuses it. Answers the one above and the one below.
    pub(crate) fn place(
        &mut self,
        cx: &mut Cx,
        gauge: &B256,
        rung: Rung,
        measured: &Measurement,
    ) -> Result<(u64, u64), Refusal> {
        let proof = rung == Rung::Proof;
        let (mut above, mut passed) = (0, 0);
        loop {
            let below =
                self.incidents.get(above).map_or(self.incidents.latest_of(gauge), |next| next.previous);
            let Some(next) = self.incidents.get(below).copied() else { return Ok((above, 0)) };
            let dwells = next.status == Status::Dwelling;
            let report = next.rung == Rung::Quorum;
            let overlaps = measured.reading > next.measured.onset;
            if measured.onset >= next.measured.reading {
                if !(dwells && next.fraction() < self.threshold(gauge)?) {
                    // A report, which is open for long, keeps the proof of another loss not out: both stand.
                    let stands = !dwells || (proof && report);
                    return if stands {
                        Ok((above, below))
                    } else {
                        Err(Refusal::AlreadyDwelling { id: below })
                    };
                }
                self.void(cx, below, false)?;
            } else if overlaps && proof && next.unpaid_report() {
                // A proof needs nobody's word, so it stands above what reporters said of the same blocks.
                self.void(cx, below, true)?;
            } else {
                if dwells && !(proof && report && !overlaps) {
                    return Err(Refusal::AlreadyDwelling { id: below });
                }
                passed += 1;
                if overlaps || passed == LOOK_BACK {
                    return Err(Refusal::OnsetTooEarly {
                        onset: measured.onset,
                        least: next.measured.reading,
                    });
                }
                above = below;
            }
        }
    }

    /// Whether the reading would lie behind the onset of the incident after this one; an unpaid report makes room for
    /// a proof.
    pub(crate) fn meets(&mut self, cx: &mut Cx, id: u64, reading: Block) -> Result<bool, Refusal> {
        let Incident { gauge, rung, .. } = *self.incidents.known(id)?;
        while let Some(next) = self.incidents.get(self.incidents.above(id, &gauge)).copied() {
            if reading <= next.measured.onset {
                return Ok(false);
            }
            if rung != Rung::Proof || !next.unpaid_report() {
                return Ok(true);
            }
            self.void(cx, self.incidents.above(id, &gauge), true)?;
        }
        Ok(false)
    }

    /// No block may count in two incidents; unpaid reports before this one make room for a proof.
    pub(crate) fn check_onset(
        &mut self,
        cx: &mut Cx,
        id: u64,
        measured: &Measurement,
    ) -> Result<(), Refusal> {
        let rung = self.incidents.known(id)?.rung;
        loop {
            let earlier = self.incidents.known(id)?.previous;
            let Some(next) = self.incidents.get(earlier).copied() else { return Ok(()) };
            let least = next.measured.reading;
            if measured.onset >= least {
                return Ok(());
            }
            if rung != Rung::Proof || !next.unpaid_report() {
                return Err(Refusal::OnsetTooEarly { onset: measured.onset, least });
            }
            self.void(cx, earlier, true)?;
        }
    }

    fn hold_incident(&mut self, cx: &mut Cx, id: u64, undisputed: u128, by: Address) -> Result<(), Refusal> {
        let Doubt { held, undisputed: before, .. } = self.incidents.known(id)?.doubt;
        let undisputed = if held { before.min(undisputed) } else { undisputed };
        self.incidents.apply_held(id, undisputed);
        cx.emit(self.terms.incidents, Event::Held { id, undisputed, by });
        Ok(())
    }

    /// Ends a dispute: void below the threshold, else final.
    fn decide_incident(&mut self, cx: &mut Cx, id: u64, loss: u128) -> Result<(), Refusal> {
        let Incident { gauge, measured, .. } = *self.incidents.known(id)?;
        if lambda(loss, measured.base) < self.threshold(&gauge)? {
            return self.void(cx, id, false);
        }
        let claims_end = cx.time.plus(self.terms.claim_window);
        self.incidents.apply_final(id, loss, claims_end);
        self.leave(id)?;
        cx.emit(self.terms.incidents, Event::Decided { id, loss, claims_end });
        self.book_pools(cx, id, loss)?;
        // The pools keep the curators' locks while it is disputed.
        self.settle_pools(cx, id)
    }

    fn void(&mut self, cx: &mut Cx, id: u64, outranked: bool) -> Result<(), Refusal> {
        let Incident { measured, status, rung, .. } = *self.incidents.known(id)?;
        let reading = measured.reading;
        // A window in which those who said it can still be proven wrong.
        let answers = outranked.then(|| cx.block.plus(self.terms.window(rung)));
        self.incidents.apply_void(id, answers);
        let event = if outranked { Event::Outranked { id } } else { Event::Voided { id, reading } };
        cx.emit(self.terms.incidents, event);
        self.leave(id)?;
        // One that was refuted is booked at nothing already.
        if outranked || status == Status::Disputed {
            self.book_all(cx, id, 0)?;
        }
        self.settle_pools(cx, id)
    }

    /// Every pool of the gauge books the incident as it is measured now, or with loss zero; what then is too much for
    /// the word of its rung goes to the assembly.
    pub(crate) fn book_pools(&mut self, cx: &mut Cx, id: u64, loss: u128) -> Result<(), Refusal> {
        self.book_all(cx, id, loss)?;
        let Incident { rung, doubt, gauge, .. } = *self.incidents.known(id)?;
        if rung == Rung::Proof || doubt.uncounted {
            return Ok(());
        }
        let mut over = false;
        for address in self.pools_of(&gauge) {
            let pool = self.pools.get(&address).ok_or(Refusal::NotAPool { pool: address })?;
            let asset = pool.config.asset;
            let money = self.ledger.balance(asset, address);
            let payable = pool.bookings.get(&id).map_or(0, |booking| booking.payable(money));
            if self.incidents.counted.get(&(id, address)).copied().unwrap_or_default() == payable {
                continue;
            }
            over |= self.incidents.count(id, rung, address, asset, payable)?;
            cx.emit(self.terms.incidents, Event::Counted { id, pool: address, amount: payable });
        }
        if !over {
            return Ok(());
        }
        self.leave(id)?;
        self.hold_incident(cx, id, 0, self.terms.incidents)
    }

    fn book_all(&mut self, cx: &mut Cx, id: u64, loss: u128) -> Result<(), Refusal> {
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
        let Incident { gauge, status, .. } = *self.incidents.known(id)?;
        for address in self.pools_of(&gauge) {
            let pool = self.pools.get_mut(&address).ok_or(Refusal::NotAPool { pool: address })?;
            pool.settle_booking(cx, id, status == Status::Disputed)?;
        }
        Ok(())
    }

    /// The incident leaves the account of its rung for good.
    pub(crate) fn leave(&mut self, id: u64) -> Result<(), Refusal> {
        let Incident { rung, gauge, .. } = *self.incidents.known(id)?;
        if rung == Rung::Proof {
            return Ok(());
        }
        for address in self.pools_of(&gauge) {
            let asset = self.pools.get(&address).ok_or(Refusal::NotAPool { pool: address })?.config.asset;
            self.incidents.count(id, rung, address, asset, 0)?;
        }
        if let Some(incident) = self.incidents.get_mut(id) {
            incident.doubt.uncounted = true;
        }
        Ok(())
    }

    /// Whether the pools of one asset together can pay more than the stated part of what they held when they booked
    /// the incident.
    fn great(&self, id: u64, gauge: &B256) -> bool {
        if self.terms.heavy_bps == NEVER || self.incidents.guardian.is_zero() {
            return false;
        }
        let mut sums: BTreeMap<Address, (U256, U256)> = BTreeMap::new();
        for pool in self.pools_of(gauge).into_iter().filter_map(|pool| self.pools.get(&pool)) {
            let Some(booking) = pool.bookings.get(&id) else { continue };
            let (payable, held) = sums.entry(pool.config.asset).or_default();
            let money = self.ledger.balance(pool.config.asset, pool.address);
            *payable += U256::from(booking.payable(money));
            *held += booking.held();
        }
        let heavy = U256::from(self.terms.heavy_bps);
        sums.values().any(|(payable, held)| *payable * U256::from(BPS) > *held * heavy)
    }
}

impl Incidents {
    /// Brings what counts for a rung to `payable`; answers whether a rise led above the ceiling.
    pub(crate) fn count(
        &mut self,
        id: u64,
        rung: Rung,
        pool: Address,
        asset: Address,
        payable: u128,
    ) -> Result<bool, Refusal> {
        let before = self.counted.insert((id, pool), payable).unwrap_or_default();
        let open = self.open_on.entry((rung, asset)).or_default();
        *open = add(take(*open, before)?, payable)?;
        let ceiling = self.ceilings.get(&(rung, asset)).copied().unwrap_or_default();
        Ok(payable > before && *open > ceiling)
    }

    pub(crate) fn apply_extended(&mut self, id: u64, opened_time: Time, claims_end: Time) {
        if let Some(incident) = self.get_mut(id) {
            (incident.opened_time, incident.claims_end) = (opened_time, claims_end);
        }
    }

    pub(crate) fn apply_held(&mut self, id: u64, undisputed: u128) {
        if let Some(incident) = self.get_mut(id) {
            (incident.doubt.held, incident.doubt.undisputed) = (true, undisputed);
        }
    }

    pub(crate) fn apply_overruled(&mut self, id: u64, loss: u128, dwell_end: Block) {
        if let Some(incident) = self.get_mut(id) {
            (incident.doubt.held, incident.doubt.undisputed) = (false, 0);
            (incident.measured.loss, incident.dwell_end) = (loss, dwell_end);
        }
    }

    pub(crate) fn apply_delayed(&mut self, id: u64, dwell_end: Block) {
        if let Some(incident) = self.get_mut(id) {
            (incident.doubt.delayed, incident.dwell_end) = (true, dwell_end);
        }
    }

    pub(crate) fn apply_disputed(&mut self, id: u64, loss: u128, asserted: u128, decide_by: Block) {
        if let Some(incident) = self.get_mut(id) {
            (incident.doubt.asserted, incident.measured.loss) = (asserted, loss);
            (incident.status, incident.dwell_end) = (Status::Disputed, decide_by);
        }
    }

    pub(crate) fn apply_final(&mut self, id: u64, loss: u128, claims_end: Time) {
        if let Some(incident) = self.get_mut(id) {
            incident.measured.loss = loss;
            (incident.status, incident.claims_end) = (Status::Final, claims_end);
        }
    }

    /// The incident never was; what a proof outranked (then answers have until that block) leaves no mark that the
    /// gauge was healthy.
    pub(crate) fn apply_void(&mut self, id: u64, outranked: Option<Block>) {
        let Some(incident) = self.get_mut(id) else { return };
        // A proof says that it was not healthy there, so nobody found the report to be wrong: it keeps its figure.
        if let Some(answers) = outranked {
            incident.measured.loss = incident.asserted();
            incident.dwell_end = answers;
        }
        incident.status = Status::Voided;
        let Incident { gauge, previous, measured, rung, .. } = *incident;
        self.put_below(self.above(id, &gauge), &gauge, previous);
        if outranked.is_none() {
            let least = self.voided_at.entry((gauge, rung == Rung::Proof)).or_default();
            *least = (*least).max(measured.reading);
        }
    }

    /// The incident of the gauge that lies behind this one; zero for none.
    fn above(&self, id: u64, gauge: &B256) -> u64 {
        let (mut next, mut later) = (self.latest_of(gauge), 0);
        while next != id && next != 0 {
            later = next;
            next = self.get(next).map_or(0, |incident| incident.previous);
        }
        later
    }

    /// `id` lies before the incident `above`; where that is zero it is the gauge's latest.
    pub(crate) fn put_below(&mut self, above: u64, gauge: &B256, id: u64) {
        match self.get_mut(above) {
            Some(above) => above.previous = id,
            None => {
                self.latest.insert(*gauge, id);
            }
        }
    }
}

fn check_dispute(id: u64, incident: &Incident, loss: u128) -> Result<(), Refusal> {
    let status = incident.status;
    if status != Status::Disputed {
        return Err(Refusal::NotDisputed { id, status });
    }
    let (least, most) = (incident.measured.loss, incident.doubt.asserted);
    if loss < least || loss > most {
        return Err(Refusal::OutsideDispute { loss, least, most });
    }
    Ok(())
}
