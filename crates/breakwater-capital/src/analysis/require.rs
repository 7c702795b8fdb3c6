//! How much the pool must hold, read off a run's net year.
//!
//! The requirement at a level is VaR or TVaR of the net year (Solvency II: VaR at 99.5 %; the Swiss Solvency Test: TVaR at
//! 99 %). What is held is surplus and tranches of all pools.

use serde::{Deserialize, Serialize};

use crate::{
    model::Model,
    outcome::{Layer, LayerErrors, Outcome},
};

/// What must be held at one level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Need {
    /// Level.
    pub level: f64,
    /// Value at risk of the net year.
    pub var: f64,
    /// Standard error of that.
    pub var_error: f64,
    /// Mean of the net years beyond it.
    pub tvar: f64,
    /// Standard error of that.
    pub tvar_error: f64,
    /// Held less `var`; negative is missing.
    pub over_var: f64,
    /// Held less `tvar`; negative is missing.
    pub over_tvar: f64,
}

/// A tranche and the probabilities that it is touched and used up in a year.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// `pool/tranche`.
    pub id: String,
    /// Its capital.
    pub capital: f64,
    /// Expected annual loss.
    pub mean: f64,
    /// Standard error of that.
    pub mean_error: f64,
    /// Probability that it bears anything.
    pub attach: f64,
    /// Standard error of that.
    pub attach_error: f64,
    /// Probability that it is used up.
    pub exhaust: f64,
    /// Standard error of that.
    pub exhaust_error: f64,
}

/// What must be held, and what is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requirement {
    /// What an amount of 1.0 is.
    pub unit: String,
    /// Years it stands on.
    pub years: u64,
    /// Surplus and tranches of all pools.
    pub held: f64,
    /// By level.
    pub needs: Vec<Need>,
    /// By tranche; surplus comes first in each pool.
    pub tranches: Vec<Slice>,
}

/// Capital requirement of a run's net year at all its levels.
pub fn require(model: &Model, outcome: &Outcome) -> Requirement {
    let held = model.pools.iter().fold(0.0, |sum, p| sum + p.capital());
    let needs = outcome.levels.net.iter().map(|l| Need {
        level: l.level,
        var: l.var,
        var_error: l.var_error,
        tvar: l.tvar,
        tvar_error: l.tvar_error,
        over_var: held - l.var,
        over_tvar: held - l.tvar,
    });
    let capitals = model
        .pools
        .iter()
        .flat_map(|p| std::iter::once(p.terms.surplus).chain(p.terms.tranches.iter().map(|t| t.capital)));
    let tranche = |((layer, errors), capital): ((&Layer, &LayerErrors), f64)| Slice {
        id: layer.id.clone(),
        capital,
        mean: layer.figures.mean,
        mean_error: errors.figures.mean,
        attach: layer.attach,
        attach_error: errors.attach,
        exhaust: layer.exhaust,
        exhaust_error: errors.exhaust,
    };
    let tranches = outcome.tranches.iter().zip(&outcome.standard_errors.tranches).zip(capitals);
    Requirement {
        unit: outcome.unit.clone(),
        years: outcome.years,
        held,
        needs: needs.collect(),
        tranches: tranches.map(tranche).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        example::cp500,
        outcome::{Options, evaluate},
        portfolio::{Pool, Tranche},
    };

    #[test]
    fn what_is_missing_and_what_each_tranche_bears() {
        let mut portfolio = cp500();
        let tranche = |id: &str, capital: f64| Tranche { id: id.into(), capital, premium_weight: 0.0 };
        portfolio.treaties.clear();
        portfolio.pools.push(Pool {
            id: "pool".into(),
            products: vec![],
            surplus: 1.0,
            tranches: vec![tranche("junior", 9.0), tranche("senior", 13.335)],
            premium_to_surplus: 0.0,
            reserve: None,
            behaviour: None,
        });
        let model = Model::new(portfolio).unwrap();
        let outcome = evaluate(&model, &Options { years: 200_000, seed: 4, threads: 2 }, &|_| true).unwrap();
        let r = require(&model, &outcome);
        // VaR 99 is 23.335 by FFT: exactly what is held.
        let at = r.needs.iter().find(|n| n.level == 0.99).unwrap();
        assert!((r.held - 23.335).abs() < 1e-9);
        assert!(at.over_var.abs() < 3.0 * at.var_error && at.over_tvar < 0.0, "{at:?}");
        let senior = &r.tranches[2];
        assert!((senior.exhaust - 0.01).abs() < 3.0 * senior.exhaust_error, "{senior:?}");
        // A tranche is touched exactly when those before it are used up; claims have no atom there.
        assert!((r.tranches[1].exhaust - senior.attach).abs() < 1e-3);
        let borne: f64 = r.tranches.iter().map(|t| t.mean).sum();
        assert!(borne < outcome.net.mean && borne > 0.9 * outcome.net.mean);
    }
}
