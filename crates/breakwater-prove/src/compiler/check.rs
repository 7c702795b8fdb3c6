//! The last word before a gauge is accepted: it must repeat the contract's own answers, and must
//! have shown no loss in all the traffic seen.

use alloy::primitives::{Address, B256, U256};
use breakwater_evm::{Rules, View};

use super::{
    candidate::Candidate,
    claims::{Claims, Evidence},
    effect::Origin,
    refusal::Reason,
};
use crate::gauge::{AccountWords, GaugeSpec, ReadError, Reading, Words, limits};

/// Blocks of traffic at which the gauge is read; the newest ones are taken.
const HISTORY_BLOCKS_MAX: usize = 256;
/// Holders whose getters are asked.
const HOLDERS_ASKED_MAX: usize = 64;

/// A check that was made, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was compared.
    pub what: String,
    /// How many times.
    pub count: usize,
}

/// Reads a gauge at a view's block.
pub(crate) fn read(spec: &GaugeSpec, view: &View, holders: &[Address]) -> Result<Reading, Reason> {
    try_read(spec, view, holders)?.map_err(|error| Reason::Disagrees(error.to_string()))
}

fn try_read(
    spec: &GaugeSpec,
    view: &View,
    holders: &[Address],
) -> Result<Result<Reading, ReadError>, Reason> {
    let mut accounts = Vec::new();
    for wanted in spec.reads(holders) {
        let mut slots = Vec::new();
        for slot in wanted.slots {
            slots.push(view.storage(wanted.account, slot.into())?);
        }
        let code_hash: B256 = view.code_hash(wanted.account)?;
        accounts.push(AccountWords { code_hash, balance: view.balance(wanted.account)?, slots });
    }
    let words = Words { number: view.block().number, time: view.head().timestamp, accounts };
    Ok(spec.read(&words, holders))
}

/// Compares the candidate's sums with the views' own answers at every block, the asset's balance
/// with the token's answer, and holders' entries with the getters' answers.
pub(crate) fn against_answers(
    candidate: &Candidate,
    evidence: &Evidence<'_>,
    claims: &Claims,
) -> Result<Vec<Check>, Reason> {
    let (mut sums, mut entries) = (0, 0);
    let holders = evidence.known_entries(claims)?;
    for view in &evidence.scene.views {
        for sum in &candidate.sums {
            let Some(answer) = sum.answer(view)? else { continue };
            let own = sum.linear.read(view)?;
            if answer != own {
                return Err(differs(&sum.name(), view, answer, own));
            }
            sums += 1;
        }
        for getter in evidence.getters.iter().filter(|getter| getter.ledger == claims.ledger) {
            for (holder, _) in holders.iter().take(HOLDERS_ASKED_MAX) {
                let outcome = view.call(&getter.request(evidence.scene.subject, *holder))?;
                let own = claims.ledger.leaf(*holder).read(view)?;
                match outcome.words() {
                    Some(answer) if answer.contains(&own) => entries += 1,
                    Some(answer) => {
                        return Err(differs(
                            &getter.name(),
                            view,
                            answer.first().copied().unwrap_or_default(),
                            own,
                        ));
                    }
                    None => {}
                }
            }
        }
    }
    let record = |what: &str, count| Check { what: what.to_owned(), count };
    let all = [
        record("sums equal to the views' own answers", sums),
        record("holders' entries equal to the getter's answers", entries),
    ];
    Ok(all.into_iter().filter(|check| check.count > 0).collect())
}

fn differs(name: &str, view: &View, answer: U256, own: U256) -> Reason {
    Reason::Disagrees(format!("{name} at block {}: {answer}, words give {own}", view.block().number))
}

/// Reads the gauge before and after every block of traffic and demands that none shows a drop of
/// half the threshold: what people did so far was not a loss.
pub(crate) fn against_history(
    spec: &GaugeSpec,
    evidence: &Evidence<'_>,
    holders: &[Address],
    rules: Rules,
) -> Result<Check, Reason> {
    let mut blocks: Vec<u64> = evidence
        .scene
        .effects
        .iter()
        .filter_map(|effect| if let Origin::Chain { block } = effect.origin { Some(block) } else { None })
        .collect();
    blocks.dedup();
    let spare = blocks.len().saturating_sub(HISTORY_BLOCKS_MAX);
    let mut compared = 0;
    for block in blocks.drain(..).skip(spare) {
        let reader = evidence.scene.view.reader();
        let before = try_read(spec, &View::at(reader, block.saturating_sub(1), rules)?, holders)?;
        let after = try_read(spec, &View::at(reader, block, rules)?, holders)?;
        // Undecided readings (older code) tell nothing.
        let (Ok(before), Ok(after)) = (before, after) else { continue };
        if let Some(lambda) = drop_between(spec, &before, &after)
            && lambda >= U256::from(spec.threshold / 2)
        {
            return Err(Reason::Disagrees(format!(
                "ordinary traffic in block {block} shows a loss of {} per cent",
                lambda / U256::from(10_000_000_000_000_000u64)
            )));
        }
        compared += 1;
    }
    Ok(Check { what: "blocks of traffic without a loss".to_owned(), count: compared })
}

/// Loss between two readings as a fraction, wad, rounded down; `None` where it is not defined.
///
/// The formulas are those of the design's "Measuring" without the cap on health, which starts only
/// when the gauge is pinned.
pub(crate) fn drop_between(spec: &GaugeSpec, before: &Reading, after: &Reading) -> Option<U256> {
    let wide = |number: u128| U256::from(number);
    if before.claims < spec.floor || before.claims == 0 {
        return None;
    }
    let (loss, base) = if spec.has_shares() {
        if after.claims == 0 || before.assets == 0 {
            return None;
        }
        // What the same shares are worth afterwards, rounded up so that a drop is never overstated.
        let kept = (wide(after.assets) * wide(before.claims)).div_ceil(wide(after.claims));
        let had = wide(before.assets);
        (had.saturating_sub(kept).min(had.saturating_sub(wide(after.assets))), had)
    } else {
        let short = |one: &Reading| one.claims.saturating_sub(one.assets);
        (wide(short(after).saturating_sub(short(before))), wide(before.claims))
    };
    Some(loss.min(base) * U256::from(limits::THRESHOLD_MAX) / base)
}
