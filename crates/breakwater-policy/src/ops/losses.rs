//! Proposals of what is lost: incidents opened and measured again.

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{Block, Time, U256Ext, WAD};

use super::random::{Dice, SLOT};
use super::{Clock, Op, ladder};
use crate::incident::{Incident, Measurement, Rung, SPAN, Status};
use crate::world::World;

pub(super) fn open(dice: &mut Dice<'_>, world: &World, clock: Clock, opener: Address) -> Option<Op> {
    let gauges: Vec<B256> = world.attached.keys().copied().collect();
    let mut gauge = dice.pick(&gauges)?;
    // Pools close and the curator bears losses on the word of proofs, which triggers do not have.
    if world.gauges.get(&gauge)?.trigger && dice.chance(70) {
        gauge = dice.pick(&gauges)?;
    }
    let (caller, rung) = ladder::speaker(dice, world, &gauge)?;
    let threshold = u128::from(world.gauges.get(&gauge)?.threshold.get());
    let least = world.incidents.get(world.incidents.latest_of(&gauge)).map(|latest| latest.measured.reading);
    let back = 2 + if dice.chance(70) { dice.below(12) } else { dice.below(SPAN * world.terms.dwell) };
    let mut onset = Block(clock.block.0.saturating_sub(back));
    if dice.chance(90) {
        onset = onset.max(least.unwrap_or_default()).min(Block(clock.block.0.saturating_sub(2)));
    }
    if dice.chance(50)
        && let Some(after) = after_inception(dice, world, clock, &gauge)
        && after >= least.unwrap_or_default()
    {
        onset = after;
    }
    if rung == Rung::Proof
        && let Some(before) = ladder::before_report(dice, world, &gauge)
    {
        onset = before;
    }
    let latest = clock.block.0.saturating_sub(onset.0 + 1).min(SPAN * world.terms.dwell);
    let reading = Block(onset.0 + 1 + dice.below(latest));
    let digits = 11 + u32::try_from(dice.below(4)).ok()?;
    let base = 1_000_000_000 + dice.wide_below(10_u128.pow(digits));
    let fraction = match dice.below(6) {
        0 | 3 => u128::from(WAD),
        1 => threshold,
        2 => threshold / 2,
        _ => threshold + dice.wide_below(u128::from(WAD) - threshold),
    };
    let measured = measure(clock, onset, reading, base, part_of(base, fraction, true));
    Some(Op::Open { caller, gauge, rung, opener, measured })
}

pub(super) fn revise(dice: &mut Dice<'_>, world: &World, clock: Clock) -> Option<Op> {
    let count = world.incidents.list.len() as u64;
    let dwelling: Vec<u64> = (1..=count)
        .rev()
        .take(6)
        .filter(|id| {
            world.incidents.get(*id).is_some_and(|found| {
                found.status == Status::Dwelling && (clock.block <= found.dwell_end || id.is_multiple_of(9))
            })
        })
        .collect();
    let id = dice.pick(&dwelling)?;
    let incident = world.incidents.get(id)?;
    let old = incident.measured;
    let head = clock.block.0.saturating_sub(1);
    let reading = Block((old.reading.0 + dice.below(4)).min(head.max(old.reading.0)));
    let onset = if dice.chance(20) { Block(old.onset.0.saturating_sub(dice.below(8))) } else { old.onset };
    if dice.chance(25)
        && let Some(measured) = before_inception(dice, world, clock, id, incident)
    {
        return Some(Op::Revise { caller: incident.rung_contract, id, measured });
    }
    let loss = match dice.below(6) {
        0 => 0,
        1 => dice.wide_below(old.loss.saturating_add(1)),
        2 => part_of(old.base, incident.peak.to_u128().ok()?, false),
        3 => old.loss,
        _ => old.loss + dice.wide_below(old.base - old.loss + 1),
    };
    let mut measured = measure(clock, onset, reading, old.base, loss);
    if onset == old.onset {
        (measured.onset_time, measured.after_time) = (old.onset_time, old.after_time);
    }
    Some(Op::Revise { caller: incident.rung_contract, id, measured })
}

/// The position of a policy that an incident touches; often of the one that began last.
pub(super) fn insured(dice: &mut Dice<'_>, world: &World, incident: &Incident) -> Option<Address> {
    let onset = incident.measured.onset_time;
    let touched = world.policies.list.iter().rev().take(60).filter(|holding| {
        let policy = &holding.policy;
        let gauge = world.products.get(&policy.product).map(|terms| terms.gauge);
        gauge == Some(incident.gauge) && policy.inception <= onset && onset < policy.expiry
    });
    let mut touched: Vec<(Time, Address)> =
        touched.map(|holding| (holding.policy.inception, holding.policy.position)).collect();
    touched.sort_unstable();
    let last = touched.last().copied();
    let found = if dice.chance(50) { last } else { dice.pick(&touched) };
    found.map(|(_, position)| position)
}

/// A past block just after a policy of an instant product began, so that an earlier onset can leave it out.
fn after_inception(dice: &mut Dice<'_>, world: &World, clock: Clock, gauge: &B256) -> Option<Block> {
    let count = world.policies.list.len() as u64;
    let began: Vec<Time> = (1..=count)
        .rev()
        .take(60)
        .filter_map(|id| {
            let policy = world.policies.get(id)?.policy;
            let terms = world.products.get(&policy.product)?;
            let past = policy.inception.plus(4 * SLOT) < clock.time;
            (terms.instant && terms.gauge == *gauge && past).then_some(policy.inception)
        })
        .collect();
    let began = dice.pick(&began)?;
    let back = clock.time.since(began) / SLOT;
    Some(Block(clock.block.0.checked_sub(back.saturating_sub(dice.below(2)))?))
}

/// A higher loss from an onset before the beginning of a policy that was paid in the dwell.
fn before_inception(
    dice: &mut Dice<'_>,
    world: &World,
    clock: Clock,
    id: u64,
    incident: &Incident,
) -> Option<Measurement> {
    let old = incident.measured;
    let holdings = world.policies.list.iter();
    let paid = holdings.filter(|holding| holding.settlements.get(&id).is_some_and(|found| found.paid > 0));
    // The last one to begin: others lie too far back for one incident.
    let began = paid.map(|holding| holding.policy.inception).max()?;
    let back = old.onset_time.since(began) / SLOT + 1;
    let onset = Block(old.onset.0.checked_sub(back)?);
    let peak = part_of(old.base, incident.peak.to_u128().ok()?, true);
    let loss = peak + dice.wide_below(old.base.checked_sub(peak)? + 1);
    Some(measure(clock, onset, old.reading, old.base, loss))
}

/// A measurement whose times are those of a chain without missed slots.
fn measure(clock: Clock, onset: Block, reading: Block, base: u128, loss: u128) -> Measurement {
    let back = (clock.block.0.saturating_sub(onset.0)) * SLOT;
    let onset_time = Time(clock.time.0.saturating_sub(back));
    Measurement {
        onset,
        reading,
        onset_time,
        after_time: onset_time.plus(SLOT),
        base,
        loss,
        evidence: B256::from(U256::from(onset.0) << 64 | U256::from(reading.0)),
    }
}

/// floor or ceil of base · fraction / 1e18.
fn part_of(base: u128, fraction: u128, up: bool) -> u128 {
    let product = U256::from(base) * U256::from(fraction);
    let wad = U256::from(WAD);
    let value = if up { product.div_ceil(wad) } else { product / wad };
    value.to_u128().unwrap_or(base).min(base)
}
