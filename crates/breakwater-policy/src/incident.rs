//! An incident, how it is opened and how its measurement is revised. What comes after is in [`crate::ladder`], what
//! positions lost in [`crate::registry`].

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{Block, Time};

use crate::context::{Context, Cx, Effects};
use crate::events::Event;
use crate::ladder::Doubt;
use crate::measure::lambda;
use crate::refusal::Refusal;
use crate::registry::{Payee, Position};
use crate::terms::GaugeInfo;
use crate::world::World;

/// Windows in a span: nothing raises a loss later than this after its opening.
pub const SPAN: u64 = 8;
/// Part of a window that any revision leaves for an answer.
pub const ANSWER: u64 = 4;
/// The part of the threshold by which a revision behind the span must move the loss fraction.
pub const STEP: u64 = 8;
/// Incidents of one gauge that a walk from the latest passes at most.
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
    /// What nobody disputes is paid; the assembly decides the rest.
    Disputed,
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
    /// The gauge's incident of the blocks before this one's that was not voided, or zero.
    pub previous: u64,
    /// The subject of its gauge or trigger.
    pub subject: B256,
    /// What goes beyond the word of its rung.
    pub doubt: Doubt,
}

/// All incidents and the register.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incidents {
    /// Id n is at n − 1.
    pub list: Vec<Incident>,
    /// The gauge's incident of the latest blocks that was not voided.
    pub latest: BTreeMap<B256, u64>,
    /// The highest reading that voided an incident of the gauge: of the proof rung (true) and of the others.
    pub voided_at: BTreeMap<(B256, bool), Block>,
    /// By (incident, account).
    pub positions: BTreeMap<(u64, Address), Position>,
    /// The last incident of a subject that began to pay an account, and in the place of the account everybody or
    /// those who were paid for all holders.
    pub last_paid: BTreeMap<(B256, Payee), u64>,
    /// What they were paid, gauge units, and the incident of the subject that paid them before.
    pub payees: BTreeMap<(u64, Payee), (u128, u64)>,
    /// What of an incident's booking in a pool counts towards the ceiling of its rung.
    pub counted: BTreeMap<(u64, Address), u128>,
    /// Sum of what counts, by rung and asset.
    pub open_on: BTreeMap<(Rung, Address), u128>,
    /// Most that may count.
    pub ceilings: BTreeMap<(Rung, Address), u128>,
    /// Who may send a great payout to the assembly; zero: nobody.
    pub guardian: Address,
}

impl Incident {
    /// λ of the measurement of now, wad.
    pub fn fraction(&self) -> U256 {
        self.measured.fraction()
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

    /// The gauge's newest incident that was not voided, or zero.
    pub fn latest_of(&self, gauge: &B256) -> u64 {
        self.latest.get(gauge).copied().unwrap_or_default()
    }

    /// Whether an incident of the gauge with its onset in [from, to] dwells, is disputed or open to claims at `now`.
    pub fn touched(&self, gauge: &B256, from: Time, to: Time, now: Time) -> bool {
        let mut id = self.latest_of(gauge);
        for _ in 0..LOOK_BACK {
            let Some(incident) = self.get(id) else { return false };
            let open = incident.status != Status::Final || incident.claims_end >= now;
            if open && (from..=to).contains(&incident.measured.onset_time) {
                return true;
            }
            id = incident.previous;
        }
        false
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
        let info = self.info(&gauge)?;
        let threshold = info.threshold.wide();
        if info.rungs >> (rung as u8) & 1 == 0 {
            return Err(Refusal::RungNotAllowed { gauge, rung });
        }
        check_shape(cx, &measured)?;
        self.check_span(&gauge, rung, &measured)?;
        self.place(cx, &gauge, rung, &measured)?;
        let least = self.healthy_at(&gauge, rung);
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
            dwell_end: cx.block.plus(self.terms.window(rung)),
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
        let subject = self.gauges.get(&gauge).map(|info| info.subject).unwrap_or_default();
        let (mut above, mut previous) = (0, self.incidents.latest_of(&gauge));
        // They lie in the order of their blocks, which nothing that stands shares with it.
        while let Some(later) = self.incidents.get(previous).filter(|x| measured.onset < x.measured.reading) {
            (above, previous) = (previous, later.previous);
        }
        self.incidents.put_below(above, &gauge, id);
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
            span_end: block.plus(SPAN * self.terms.window(rung)),
            paid: 0,
            peak: measured.fraction(),
            previous,
            subject,
            doubt: Doubt::default(),
        });
        id
    }

    fn revise_incident(&mut self, cx: &mut Cx, id: u64, measured: Measurement) -> Result<(), Refusal> {
        let incident = *self.incidents.known(id)?;
        check_rung(cx, &incident)?;
        check_shape(cx, &measured)?;
        check_dwelling(cx, id, &incident)?;
        let span_end = incident.span_end;
        let raises = measured.fraction() > incident.peak;
        if raises && cx.block > span_end {
            return Err(Refusal::SpanOver { id, span_end, head: cx.block });
        }
        let (onset, reading, old) = (measured.onset, measured.reading, incident.measured);
        let backwards = onset > old.onset || (onset < old.onset && !raises) || reading < old.reading;
        if backwards || self.meets(cx, id, reading)? {
            return Err(Refusal::RevisionBackwards { id, onset, reading });
        }
        if raises {
            self.check_span(&incident.gauge, incident.rung, &measured)?;
            self.check_onset(cx, id, &measured)?;
        }
        let same =
            (onset, reading, measured.loss, measured.base) == (old.onset, old.reading, old.loss, old.base);
        let threshold = self.threshold(&incident.gauge)?;
        if same || (cx.block > span_end && !moves(incident.fraction(), measured.fraction(), threshold)) {
            return Err(Refusal::NothingNew { id });
        }
        let dwell_end = self.extended(cx, &incident, if raises { 1 } else { ANSWER });
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

    fn check_span(&self, gauge: &B256, rung: Rung, measured: &Measurement) -> Result<(), Refusal> {
        // Feeds and canaries watch without a break from the onset on, for as long as their terms say.
        if matches!(rung, Rung::Feed | Rung::Canary) {
            return Ok(());
        }
        let last = measured.onset.max(self.healthy_at(gauge, rung)).plus(SPAN * self.terms.window(rung));
        if measured.reading > last {
            return Err(Refusal::ReadingTooLate { reading: measured.reading, last });
        }
        Ok(())
    }

    /// The last block in which the gauge was found healthy by those who may say so to `rung`.
    fn healthy_at(&self, gauge: &B256, rung: Rung) -> Block {
        let at = |proof| self.incidents.voided_at.get(&(*gauge, proof)).copied().unwrap_or_default();
        if rung == Rung::Proof { at(true) } else { at(true).max(at(false)) }
    }

    /// The end of the window if an answer is left its `part`-th part.
    pub(crate) fn extended(&self, cx: &Cx, incident: &Incident, part: u64) -> Block {
        incident.dwell_end.max(cx.block.plus(self.terms.window(incident.rung) / part))
    }

    pub(crate) fn info(&self, gauge: &B256) -> Result<&GaugeInfo, Refusal> {
        self.gauges.get(gauge).ok_or(Refusal::UnknownGauge { gauge: *gauge })
    }

    pub(crate) fn threshold(&self, gauge: &B256) -> Result<U256, Refusal> {
        Ok(self.info(gauge)?.threshold.wide())
    }
}

/// Whether two loss fractions are at least an eighth of the threshold, rounded up, apart.
fn moves(before: U256, now: U256, threshold: U256) -> bool {
    before.abs_diff(now) >= threshold.div_ceil(U256::from(STEP))
}

pub(crate) fn check_rung(cx: &Cx, incident: &Incident) -> Result<(), Refusal> {
    if cx.caller != incident.rung_contract {
        return Err(Refusal::NotThisRung { expected: incident.rung_contract, caller: cx.caller });
    }
    Ok(())
}

pub(crate) fn check_dwelling(cx: &Cx, id: u64, incident: &Incident) -> Result<(), Refusal> {
    let Incident { status, dwell_end, .. } = *incident;
    if status != Status::Dwelling {
        return Err(Refusal::NotDwelling { id, status });
    }
    if cx.block > dwell_end {
        return Err(Refusal::DwellOver { id, dwell_end, head: cx.block });
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
