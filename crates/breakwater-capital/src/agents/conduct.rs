//! How people behave in a run, and what the world around them is like.

use serde::Serialize;

use super::Options;
use crate::{
    fault::Fault,
    model::Model,
    portfolio::{Behaviour, Regime},
};

/// A named stress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// What the document says of its pool's behaviour, and nothing else.
    Baseline,
    /// Most underwriters run: they ask to leave after losses, when others queue, and when capital gets scarce.
    BankRun,
    /// The curator raises rates after losses until they pay for them, and buyers leave as rates rise.
    LapseSpiral,
    /// Two and a half times the attacks, values down by two fifths, capital by a fifth, and nervous people.
    #[serde(rename = "2022")]
    Year2022,
}

impl Scenario {
    /// All of them by name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("baseline", Self::Baseline),
        ("bank-run", Self::BankRun),
        ("lapse-spiral", Self::LapseSpiral),
        ("2022", Self::Year2022),
    ];

    /// The scenario of a name.
    ///
    /// # Errors
    /// A name that none has.
    pub fn named(name: &str) -> Result<Self, Fault> {
        Self::ALL.iter().find(|s| s.0 == name).map(|s| s.1).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|s| s.0).collect();
            Fault::new("scenario", format!("expected one of {}, got {name:?}", known.join(", ")))
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|s| s.1 == self).map_or("", |s| s.0)
    }
}

/// How people behave. Shares are fractions of one; all that is zero does not happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conduct {
    /// Share of covers that are bought again over a year while prices stay.
    pub renewal: f64,
    /// Share of buyers that a rise of the price by 10 % is too much for.
    pub lapse_per_rise: f64,
    /// Share of capital that asks to leave in a year, whatever happens.
    pub redemption: f64,
    /// Share of capital that asks to leave for each 10 % of capital that an epoch's incidents take.
    pub redemption_per_loss: f64,
    /// New capital in a year, as a share of the capital at the start, while premium exceeds losses.
    pub deposits: f64,
    /// Share of the last year's losses that the curator adds to the premium he asks for a year of the book in force.
    pub price_response: f64,
    /// The most he multiplies floor rates by.
    pub most_rise: f64,
    /// Share of underwriters who run when others queue or capital gets scarce.
    pub runners: f64,
    /// Share of underwriters who leave when the yield is below theirs.
    pub chasers: f64,
    /// Their yield, a year.
    pub target_yield: f64,
    /// Probability that an underwriter decides on what all have heard rather than on his own.
    pub panic: f64,
    /// Share of a tranche in its queue from which runners follow.
    pub herd: f64,
    /// Share of the capacity in use from which runners fear to be locked in.
    pub squeeze: f64,
    /// Whether holders buy back what was paid out to them.
    pub restore: bool,
    /// The state of the market that takes the place of the document's.
    pub regime: Option<Regime>,
}

impl Conduct {
    /// What the document says of the pool, changed by the scenario.
    ///
    /// # Errors
    /// No such pool.
    pub fn of(model: &Model, options: &Options) -> Result<Self, Fault> {
        let pool = &model.pools[place(model, options)?];
        let calm = calm();
        let said = pool.terms.behaviour.as_ref().unwrap_or(&calm);
        let mut own = Self {
            renewal: said.renewal,
            lapse_per_rise: said.lapse_per_rise,
            redemption: said.redemption,
            redemption_per_loss: said.redemption_per_loss,
            deposits: said.deposits,
            price_response: said.price_response,
            most_rise: 2.0,
            runners: 0.0,
            chasers: 0.0,
            target_yield: 0.0,
            panic: 0.0,
            herd: 1.0,
            squeeze: 1.0,
            restore: true,
            regime: None,
        };
        own.change(options.scenario);
        Ok(own)
    }

    fn change(&mut self, scenario: Scenario) {
        let more = |own: &mut f64, least: f64| *own = own.max(least);
        match scenario {
            Scenario::Baseline => {}
            Scenario::BankRun => {
                (self.runners, self.chasers, self.target_yield) = (0.6, 0.2, 0.02);
                (self.panic, self.herd, self.squeeze) = (0.7, 0.1, 0.9);
                more(&mut self.redemption, 0.1);
                more(&mut self.redemption_per_loss, 0.5);
                self.deposits = 0.0;
            }
            Scenario::LapseSpiral => {
                more(&mut self.lapse_per_rise, 0.25);
                more(&mut self.price_response, 1.0);
                self.most_rise = 4.0;
                self.renewal = self.renewal.min(0.95);
            }
            Scenario::Year2022 => {
                (self.runners, self.chasers, self.target_yield) = (0.3, 0.2, 0.02);
                (self.panic, self.herd, self.squeeze) = (0.5, 0.2, 0.95);
                more(&mut self.redemption, 0.2);
                more(&mut self.redemption_per_loss, 0.3);
                more(&mut self.lapse_per_rise, 0.1);
                more(&mut self.price_response, 0.5);
                self.renewal = self.renewal.min(0.8);
                self.deposits = 0.0;
                let id = "2022".to_owned();
                self.regime =
                    Some(Regime { id, probability: 1.0, hazard: 2.5, tvl: 0.6, capital: 0.8, premium: 1.0 });
            }
        }
    }

    /// The model in the market of this conduct.
    pub(super) fn stressed(&self, model: &Model) -> Result<Model, Fault> {
        let Some(regime) = &self.regime else { return Ok(model.clone()) };
        let mut portfolio = model.portfolio.clone();
        portfolio.regimes = vec![regime.clone()];
        Model::new(portfolio)
    }
}

/// Index of the pool that is run.
pub(super) fn place(model: &Model, options: &Options) -> Result<usize, Fault> {
    let Some(name) = &options.pool else {
        return if model.pools.is_empty() {
            Err(Fault::new("pool", "the portfolio has none, and there is nothing to run without one"))
        } else {
            Ok(0)
        };
    };
    model
        .pools
        .iter()
        .position(|pool| pool.terms.id == *name)
        .ok_or_else(|| Fault::new("pool", format!("the portfolio has none with the name {name:?}")))
}

/// Nobody does anything.
fn calm() -> Behaviour {
    Behaviour {
        renewal: 1.0,
        lapse_per_rise: 0.0,
        redemption: 0.0,
        redemption_per_loss: 0.0,
        deposits: 0.0,
        exit_days: 0.0,
        price_response: 0.0,
    }
}
