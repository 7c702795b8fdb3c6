//! The end of a play: who lost what, who was paid what, who bore it, and whether all of it is even.

use alloy::primitives::{Address, U256};
use serde_json::json;

use crate::books::{Books, LAYERS};
use crate::demo::stage::{DECIMALS, SYMBOL, Stage};
use crate::demo::timeline::Timeline;
use crate::style::{Screen, amount, grouped, table};

/// What somebody lost, as the chain itself shows it, whatever our contracts say.
#[derive(Debug, Clone)]
pub(crate) struct Loss {
    /// Whose.
    pub(crate) who: Address,
    /// Units of the pool's asset, at the agreed rate where it was lost in something else.
    pub(crate) lost: U256,
    /// What else there is to say of it.
    pub(crate) note: &'static str,
}

/// A case study when it is over.
pub(crate) struct Ending {
    /// The stage.
    pub(crate) stage: Stage,
    /// The books before the first policy was sold.
    pub(crate) before: Books,
    /// Everyone who lost something or might think so.
    pub(crate) losses: Vec<Loss>,
}

impl Ending {
    /// Prints everything; whether all of it is even.
    pub(crate) fn reckon(&self, after: &Books, screen: &Screen) -> bool {
        let timeline = &self.stage.timeline;
        who_lost(timeline, &self.losses, screen);
        who_bore_it(timeline, &self.before, after, screen);
        what_it_cost(timeline, screen);
        screen.say("");
        after.show(screen, SYMBOL, DECIMALS);
        screen.say("");
        let even = self.checks(after).into_iter().fold(true, |all, (what, got, expected)| {
            let good = got == expected;
            screen.say(format!(
                "{}{what}: {} and {}",
                screen.verdict(good),
                amount(got, DECIMALS),
                amount(expected, DECIMALS)
            ));
            if screen.json {
                screen.object(&json!({
                    "event": "check", "what": what, "good": good, "got": got.to_string(),
                    "expected": expected.to_string(),
                }));
            }
            all && good
        });
        let sober = self.nobody_gained(screen) && self.everyone_insured_was_paid(screen);
        if screen.json {
            screen.object(&after.json());
        }
        after.balanced() && even && sober
    }

    /// Pairs of sums that must be the same to the unit.
    fn checks(&self, after: &Books) -> Vec<(&'static str, U256, U256)> {
        let timeline = &self.stage.timeline;
        let borne: i128 = timeline.borne.iter().sum();
        let borne = U256::try_from(borne).unwrap_or(U256::MAX) + timeline.recovered + timeline.drawn();
        let paid: U256 = timeline.paid.values().copied().sum();
        let earned: i128 = (0..LAYERS.len())
            .map(|index| earned(&self.before, after, timeline, index))
            .fold(0, i128::saturating_add);
        let earned = U256::try_from(earned).unwrap_or(U256::MAX);
        vec![
            (
                "premiums paid are premiums earned, passed on and still to be earned",
                timeline.premiums,
                earned + timeline.passed_on + after.unearned + after.set_aside,
            ),
            (
                "what was paid, bounties included, is what surplus, tranches and treaties gave",
                paid + after.held_for_claims,
                borne,
            ),
        ]
    }

    /// Nobody is paid more than he lost.
    fn nobody_gained(&self, screen: &Screen) -> bool {
        let timeline = &self.stage.timeline;
        let gainer = self.losses.iter().find(|loss| timeline.paid_to(loss.who) > loss.lost);
        match gainer {
            None => screen.say(format!("{}nobody was paid more than he lost", screen.verdict(true))),
            Some(loss) => screen.say(format!(
                "{}{} was paid {} for a loss of {}",
                screen.verdict(false),
                timeline.name(loss.who),
                amount(timeline.paid_to(loss.who), DECIMALS),
                amount(loss.lost, DECIMALS)
            )),
        }
        gainer.is_none()
    }
}

impl Ending {
    /// A play in which cover paid nothing for a loss shows nothing.
    fn everyone_insured_was_paid(&self, screen: &Screen) -> bool {
        let timeline = &self.stage.timeline;
        let unpaid = self.losses.iter().find(|loss| {
            let insured = !timeline.insured_of(loss.who).is_zero() && !loss.lost.is_zero();
            insured && timeline.paid_to(loss.who).is_zero()
        });
        if let Some(loss) = unpaid {
            let name = timeline.name(loss.who);
            screen.say(format!("{}{name} is insured, lost and was paid nothing", screen.verdict(false)));
        }
        unpaid.is_none()
    }
}

fn who_lost(timeline: &Timeline, losses: &[Loss], screen: &Screen) {
    let mut rows = Vec::new();
    for Loss { who, lost, note } in losses {
        let (insured, paid) = (timeline.insured_of(*who), timeline.paid_to(*who));
        let name = timeline.name(*who);
        if screen.json {
            screen.object(&json!({
                "event": "lost", "account": name, "lost": lost.to_string(), "insured": insured.to_string(),
                "paid": paid.to_string(), "note": note,
            }));
        }
        let share = lost.saturating_sub(paid);
        rows.push(vec![
            name,
            amount(*lost, DECIMALS),
            amount(insured, DECIMALS),
            amount(paid, DECIMALS),
            amount(share, DECIMALS),
            (*note).to_owned(),
        ]);
    }
    screen.say(format!("\nWho lost and who was paid ({SYMBOL})"));
    let header = ["account", "lost", "insured", "paid", "bears", ""];
    screen.say(indented(&table(&header, &rows, &[1, 2, 3, 4])));
    who_else_was_paid(timeline, losses, screen);
}

/// Bounties, to whoever opened and settled.
fn who_else_was_paid(timeline: &Timeline, losses: &[Loss], screen: &Screen) {
    for (account, units) in &timeline.paid {
        if losses.iter().any(|loss| loss.who == *account) {
            continue;
        }
        let name = timeline.name(*account);
        screen.say(format!("  bounties of {name}: {}", amount(*units, DECIMALS)));
        if screen.json {
            screen.object(&json!({ "event": "bounty", "account": name, "paid": units.to_string() }));
        }
    }
}

/// What a layer earned: it ends with what it began with, less what it bore, and this.
fn earned(before: &Books, after: &Books, timeline: &Timeline, index: usize) -> i128 {
    let (was, is) = (before.layers[index], after.layers[index]);
    // Layers are 128 bits wide on chain, and a demo's sums are far below 127 bits.
    i128::try_from(is).unwrap_or(i128::MAX) + timeline.borne[index] - i128::try_from(was).unwrap_or(i128::MAX)
}

/// Who was paid how much, the largest first.
pub(crate) fn who_was_paid(timeline: &Timeline, screen: &Screen) {
    let mut paid: Vec<_> = timeline.paid.iter().collect();
    paid.sort_by(|(_, one), (_, other)| other.cmp(one));
    let rows: Vec<Vec<String>> = paid
        .into_iter()
        .map(|(account, units)| {
            let name = timeline.name(*account);
            if screen.json {
                screen.object(&json!({ "event": "paid in all", "to": name, "amount": units.to_string() }));
            }
            vec![name, amount(*units, DECIMALS)]
        })
        .collect();
    screen.say(format!("\nWho was paid ({SYMBOL})"));
    screen.say(indented(&table(&["account", "paid"], &rows, &[1])));
}

/// What each layer held before and after, and what it gave and earned in between.
pub(crate) fn who_bore_it(timeline: &Timeline, before: &Books, after: &Books, screen: &Screen) {
    let mut rows = Vec::new();
    for (index, name) in LAYERS.into_iter().enumerate() {
        let borne = timeline.borne[index];
        let (was, is) = (before.layers[index], after.layers[index]);
        if screen.json {
            screen.object(&json!({
                "event": "borne", "layer": name, "before": was.to_string(), "borne": borne.to_string(),
                "after": is.to_string(),
            }));
        }
        rows.push(vec![
            name.to_owned(),
            amount(U256::from(was), DECIMALS),
            signed(-borne),
            signed(earned(before, after, timeline, index)),
            amount(U256::from(is), DECIMALS),
        ]);
    }
    screen.say(format!("\nWho bore it ({SYMBOL})"));
    screen.say(indented(&table(&["layer", "before", "losses", "earned", "after"], &rows, &[1, 2, 3, 4])));
    if !timeline.drawn().is_zero() {
        let (drawn, premium) = (amount(timeline.drawn(), DECIMALS), amount(timeline.passed_on, DECIMALS));
        screen.say(format!("  the reinsurer gave {drawn} and had {premium} of the premiums"));
        if screen.json {
            let (drawn, premium) = (timeline.drawn().to_string(), timeline.passed_on.to_string());
            screen.object(&json!({ "event": "reinsured", "drawn": drawn, "premium": premium }));
        }
    }
    for (bytes, gas) in timeline.proofs.iter().filter(|(bytes, _)| *bytes > 0) {
        screen.say(format!("A proof of {} bytes, taken for {} gas.", grouped(bytes), grouped(gas)));
    }
}

fn what_it_cost(timeline: &Timeline, screen: &Screen) {
    let rows: Vec<Vec<String>> = timeline
        .gas
        .iter()
        .map(|(what, (times, gas))| vec![(*what).to_owned(), times.to_string(), grouped(gas)])
        .collect();
    screen.say("\nWhat it cost");
    screen.say(indented(&table(&["transactions", "number", "gas in all"], &rows, &[1, 2])));
}

fn signed(units: i128) -> String {
    let size = amount(U256::from(units.unsigned_abs()), DECIMALS);
    if units < 0 { format!("-{size}") } else { size }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
