//! Treaties one by one: what each does to an event and to a year, and the law of what it pays.

use serde::{Deserialize, Serialize};

use super::{lattice::Lattice, place};
use crate::{
    fault::Fault,
    model::{Model, Treaty},
    portfolio::Cover,
};

/// Treaties that follow one another for one event.
const LONGEST: usize = 16;

/// A treaty's year: what it owes by itself, whether or not its reinsurer pays and whatever other treaties owe too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Name of the treaty.
    pub id: String,
    /// Index of the treaty.
    pub treaty: usize,
    /// Mean of what it pays a year, times the placed share.
    pub expected: f64,
    /// The same if no annual limit and no annual deductible bounded it.
    pub expected_unlimited: f64,
    /// Standard deviation of what it pays, times the placed share.
    pub sd: f64,
    /// Probability that it pays anything.
    pub attaches: f64,
    /// Probability that its annual limit is used up; 0 without one.
    pub exhausts: f64,
    /// Mean of the premium that reinstates it, times the placed share: each reinstatement at its own price, by the part
    /// of the limit that is used.
    pub reinstatement_premium: f64,
}

/// What a treaty takes of an event and of a year.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Treaties whose parts of the event come off first, with this one last, each as (share, what of the event).
    chain: Vec<Step>,
    /// What the year's sum must exceed.
    pub(super) annual_deductible: f64,
    /// The most of a year.
    pub(super) annual_limit: f64,
    /// Single-event limit and prices of reinstatements.
    pub(super) reinstatements: Option<(f64, Vec<f64>)>,
}

#[derive(Clone, Debug)]
struct Step {
    treaty: usize,
    share: f64,
    attachment: f64,
    limit: f64,
    after: Vec<usize>,
}

impl Step {
    fn of(&self, y: f64) -> f64 {
        (y - self.attachment).max(0.0).min(self.limit)
    }
}

impl View {
    /// How a treaty sees the gross loss.
    ///
    /// # Errors
    /// What of it has no one-dimensional law.
    pub(super) fn new(model: &Model, index: usize) -> Result<Self, Fault> {
        let treaty = &model.treaties[index];
        let (annual_deductible, annual_limit) = match &treaty.cover {
            Cover::StopLoss { attachment, limit } => (*attachment, *limit),
            Cover::EventExcess { annual_deductible, .. } => (*annual_deductible, treaty.annual_limit()),
            Cover::QuotaShare { .. } => (0.0, treaty.annual_limit()),
            Cover::Catastrophe { .. } => {
                return Err(refusal(model, index, "a catastrophe trigger is simulated"));
            }
        };
        let mut chain = Vec::new();
        let before = predecessors(model, index);
        if before.len() >= LONGEST {
            return Err(refusal(model, index, &format!("it comes after more than {} treaties", LONGEST - 1)));
        }
        for earlier in before {
            let before = &model.treaties[earlier];
            if !before.is_by_event()
                || before.annual_limit().is_finite()
                || annual_deductible_of(before) > 0.0
            {
                let what = format!(
                    "it comes after {:?}, whose year is limited: the two have no one-dimensional law together",
                    model.portfolio.treaties[earlier].id
                );
                return Err(refusal(model, index, &what));
            }
            if before.covers != treaty.covers {
                return Err(refusal(model, index, "it comes after a treaty that covers other products"));
            }
            chain.push(step(model, earlier)?);
        }
        chain.push(step(model, index)?);
        let reinstatements = match &treaty.cover {
            Cover::EventExcess { limit, reinstatements: Some(prices), .. } => Some((*limit, prices.clone())),
            _ => None,
        };
        Ok(Self { chain, annual_deductible, annual_limit, reinstatements })
    }

    /// What the treaty takes of an event.
    pub(super) fn of_event(&self, y: f64) -> f64 {
        let mut taken = [0.0; LONGEST];
        let mut last = 0.0;
        for (place, step) in self.chain.iter().enumerate() {
            let off: f64 = self.chain[..place]
                .iter()
                .zip(&taken)
                .filter(|(earlier, _)| step.after.contains(&earlier.treaty))
                .map(|(earlier, taken)| earlier.share * taken)
                .sum();
            last = step.of(y - off);
            if let Some(slot) = taken.get_mut(place) {
                *slot = last;
            }
        }
        last
    }

    /// The gross event loss above which the treaty takes something, if none comes before it.
    pub(super) fn attachment(&self) -> Option<f64> {
        match self.chain.as_slice() {
            [only] => Some(only.attachment),
            _ => None,
        }
    }

    /// What it takes of a year whose events gave it `sum`.
    pub(super) fn of_year(&self, sum: f64) -> f64 {
        (sum - self.annual_deductible).max(0.0).min(self.annual_limit)
    }

    /// Reinstatement premium of a year whose events gave it `sum`, as a share of the premium.
    pub(super) fn reinstatement(&self, sum: f64) -> f64 {
        let Some((limit, prices)) = &self.reinstatements else { return 0.0 };
        reinstatement(*limit, prices, self.of_year(sum))
    }
}

/// What a year that pays `paid` costs in reinstatements, as a share of the premium: the k-th limit used is reinstated
/// at the k-th price, by proportion, and the limit after the last reinstatement at none.
pub fn reinstatement(limit: f64, prices: &[f64], paid: f64) -> f64 {
    prices
        .iter()
        .enumerate()
        .map(|(k, price)| price * ((paid - k as f64 * limit) / limit).clamp(0.0, 1.0))
        .sum()
}

/// Mean and other figures of a layer whose events' sum has this law.
pub(super) fn layer(model: &Model, index: usize, view: &View, sum: &Lattice, none: Option<f64>) -> Layer {
    let treaty = &model.treaties[index];
    let expected = sum.expect(|x| view.of_year(x));
    let square = sum.expect(|x| (view.of_year(x) - expected) * (view.of_year(x) - expected));
    let full = view.annual_deductible + view.annual_limit;
    let attaches = match none {
        Some(none) if view.annual_deductible == 0.0 => 1.0 - none,
        _ => sum.survival(view.annual_deductible),
    };
    Layer {
        id: model.portfolio.treaties[index].id.clone(),
        treaty: index,
        expected: treaty.share * expected,
        expected_unlimited: treaty.share * sum.mean(),
        sd: treaty.share * square.max(0.0).sqrt(),
        attaches,
        // Half a step below the limit is on it.
        exhausts: if full.is_finite() { sum.survival(full - 0.5 * sum.step()) } else { 0.0 },
        reinstatement_premium: treaty.share * treaty.premium * sum.expect(|x| view.reinstatement(x)),
    }
}

fn step(model: &Model, index: usize) -> Result<Step, Fault> {
    let treaty = &model.treaties[index];
    let (attachment, limit) = match &treaty.cover {
        Cover::EventExcess { attachment, limit, .. } => (*attachment, *limit),
        Cover::QuotaShare { event_limit, .. } => (0.0, event_limit.unwrap_or(f64::INFINITY)),
        Cover::StopLoss { .. } => (0.0, f64::INFINITY),
        Cover::Catastrophe { .. } => {
            return Err(refusal(model, index, "a catastrophe trigger is simulated"));
        }
    };
    Ok(Step { treaty: index, share: treaty.share, attachment, limit, after: treaty.after.clone() })
}

fn annual_deductible_of(treaty: &Treaty) -> f64 {
    match treaty.cover {
        Cover::EventExcess { annual_deductible, .. } => annual_deductible,
        _ => 0.0,
    }
}

/// Those that a treaty comes after, and those that these come after, each after its own.
fn predecessors(model: &Model, index: usize) -> Vec<usize> {
    let mut needed = vec![false; model.treaties.len()];
    needed[index] = true;
    for &treaty in model.treaty_order.iter().rev() {
        if needed[treaty] {
            model.treaties[treaty].after.iter().for_each(|&earlier| needed[earlier] = true);
        }
    }
    model.treaty_order.iter().copied().filter(|&treaty| treaty != index && needed[treaty]).collect()
}

fn refusal(model: &Model, index: usize, what: &str) -> Fault {
    Fault::new(place("treaty", &model.portfolio.treaties[index].id), format!("no exact law: {what}"))
}
