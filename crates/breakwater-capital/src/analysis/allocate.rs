//! Who causes the capital: parts of TVaR that sum to the whole, what taking a part out saves, what it needs alone.
//!
//! All three are read off the same years, at one level `a`, for the gross year `S` and for the net year `N`:
//!
//! - Euler's part of a product, `E[X_i | S >= VaR_a(S)]` (Tasche 1999; Acerbi and Tasche 2002 for atoms): parts sum to
//!   TVaR. Of the net year, `X_i` is what treaties leave of the product's claims, every recovery shared in proportion by the
//!   claims that caused it, see [`super::programme`].
//! - The marginal part, `TVaR(S) - TVaR(S - X_i)`, of the net year with all treaties applied again to the years without the
//!   product. The attack still happens; nobody is covered against it.
//! - The stand-alone figure, `TVaR(X_i)`; of the net year with all treaties serving this product alone.
//!
//! `marginal <= Euler <= alone` for the gross year, exactly on the sample (TVaR is convex and homogeneous); for the net
//! year treaties break both inequalities. The diversification benefit is the sum of stand-alone figures less TVaR.
//! Causes are attacks on products alone and the shocks of each cluster; taking a cluster out takes its shocks out.

use serde::{Deserialize, Serialize};

use super::{
    parallel::{each, pieces},
    programme::{Atom, Programme, Recoveries, atoms},
    tail::{Changed, Ranked, Squares, Tail, alone, shares},
    years::Years,
};
use crate::{model::Model, outcome::Failure, portfolio::Portfolio, simulate::variable};

/// How far beyond the tail, in tails, years are looked at first when something is taken out of them.
const REACH: f64 = 4.0;

/// A part of a TVaR.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What it belongs to.
    pub id: String,
    /// Its expected annual amount.
    pub mean: f64,
    /// Standard error of that.
    pub mean_error: f64,
    /// Euler's part; all parts sum to the whole.
    pub euler: f64,
    /// Standard error of that.
    pub euler_error: f64,
    /// What TVaR falls by without it.
    pub marginal: f64,
    /// Standard error of that.
    pub marginal_error: f64,
    /// TVaR of it alone.
    pub alone: f64,
}

/// TVaR of the gross or the net year, in parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Whole {
    /// Expected annual amount.
    pub mean: f64,
    /// The quantile.
    pub var: f64,
    /// The mean of the years beyond it.
    pub tvar: f64,
    /// Standard error of `tvar`.
    pub tvar_error: f64,
    /// By product, in the document's order.
    pub products: Vec<Part>,
    /// By cause: attacks on products alone, then the shocks of each cluster.
    pub causes: Vec<Part>,
    /// Sum of the products' stand-alone figures less `tvar`.
    pub diversification: f64,
    /// Standard error of that.
    pub diversification_error: f64,
}

/// What a treaty does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relief {
    /// Its name.
    pub id: String,
    /// Expected annual recovery.
    pub mean: f64,
    /// Standard error of that.
    pub mean_error: f64,
    /// Standard deviation of the annual recovery.
    pub sd: f64,
    /// Its part of the gross TVaR; with [`Allocation::retained`] all parts sum to the whole.
    pub euler: f64,
    /// Standard error of that.
    pub euler_error: f64,
    /// What the net TVaR would be higher by without it.
    pub marginal: f64,
    /// Standard error of that.
    pub marginal_error: f64,
}

/// A slice of capital, or what none bears.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Its name: `pool/tranche`, or `beyond the pools`.
    pub id: String,
    /// Its part of the net TVaR; all parts sum to the whole.
    pub euler: f64,
    /// Standard error of that.
    pub euler_error: f64,
}

/// Both allocations, treaties and tranches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allocation {
    /// Level of every TVaR in it.
    pub level: f64,
    /// Years it stands on.
    pub years: u64,
    /// The gross year.
    pub gross: Whole,
    /// The net year.
    pub net: Whole,
    /// Treaties: their parts of the gross TVaR, and what they save of the net one.
    pub treaties: Vec<Relief>,
    /// What treaties leave of the gross TVaR: `E[N | S >= VaR(S)]`, with its standard error.
    pub retained: (f64, f64),
    /// Tranches: their parts of the net TVaR; the last is what no pool bears.
    pub tranches: Vec<Slice>,
}

/// Allocates the TVaR at a level.
///
/// # Errors
/// [`Failure::Refused`] if the level is not inside (0, 1), there is no year, or treaties applied again do not leave what
/// the engine left.
pub fn allocate(model: &Model, years: &Years, level: f64, threads: usize) -> Result<Allocation, Failure> {
    if !(level > 0.0 && level < 1.0) {
        return Err(Failure::Refused(format!("level {level}; it must be inside (0, 1)")));
    }
    if years.is_empty() {
        return Err(Failure::Years(0));
    }
    let study = Study::new(model, years, level, threads);
    let found = study.take_out()?;
    let places = study.places();
    let [gross, net] = [0, 1].map(|side| study.whole(side, &found, &places));
    Ok(Allocation {
        level,
        years: years.len() as u64,
        gross,
        net,
        treaties: study.treaties(&found),
        retained: study.by_value(0, &[variable::NET])[0],
        tranches: study.tranches(),
    })
}

/// Years, ranked by gross and by net amount.
struct Study<'a> {
    model: &'a Model,
    years: &'a Years,
    programme: Programme<'a>,
    ranked: [Ranked<'a>; 2],
    tails: [Tail; 2],
    threads: usize,
}

/// A year without a part: which part (products, causes, treaties), which year, what is left gross and net.
#[derive(Clone, Copy)]
struct Taken {
    part: u32,
    year: u32,
    left: [f64; 2],
}

/// A year of one part alone.
#[derive(Clone, Copy)]
struct Alone {
    part: u32,
    year: u32,
    amount: [f32; 2],
}

/// What a walk over years finds.
#[derive(Default)]
struct Found {
    taken: Vec<Taken>,
    alone: Vec<Alone>,
    /// By part and side, what the part takes out of a year.
    means: Vec<[Squares; 2]>,
}

impl<'a> Study<'a> {
    fn new(model: &'a Model, years: &'a Years, level: f64, threads: usize) -> Self {
        let ranked = [Ranked::new(years.gross(), level), Ranked::new(years.net(), level)];
        let tails = [ranked[0].tail(), ranked[1].tail()];
        Self { model, years, programme: Programme::new(model, years.is_ordered()), ranked, tails, threads }
    }

    fn products(&self) -> usize {
        self.model.products.len()
    }

    fn causes(&self) -> usize {
        self.model.clusters.len() + 1
    }

    /// Products and causes; treaties come after them.
    fn parts(&self) -> usize {
        self.products() + self.causes()
    }

    /// Every part taken out of every year; and once more, for parts whose tail turned out to reach further down.
    fn take_out(&self) -> Result<Found, Failure> {
        let mut found = self.walk(REACH, None)?;
        let floors = [0, 1].map(|side| self.ranked[side].at(REACH * self.ranked[side].target));
        let all = self.parts() + self.model.treaties.len();
        let by_part = grouped(&found.taken, all, |t| t.part);
        let deep = each(all, self.threads, |part| {
            [0, 1].iter().any(|&side| {
                self.ranked[side].less(&self.tails[side], &changed(&by_part[part], side)).var <= floors[side]
            })
        });
        if deep.iter().any(|&d| d) {
            found.taken.retain(|t| !deep[t.part as usize]);
            let further = self.walk(f64::INFINITY, Some(&deep))?;
            found.taken.extend(further.taken.into_iter().filter(|t| deep[t.part as usize]));
        }
        Ok(found)
    }

    /// Takes parts out of years, keeping the years that may be in a tail: the worst `reach` tails, and those that become
    /// as bad. `only`: nothing but these parts, and no sums.
    fn walk(&self, reach: f64, only: Option<&[bool]>) -> Result<Found, Failure> {
        let all = self.parts() + self.model.treaties.len();
        let found = pieces(self.years.len(), self.threads, |range| {
            let mut walker = Walker::new(self, reach, only, all);
            range.into_iter().try_for_each(|year| walker.year(year)).map(|()| walker.found)
        });
        let mut sum = Found { means: vec![Default::default(); all], ..Found::default() };
        for piece in found {
            let piece = piece?;
            sum.taken.extend(piece.taken);
            sum.alone.extend(piece.alone);
            for (all, one) in sum.means.iter_mut().zip(&piece.means) {
                all.iter_mut().zip(one).for_each(|(all, one)| all.merge(one));
            }
        }
        Ok(sum)
    }

    /// Ids of products, then of causes.
    fn places(&self) -> Vec<String> {
        let Portfolio { products, clusters, .. } = &self.model.portfolio;
        let products = products.iter().map(|p| p.id.clone());
        let clusters = clusters.iter().map(|c| c.id.clone());
        products.chain(std::iter::once("own attacks".to_owned())).chain(clusters).collect()
    }

    fn whole(&self, side: usize, found: &Found, places: &[String]) -> Whole {
        let (ranked, tail) = (&self.ranked[side], &self.tails[side]);
        let years = self.years.len();
        let taken = grouped(&found.taken, places.len(), |t| t.part);
        let lone = grouped(&found.alone, places.len(), |a| a.part);
        let euler = self.euler(side);
        let of = each(places.len(), self.threads, |part| {
            let amounts: Vec<f64> = lone[part].iter().map(|a| f64::from(a.amount[side])).collect();
            (ranked.less(tail, &changed(&taken[part], side)), alone(amounts, ranked.target))
        });
        let part = |part: usize| {
            let (marginal, (_, alone)) = of[part];
            let mean = &found.means[part][side];
            Part {
                id: places[part].clone(),
                mean: mean.sum / years as f64,
                mean_error: mean.error(years, years as f64),
                euler: euler[part].0,
                euler_error: euler[part].1,
                marginal: marginal.tvar,
                marginal_error: marginal.error,
                alone,
            }
        };
        // What a year adds to the benefit: the products' excesses over their own quantiles, less the year's.
        let mut excess: Vec<f64> = ranked.values.iter().map(|v| -(v - tail.var).max(0.0)).collect();
        for product in 0..self.products() {
            let var = of[product].1.0;
            for one in &lone[product] {
                excess[one.year as usize] += (f64::from(one.amount[side]) - var).max(0.0);
            }
        }
        let mut squares = Squares::default();
        excess.iter().for_each(|&e| squares.add(e));
        let products: Vec<Part> = (0..self.products()).map(part).collect();
        Whole {
            mean: ranked.values.iter().fold(0.0, |sum, v| sum + v) / years as f64,
            var: tail.var,
            tvar: tail.tvar,
            tvar_error: tail.tvar_error,
            diversification: products.iter().fold(0.0, |sum, p| sum + p.alone) - tail.tvar,
            diversification_error: squares.error(years, ranked.target),
            products,
            causes: (self.products()..places.len()).map(part).collect(),
        }
    }

    /// Euler parts of products and causes.
    fn euler(&self, side: usize) -> Vec<(f64, f64)> {
        let mut walker = Walker::new(self, 0.0, None, 0);
        shares(&self.ranked[side], &self.tails[side], self.parts(), |year, out| {
            atoms(self.years.events(year as usize), |_, _| true, &mut walker.atoms);
            walker.defaults(year as usize);
            let net = self.programme.settle(&walker.atoms, &walker.defaulted, &mut walker.work);
            let causes: Vec<u32> = self.years.events(year as usize).map(|e| e.cause).collect();
            for (atom, &net) in walker.atoms.iter().zip(net) {
                let amount = if side == 0 { atom.amount } else { net };
                out.push((atom.product, amount));
                out.push((self.products() as u32 + causes[atom.event as usize], amount));
            }
        })
    }

    /// Parts of a tail by variables.
    fn by_value(&self, side: usize, variables: &[usize]) -> Vec<(f64, f64)> {
        shares(&self.ranked[side], &self.tails[side], variables.len(), |year, out| {
            let value = |(i, &v): (usize, &usize)| (i as u32, self.years.values(v)[year as usize]);
            out.extend(variables.iter().enumerate().map(value));
        })
    }

    fn treaties(&self, found: &Found) -> Vec<Relief> {
        let count = self.model.treaties.len();
        let variables: Vec<usize> = (0..count).map(|t| variable::TREATIES + t).collect();
        let euler = self.by_value(0, &variables);
        let taken = grouped(&found.taken, self.parts() + count, |t| t.part);
        let years = self.years.len();
        let one = |t: usize| {
            let mut paid = Squares::default();
            self.years.values(variables[t]).iter().for_each(|&v| paid.add(v));
            let saved = self.ranked[1].less(&self.tails[1], &changed(&taken[self.parts() + t], 1));
            Relief {
                id: self.model.portfolio.treaties[t].id.clone(),
                mean: paid.sum / years as f64,
                mean_error: paid.error(years, years as f64),
                sd: paid.sd(years),
                euler: euler[t].0,
                euler_error: euler[t].1,
                marginal: -saved.tvar,
                marginal_error: saved.error,
            }
        };
        (0..count).map(one).collect()
    }

    fn tranches(&self) -> Vec<Slice> {
        let first = variable::TREATIES + self.model.treaties.len();
        let ids: Vec<String> = self
            .model
            .portfolio
            .pools
            .iter()
            .flat_map(|p| {
                let tranches = p.tranches.iter().map(|t| format!("{}/{}", p.id, t.id));
                std::iter::once(format!("{}/surplus", p.id)).chain(tranches)
            })
            .chain(std::iter::once("beyond the pools".to_owned()))
            .collect();
        let last = ids.len() - 1;
        let parts = shares(&self.ranked[1], &self.tails[1], ids.len(), |year, out| {
            let mut left = self.years.net()[year as usize];
            for tranche in 0..last {
                let borne = self.years.values(first + tranche)[year as usize];
                left -= borne;
                out.push((tranche as u32, borne));
            }
            out.push((last as u32, left));
        });
        ids.into_iter()
            .zip(parts)
            .map(|(id, (euler, euler_error))| Slice { id, euler, euler_error })
            .collect()
    }
}

/// Walks over years, taking parts out of them.
struct Walker<'s, 'a> {
    study: &'s Study<'a>,
    reach: f64,
    only: Option<&'s [bool]>,
    without: Vec<Programme<'a>>,
    found: Found,
    atoms: Vec<Atom>,
    left: Vec<Atom>,
    touched: Vec<u32>,
    defaulted: Vec<bool>,
    work: Recoveries,
}

impl<'s, 'a> Walker<'s, 'a> {
    fn new(study: &'s Study<'a>, reach: f64, only: Option<&'s [bool]>, parts: usize) -> Self {
        let without = (0..study.model.treaties.len()).map(|t| study.programme.without(t)).collect();
        Self {
            study,
            reach,
            only,
            without,
            found: Found { means: vec![Default::default(); parts], ..Found::default() },
            atoms: vec![],
            left: vec![],
            touched: vec![],
            defaulted: vec![],
            work: Recoveries::default(),
        }
    }

    fn year(&mut self, year: usize) -> Result<(), Failure> {
        let study = self.study;
        let whole = [study.years.gross()[year], study.years.net()[year]];
        atoms(study.years.events(year), |_, _| true, &mut self.atoms);
        self.defaults(year);
        let net = study.programme.net(&self.atoms, &self.defaulted, &mut self.work);
        if (net - whole[1]).abs() > 1e-6 * (1e-6 + whole[0]) {
            let what =
                format!("year {year}: treaties applied again leave {net}, the engine left {}", whole[1]);
            return Err(Failure::Refused(what));
        }
        let paid = self.work.paid.clone();
        for (t, _) in paid.iter().enumerate().filter(|p| *p.1 > 0.0) {
            let part = study.parts() + t;
            if self.wanted(part) {
                let net = self.without[t].net(&self.atoms, &self.defaulted, &mut self.work);
                self.keep(part, year, whole, [whole[0], net]);
            }
        }
        let products = study.products() as u32;
        self.touched.clear();
        self.touched.extend(self.atoms.iter().map(|a| a.product));
        self.touched.extend(study.years.events(year).map(|e| products + e.cause));
        self.touched.sort_unstable();
        self.touched.dedup();
        let touched = std::mem::take(&mut self.touched);
        for &part in &touched {
            if self.wanted(part as usize) {
                self.part(part, year, whole);
            }
        }
        self.touched = touched;
        Ok(())
    }

    fn wanted(&self, part: usize) -> bool {
        self.only.is_none_or(|only| only[part])
    }

    /// The year without a part, and the part without the year.
    fn part(&mut self, part: u32, year: usize, whole: [f64; 2]) {
        let study = self.study;
        let products = study.products() as u32;
        let belongs = |cause: u32, product: u32| product == part || products + cause == part;
        let sum = |atoms: &[Atom]| atoms.iter().fold(0.0, |sum, a| sum + a.amount);
        let mut left = std::mem::take(&mut self.left);
        atoms(study.years.events(year), |c, p| !belongs(c, p), &mut left);
        let net = study.programme.net(&left, &self.defaulted, &mut self.work);
        self.keep(part as usize, year, whole, [sum(&left), net]);
        if self.only.is_none() {
            atoms(study.years.events(year), belongs, &mut left);
            let net = study.programme.net(&left, &self.defaulted, &mut self.work);
            let amount = [sum(&left) as f32, net as f32];
            self.found.alone.push(Alone { part, year: year as u32, amount });
        }
        self.left = left;
    }

    fn keep(&mut self, part: usize, year: usize, whole: [f64; 2], left: [f64; 2]) {
        let mut near = false;
        for side in [0, 1] {
            self.found.means[part][side].add(whole[side] - left[side]);
            let ranked = &self.study.ranked[side];
            let reach = self.reach * ranked.target;
            near |= ranked.within(year, reach) || (left[side] > whole[side] && left[side] > ranked.at(reach));
        }
        if near {
            self.found.taken.push(Taken { part: part as u32, year: year as u32, left });
        }
    }

    /// Which reinsurers failed in a year, read off what the engine made their treaties pay.
    fn defaults(&mut self, year: usize) {
        let model = self.study.model;
        let gross = self.study.years.gross()[year];
        self.defaulted.clear();
        self.defaulted.resize(model.counterparties.len(), false);
        for _ in 0..model.counterparties.len() {
            self.study.programme.settle(&self.atoms, &self.defaulted, &mut self.work);
            let failed = model.treaty_order.iter().find_map(|&t| {
                let (who, _) = model.treaties[t].counterparty?;
                let paid = self.study.years.values(variable::TREATIES + t)[year];
                // Claims are kept in single precision, and little of a loss next to an attachment is all rounding.
                (!self.defaulted[who] && paid < self.work.paid[t] - 1e-6 * gross).then_some(who)
            });
            match failed {
                Some(who) => self.defaulted[who] = true,
                None => return,
            }
        }
    }
}

/// Entries by part; their order is kept.
fn grouped<T: Copy>(entries: &[T], parts: usize, part: impl Fn(&T) -> u32) -> Vec<Vec<T>> {
    let mut groups = vec![vec![]; parts];
    for entry in entries {
        // Treaties have no place among products and causes.
        if let Some(group) = groups.get_mut(part(entry) as usize) {
            group.push(*entry);
        }
    }
    groups
}

fn changed(taken: &[Taken], side: usize) -> Vec<Changed> {
    taken.iter().map(|t| Changed { year: t.year, to: t.left[side] }).collect()
}

#[cfg(test)]
mod tests;
