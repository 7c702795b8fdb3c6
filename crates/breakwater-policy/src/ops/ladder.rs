//! Proposals for the rungs above the proof.

use alloy_primitives::{Address, B256};
use breakwater_primitives::Block;

use super::random::Dice;
use super::{Clock, GUARDIAN, Op};
use crate::incident::{Incident, Rung, Status};
use crate::world::World;

/// Who opens an incident of a gauge, and as which rung: mostly one that may.
pub(super) fn speaker(dice: &mut Dice<'_>, world: &World, gauge: &B256) -> Option<(Address, Rung)> {
    let info = world.gauges.get(gauge)?;
    let rungs = world.terms.rungs.iter().map(|(contract, rung)| (*contract, *rung));
    let may: Vec<(Address, Rung)> =
        rungs.filter(|(_, rung)| info.rungs >> (*rung as u8) & 1 == 1 || dice.chance(2)).collect();
    // Most of what can go wrong in a dwell goes wrong below a proof.
    let proof = may.iter().find(|(_, rung)| *rung == Rung::Proof).copied();
    if dice.chance(75) { proof.or_else(|| dice.pick(&may)) } else { dice.pick(&may) }
}

/// A great payout waits only for a few blocks, so the guardian looks often.
pub(super) fn guard(dice: &mut Dice<'_>, world: &World, clock: Clock) -> Option<Op> {
    let count = world.incidents.list.len() as u64;
    let id = (1..=count).rev().take(4).find(|id| {
        world.incidents.get(*id).is_some_and(|found| {
            found.status == Status::Dwelling && found.doubt.delayed && clock.block <= found.dwell_end
        })
    })?;
    dice.chance(10).then_some(Op::Escalate { caller: GUARDIAN, id })
}

/// An onset among the blocks of a report of which nothing was paid, so that a proof may take its place.
pub(super) fn before_report(dice: &mut Dice<'_>, world: &World, gauge: &B256) -> Option<Block> {
    let top = world.incidents.get(world.incidents.latest_of(gauge))?;
    let open = matches!(top.status, Status::Dwelling | Status::Disputed);
    let outranked = open && top.rung == Rung::Quorum && top.paid == 0 && dice.chance(50);
    outranked.then(|| Block(top.measured.reading.0.saturating_sub(1 + dice.below(3))))
}

/// Holds, sends up, decides, overrules or releases one of the last incidents.
pub(super) fn climb(dice: &mut Dice<'_>, world: &World, clock: Clock, caller: Address) -> Option<Op> {
    let count = world.incidents.list.len() as u64;
    let recent: Vec<u64> = (1..=count).rev().take(12).collect();
    let apt: Vec<u64> = recent.iter().copied().filter(|id| is_apt(world, clock, *id)).collect();
    let id = if dice.chance(95) { dice.pick(&apt)? } else { dice.pick(&recent)? };
    let incident = world.incidents.get(id)?;
    let rung = incident.rung_contract;
    let (loss, asserted) = (incident.measured.loss, incident.asserted());
    if dice.chance(4) {
        return Some(Op::Extend { caller: rung, id, seconds: dice.below(100_000) });
    }
    match incident.status {
        Status::Disputed => {
            let span = asserted - loss;
            let decided = match dice.below(5) {
                0 => loss,
                1 => asserted,
                2 => asserted.saturating_add(1),
                _ => loss + dice.wide_below(span + 1),
            };
            let assembly = world.terms.rungs.iter().find(|(_, rung)| **rung == Rung::Assembly)?.0;
            Some(match dice.chance(70) {
                true => Op::Decide { caller: *assembly, id, loss: decided },
                false => Op::Overrule { caller: rung, id, loss: decided },
            })
        }
        Status::Dwelling if incident.doubt.delayed && dice.chance(50) => {
            Some(Op::Escalate { caller: GUARDIAN, id })
        }
        Status::Dwelling if dice.chance(70) => {
            Some(Op::Hold { caller: rung, id, undisputed: dice.wide_below(loss.saturating_add(1)) })
        }
        Status::Dwelling => {
            Some(Op::Overrule { caller: rung, id, loss: dice.wide_below(loss.saturating_add(1)) })
        }
        _ if dice.chance(30) => {
            let (asset, ceiling) =
                (world.pools.values().next()?.config.asset, dice.wide_below(600_000_000_000));
            Some(Op::SetCeiling { rung: dice.pick(&[Rung::Canary, Rung::Quorum])?, asset, ceiling })
        }
        _ => Some(Op::Release { caller, id }),
    }
}

/// Whether something of the ladder can be done to it.
fn is_apt(world: &World, clock: Clock, id: u64) -> bool {
    let Some(incident) = world.incidents.get(id) else { return false };
    let Incident { status, doubt, claims_end, dwell_end, rung, .. } = *incident;
    match status {
        Status::Dwelling => clock.block <= dwell_end,
        Status::Disputed => true,
        Status::Final => rung != Rung::Proof && !doubt.uncounted && clock.time > claims_end,
        _ => false,
    }
}
