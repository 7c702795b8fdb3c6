//! Treaties applied again to a year's claims, with every recovery carried back to the claims that caused it.
//!
//! The rules are those of [`crate::timeline`]. A treaty by event looks at what its claims of an event are less what the
//! treaties it comes after owe; annual terms are applied to the running sum of what fell into the layer (Sundt, "On excess
//! of loss reinsurance with reinstatements", Bulletin of the Swiss Association of Actuaries, 1991); stop losses look at the
//! year, after all treaties by event; a loss is paid once. What a treaty owes for an event is shared by the event's claims
//! in proportion to what they were when it looked, and what it owes for a year by the year's claims likewise. So the net
//! amounts of claims sum to the net year, for any treaties in any order.
//! Where the order of events means nothing, annual terms take from all events of the year in proportion.

use crate::{
    model::{Model, Treaty},
    portfolio::Cover,
};

use super::years::Event;

/// Part of an event that one product has in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Atom {
    /// Which event of the year.
    pub event: u32,
    /// Index of the product.
    pub product: u32,
    /// What the cover pays.
    pub amount: f64,
}

/// The claims of a year as atoms, leaving out what `keep` refuses by cause and product.
pub fn atoms<'a>(
    events: impl Iterator<Item = Event<'a>>,
    keep: impl Fn(u32, u32) -> bool,
    out: &mut Vec<Atom>,
) {
    out.clear();
    for (index, event) in events.enumerate() {
        let kept = event.claims.iter().filter(|c| keep(event.cause, c.0));
        out.extend(kept.map(|&(product, amount)| Atom {
            event: index as u32,
            product,
            amount: f64::from(amount),
        }));
    }
}

/// A model's treaties.
#[derive(Clone, Debug)]
pub struct Programme<'a> {
    model: &'a Model,
    ordered: bool,
    /// A treaty that pays nothing.
    without: Option<usize>,
    /// Whether claims of an event may be taken together: every treaty covers all products.
    whole: bool,
    /// Treaties by event, then those of the year, each after those it names.
    order: Vec<usize>,
}

/// What a year's treaties paid, and memory to compute it in.
#[derive(Clone, Debug, Default)]
pub struct Recoveries {
    /// By treaty.
    pub paid: Vec<f64>,
    /// By treaty, what it owes for each atom.
    owed: Vec<Vec<f64>>,
    subject: Vec<f64>,
    merged: Vec<Atom>,
    net: Vec<f64>,
}

impl<'a> Programme<'a> {
    /// The treaties of a model. `ordered`: the order of a year's events means something.
    pub fn new(model: &'a Model, ordered: bool) -> Self {
        let of = |by_event: bool| {
            let treaties = model.treaty_order.iter().copied();
            treaties.filter(move |&t| model.treaties[t].is_by_event() == by_event)
        };
        let whole = model.treaties.iter().all(|t| t.covers.is_none());
        Self { model, ordered, without: None, whole, order: of(true).chain(of(false)).collect() }
    }

    /// The same without one of them.
    pub fn without(&self, treaty: usize) -> Self {
        Self { without: Some(treaty), ..self.clone() }
    }

    /// What of a year's atoms is left, by atom; `work.paid` says what each treaty paid.
    /// Atoms of an event stand together; `defaulted` says by counterparty whether it fails this year, none if nobody does.
    pub fn settle<'w>(&self, atoms: &[Atom], defaulted: &[bool], work: &'w mut Recoveries) -> &'w [f64] {
        let treaties = &self.model.treaties;
        work.paid.clear();
        work.paid.resize(treaties.len(), 0.0);
        work.owed.resize(treaties.len(), vec![]);
        work.net.clear();
        work.net.extend(atoms.iter().map(|a| a.amount));
        for &t in &self.order {
            let treaty = &treaties[t];
            let mut owed = std::mem::take(&mut work.owed[t]);
            owed.clear();
            owed.resize(atoms.len(), 0.0);
            if self.without != Some(t) && !atoms.is_empty() {
                look(treaty, atoms, &work.owed, &mut work.subject);
                let total = self.owe(treaty, atoms, &work.subject, &mut owed);
                // Others look at what it owes; the portfolio gets what it pays, and no loss is paid twice.
                let fails = treaty.counterparty.filter(|c| defaulted.get(c.0).copied().unwrap_or(false));
                let kept = fails.map_or(1.0, |c| c.1);
                let mut short = 0.0;
                for (net, owed) in work.net.iter_mut().zip(&owed) {
                    let due = owed * kept;
                    let paid = due.min(*net);
                    *net -= paid;
                    short += due - paid;
                }
                work.paid[t] = (total * kept - short).max(0.0);
            }
            work.owed[t] = owed;
        }
        &work.net
    }

    /// What is left of a year, for callers who need no parts.
    pub fn net(&self, atoms: &[Atom], defaulted: &[bool], work: &mut Recoveries) -> f64 {
        let sum = |net: &[f64]| net.iter().fold(0.0, |sum, n| sum + n).max(0.0);
        if !self.whole {
            return sum(self.settle(atoms, defaulted, work));
        }
        let mut merged = std::mem::take(&mut work.merged);
        merged.clear();
        for atom in atoms {
            match merged.last_mut() {
                Some(last) if last.event == atom.event => last.amount += atom.amount,
                _ => merged.push(*atom),
            }
        }
        let net = sum(self.settle(&merged, defaulted, work));
        work.merged = merged;
        net
    }

    /// Fills what a treaty owes for each atom that it looks at as `subject`; returns the sum.
    fn owe(&self, treaty: &Treaty, atoms: &[Atom], subject: &[f64], ceded: &mut [f64]) -> f64 {
        let share = treaty.share;
        let spread = |range: std::ops::Range<usize>, total: f64, amount: f64, ceded: &mut [f64]| {
            if total > 0.0 {
                range.for_each(|i| ceded[i] = subject[i] / total * amount);
            }
        };
        let total_of = |range: std::ops::Range<usize>| subject[range].iter().fold(0.0, |sum, s| sum + s);
        if let Cover::StopLoss { attachment, limit } = treaty.cover {
            let total = total_of(0..atoms.len());
            let paid = (total - attachment).max(0.0).min(limit) * share;
            spread(0..atoms.len(), total, paid, ceded);
            return paid;
        }
        let annual_deductible = match treaty.cover {
            Cover::EventExcess { annual_deductible, .. } => annual_deductible,
            _ => 0.0,
        };
        let annual_limit = treaty.annual_limit();
        let year = |sum: f64| (sum - annual_deductible).max(0.0).min(annual_limit);
        let (mut inside, mut from, mut hits) = (0.0, 0, 0);
        for group in atoms.chunk_by(|a, b| a.event == b.event) {
            let range = from..from + group.len();
            from = range.end;
            let total = total_of(range.clone());
            let of_event = in_layer(&treaty.cover, total, &mut hits);
            let before = inside;
            inside += of_event;
            let paid = if self.ordered { (year(inside) - year(before)) * share } else { of_event };
            spread(range, total, paid, ceded);
        }
        let paid = year(inside) * share;
        if !self.ordered && inside > 0.0 {
            ceded.iter_mut().for_each(|c| *c *= paid / inside);
        }
        paid
    }
}

/// What a treaty sees of each atom: nothing of products it does not cover, and not what those before it owe.
fn look(treaty: &Treaty, atoms: &[Atom], owed: &[Vec<f64>], subject: &mut Vec<f64>) {
    let covered = |a: &Atom| treaty.covers.as_ref().is_none_or(|c| c[a.product as usize]);
    subject.clear();
    subject.extend(atoms.iter().map(|a| if covered(a) { a.amount } else { 0.0 }));
    for &before in &treaty.after {
        for ((subject, atom), ceded) in subject.iter_mut().zip(atoms).zip(&owed[before]) {
            if covered(atom) {
                // What rounding leaves below zero is nothing.
                *subject = (*subject - ceded).max(0.0);
            }
        }
    }
}

/// What of an event is in a treaty's layer, before annual terms and the placed share.
fn in_layer(cover: &Cover, loss: f64, hits: &mut u32) -> f64 {
    match *cover {
        Cover::QuotaShare { event_limit, .. } => loss.min(event_limit.unwrap_or(f64::INFINITY)),
        Cover::EventExcess { attachment, limit, .. } => (loss - attachment).max(0.0).min(limit),
        Cover::Catastrophe { trigger, pays, events } => {
            // Claims are kept in single precision: a loss that is the trigger to the last digit must reach it.
            if loss >= trigger * (1.0 - 1e-6) && *hits < events {
                *hits += 1;
                pays.min(loss)
            } else {
                0.0
            }
        }
        // It looks at years.
        Cover::StopLoss { .. } => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::{Hit, Settled, Settler, Year};
    use crate::{
        analysis::Years,
        example::cp500,
        outcome::Options,
        portfolio::{Law, Portfolio, Product, Severity},
        simulate::variable,
    };

    fn treaties(covers: Vec<(&str, Cover, &[&str], &[&str])>) -> Model {
        let mut portfolio = Portfolio::named("two", "USD");
        portfolio.severities =
            vec![Severity { id: "all".into(), cap: None, law: Law::Degenerate { value: 1.0 } }];
        let text = |id: &str| {
            format!(
                "schema = \"breakwater-portfolio/1\"\nname = \"x\"\nunit = \"USD\"\n[[product]]\nid = \"{id}\"\nrate = 1\n\
                 severity = \"all\"\nexposure = 100\n"
            )
        };
        portfolio.products = ["a", "b"]
            .iter()
            .map(|id| {
                let one: Portfolio = toml::from_str(&text(id)).unwrap();
                one.products[0].clone()
            })
            .collect::<Vec<Product>>();
        portfolio.treaties = covers
            .into_iter()
            .map(|(id, cover, after, products)| crate::portfolio::Treaty {
                id: id.into(),
                cover,
                share: 1.0,
                after: after.iter().map(|&a| a.into()).collect(),
                products: products.iter().map(|&p| p.into()).collect(),
                premium: 0.0,
                counterparty: None,
            })
            .collect();
        Model::new(portfolio).unwrap()
    }

    fn excess(attachment: f64, limit: f64, annual: f64) -> Cover {
        Cover::EventExcess {
            attachment,
            limit,
            annual_limit: Some(annual),
            reinstatements: None,
            annual_deductible: 0.0,
        }
    }

    fn year(losses: &[(u32, u32, f64)]) -> Vec<Atom> {
        losses.iter().map(|&(event, product, amount)| Atom { event, product, amount }).collect()
    }

    #[test]
    fn the_engines_own_years_come_out_again() {
        let model = Model::new(cp500()).unwrap();
        let years =
            Years::simulate(&model, &Options { years: 30_000, seed: 5, threads: 2 }, &|_| true).unwrap();
        let programme = Programme::new(&model, false);
        let (mut work, mut list) = (Recoveries::default(), vec![]);
        let mut recovered = 0;
        for y in 0..years.len() {
            atoms(years.events(y), |_, _| true, &mut list);
            let whole = list.iter().fold(0.0, |sum, a| sum + a.amount);
            assert!((whole - years.gross()[y]).abs() <= 1e-9 * (1.0 + whole), "year {y}");
            let net = programme.net(&list, &[], &mut work);
            assert!((net - years.net()[y]).abs() <= 1e-9 * (1.0 + whole), "year {y}: {net}");
            for t in 0..3 {
                let engine = years.values(variable::TREATIES + t)[y];
                assert!((work.paid[t] - engine).abs() <= 1e-9 * (1.0 + whole), "year {y} treaty {t}");
                recovered += usize::from(engine > 0.0);
            }
            // Claim by claim is the same as event by event, and no claim is left with less than nothing.
            let parts = programme.settle(&list, &[], &mut work);
            assert!((parts.iter().sum::<f64>() - net).abs() <= 1e-9 * (1.0 + whole));
            assert!(parts.iter().all(|&p| p >= -1e-9 * (1.0 + whole)));
        }
        assert!(recovered > 10_000, "{recovered}");
    }

    #[test]
    fn annual_limits_run_down_in_order() {
        let model = treaties(vec![("x", excess(10.0, 20.0, 30.0), &[], &[])]);
        let losses = year(&[(0, 0, 30.0), (1, 1, 30.0), (2, 0, 40.0)]);
        let mut work = Recoveries::default();
        // 20, then the 10 that are left, then nothing.
        let parts = Programme::new(&model, true).settle(&losses, &[], &mut work).to_vec();
        assert_eq!(parts, [10.0, 20.0, 40.0]);
        // Without an order each event has half of what it asked for.
        let parts = Programme::new(&model, false).settle(&losses, &[], &mut work).to_vec();
        assert_eq!(parts, [20.0, 20.0, 30.0]);
        assert_eq!(work.paid, [30.0]);
        assert_eq!(Programme::new(&model, true).without(0).net(&losses, &[], &mut work), 100.0);
    }

    #[test]
    fn a_recovery_is_shared_by_the_claims_that_caused_it() {
        // The quota share takes half of product a; the excess sees what that left; the stop loss what both left.
        let quota = Cover::QuotaShare { event_limit: Some(20.0), annual_limit: None };
        let model = treaties(vec![
            ("q", quota, &[], &["a"]),
            ("x", excess(30.0, 40.0, 40.0), &["q"], &[]),
            ("s", Cover::StopLoss { attachment: 20.0, limit: 100.0 }, &["q", "x"], &[]),
        ]);
        let mut work = Recoveries::default();
        let losses = year(&[(0, 0, 60.0), (0, 1, 40.0)]);
        let parts = Programme::new(&model, true).settle(&losses, &[], &mut work).to_vec();
        // a: 60 - 20 = 40, b: 40; of 80 the excess pays 40, twenty each; of 40 the stop loss pays 20, ten each.
        assert_eq!(parts, [10.0, 10.0]);
        assert_eq!(work.paid, [20.0, 40.0, 20.0]);
    }

    #[test]
    fn a_fixed_amount_is_paid_for_so_many_events_and_never_more_than_the_loss() {
        let model =
            treaties(vec![("c", Cover::Catastrophe { trigger: 5.0, pays: 8.0, events: 2 }, &[], &[])]);
        let mut work = Recoveries::default();
        let losses = year(&[(0, 0, 4.0), (1, 0, 6.0), (2, 1, 50.0), (3, 1, 50.0)]);
        let parts = Programme::new(&model, true).settle(&losses, &[], &mut work).to_vec();
        assert_eq!(parts, [4.0, 0.0, 42.0, 50.0]);
    }

    #[test]
    fn the_settlers_rules_are_these() {
        // Treaties with subjects of their own, one of them failing: event by event the settler of the timeline says the
        // same, treaty by treaty.
        let mut model = treaties(vec![
            ("q", Cover::QuotaShare { event_limit: Some(20.0), annual_limit: Some(30.0) }, &[], &["a"]),
            ("x", excess(15.0, 40.0, 50.0), &["q"], &[]),
            ("c", Cover::Catastrophe { trigger: 12.0, pays: 9.0, events: 2 }, &["x"], &["b"]),
            ("s", Cover::StopLoss { attachment: 20.0, limit: 60.0 }, &["q", "x"], &[]),
        ]);
        model.counterparties = vec![("reinsurer".into(), 0.1)];
        model.treaties[1].counterparty = Some((0, 0.4));
        let settler = Settler::new(&model).unwrap();
        let programme = Programme::new(&model, true);
        let (mut work, mut settled) = (Recoveries::default(), Settled::default());
        let mut stream = crate::rng::Stream::new(1, crate::rng::Purpose::Timeline, 0);
        for round in 0..2_000 {
            let mut year = Year { defaulted: vec![round % 3 == 0], ..Year::default() };
            let mut list = vec![];
            for event in 0..1 + round % 5 {
                let hits: Vec<Hit> = (0..2)
                    .map(|product| Hit { product, amount: 60.0 * stream.unit() * stream.unit() })
                    .collect();
                list.extend(hits.iter().map(|h| Atom { event, product: h.product, amount: h.amount }));
                year.event(0.1 * f64::from(event), 1, &hits);
            }
            let net = programme.net(&list, &year.defaulted, &mut work);
            settler.settle(&mut year, &mut settled);
            assert!((net - settled.net).abs() < 1e-9, "{round}: {net} {}", settled.net);
            for t in 0..4 {
                assert!((work.paid[t] - settled.paid[t]).abs() < 1e-9, "{round} {t}");
            }
        }
    }
}
