//! What is insured, what threatens it, and who bears the loss: the engine's input.
//!
//! The document is TOML or JSON, schema [`SCHEMA`]. Rates are events a year, probabilities and shares are fractions of
//! one, durations are days, amounts are in [`Portfolio::unit`]. Unknown fields are errors.

use serde::{Deserialize, Serialize};

/// The schema this crate reads.
pub const SCHEMA: &str = "breakwater-portfolio/1";

/// A whole portfolio, as its document says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Portfolio {
    /// Must be [`SCHEMA`].
    pub schema: String,
    /// What reports call it.
    pub name: String,
    /// What an amount of 1.0 is, for example "USD million".
    pub unit: String,
    /// What several products' rates are multiplied by together, drawn once a year.
    #[serde(default, rename = "mixing", skip_serializing_if = "Vec::is_empty")]
    pub mixings: Vec<Mixing>,
    /// Laws of the share lost in an event.
    #[serde(default, rename = "severity", skip_serializing_if = "Vec::is_empty")]
    pub severities: Vec<Severity>,
    /// What fails together.
    #[serde(default, rename = "cluster", skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<Cluster>,
    /// Attacks that make further attacks likelier for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contagion: Option<Contagion>,
    /// States of the market of which each year has one; none means one state that changes nothing.
    #[serde(default, rename = "regime", skip_serializing_if = "Vec::is_empty")]
    pub regimes: Vec<Regime>,
    /// Covers.
    #[serde(default, rename = "product", skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<Product>,
    /// Reinsurance.
    #[serde(default, rename = "treaty", skip_serializing_if = "Vec::is_empty")]
    pub treaties: Vec<Treaty>,
    /// Pools that bear what is left. Without any, only losses are modelled.
    #[serde(default, rename = "pool", skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<Pool>,
}

/// A factor with mean one that multiplies the rates of all products that name it, drawn once a year.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mixing {
    /// Its name.
    pub id: String,
    /// Shape of the gamma law; the factor's variance is `1 / shape`. Positive.
    pub shape: f64,
}

/// A named law of the share lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Severity {
    /// Its name.
    pub id: String,
    /// What is above it counts as it: an atom at the cap, never a rescaling. A share's cap is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<f64>,
    /// The law.
    pub law: Law,
}

/// A law on the numbers from 0 up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Law {
    /// `exp(mu + sigma Z)`.
    Lognormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Standard deviation of the logarithm, positive.
        sigma: f64,
    },
    /// Density proportional to `x^(alpha-1) (1-x)^(beta-1)` on (0, 1).
    Beta {
        /// First shape, positive.
        alpha: f64,
        /// Second shape, positive.
        beta: f64,
    },
    /// Gamma with mean `shape * scale`; shape 1 is the exponential law.
    Gamma {
        /// Shape, positive.
        shape: f64,
        /// Scale, positive.
        scale: f64,
    },
    /// Generalised Pareto: `P(X > location + t) = (1 + xi t / scale)^(-1/xi)`; `xi = 0` is exponential.
    /// Its mean is infinite from `xi = 1` on, and then the severity must name a cap.
    Gpd {
        /// Where it begins, at least 0.
        #[serde(default)]
        location: f64,
        /// Tail index.
        xi: f64,
        /// Scale, positive.
        scale: f64,
    },
    /// Evenly between two values.
    Uniform {
        /// Lower end, at least 0.
        low: f64,
        /// Upper end, above `low`.
        high: f64,
    },
    /// Values that were observed, each with its weight; equal weights without any.
    Empirical {
        /// Values, at least 0, in any order.
        values: Vec<f64>,
        /// Weights, positive; they are divided by their sum.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        weights: Option<Vec<f64>>,
    },
    /// One value.
    Degenerate {
        /// The value, at least 0.
        value: f64,
    },
    /// With probability `body_weight` the body given that it is at most `at`, else the tail given that it is above `at`.
    Splice {
        /// Where the two meet, positive.
        at: f64,
        /// Probability of the body, inside (0, 1).
        body_weight: f64,
        /// Law below.
        body: Box<Law>,
        /// Law above.
        tail: Box<Law>,
    },
    /// One of several laws.
    Mixture {
        /// The laws and their weights.
        parts: Vec<Part>,
    },
}

/// A part of a [`Law::Mixture`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Weight, positive; weights are divided by their sum.
    pub weight: f64,
    /// The law of this part.
    pub law: Law,
}

/// Products that one cause can hit in one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Its name.
    pub id: String,
    /// Shocks a year.
    pub rate: f64,
    /// Standard deviation of the rate's gamma posterior; 0 is a known rate.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rate_sd: f64,
    /// Probability that a shock hits a member that says nothing else.
    pub hit: f64,
    /// How the members' shares lost depend on each other within a shock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copula: Option<Copula>,
    /// Same-code attacks that follow any event on a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_up: Option<FollowUp>,
}

/// Dependence of severities within one shock of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Copula {
    /// Gaussian with one correlation for all pairs, or a matrix in the order of the cluster's members.
    Gaussian {
        /// Correlation of every pair, from 0 to below 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rho: Option<f64>,
        /// Correlation matrix of all members in the order of the document.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        matrix: Option<Vec<Vec<f64>>>,
    },
    /// Student's t; small degrees of freedom make joint extremes likely.
    T {
        /// Degrees of freedom, positive.
        df: f64,
        /// Correlation of every pair, from 0 to below 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rho: Option<f64>,
        /// Correlation matrix of all members in the order of the document.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        matrix: Option<Vec<Vec<f64>>>,
    },
    /// Clayton on the survival side: joint *large* losses cluster. `tau = theta / (theta + 2)`.
    Clayton {
        /// Parameter, positive.
        theta: f64,
    },
    /// Gumbel: joint large losses cluster. `tau = 1 - 1 / theta`.
    Gumbel {
        /// Parameter, at least 1.
        theta: f64,
    },
}

/// After an event on a member, each other member is attacked with this probability within the delay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FollowUp {
    /// Probability for each other member, below 1.
    pub probability: f64,
    /// Longest delay, days; the delay is uniform up to it.
    pub within_days: f64,
}

/// Self-excitement (Hawkes) of idiosyncratic events over all products.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Contagion {
    /// Expected number of further events that one event causes directly, below 1.
    pub branching: f64,
    /// Mean delay of such an event, days; delays are exponential.
    pub decay_days: f64,
}

/// A state of the market.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Regime {
    /// Its name.
    pub id: String,
    /// Probability of a year in this state; all states' sum to 1.
    pub probability: f64,
    /// What rates are multiplied by.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub hazard: f64,
    /// What exposures, limits, deductibles and values locked are multiplied by.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub tvl: f64,
    /// What the pool's capital is multiplied by at the year's beginning (prices of its assets).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub capital: f64,
    /// What premium is multiplied by.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub premium: f64,
}

/// One cover, or all cover of one kind on one protocol.
///
/// An event with lost share `x` pays `clamp(exposure * x - deductible, 0, limit)`, or with `deductible_share = d` what
/// the contracts pay: `clamp(exposure * (x - d) / (1 - d), 0, limit)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its name.
    pub id: String,
    /// Attacks a year on this product alone.
    pub rate: f64,
    /// Standard deviation of the rate's gamma posterior; 0 is a known rate.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rate_sd: f64,
    /// Factor its rate is multiplied by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixing: Option<String>,
    /// Law of the share lost.
    pub severity: String,
    /// Amount the lost share applies to: the sum insured in force.
    pub exposure: f64,
    /// Value locked in the protocol; the exposure cannot be above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tvl: Option<f64>,
    /// Taken off each claim, an amount.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deductible: f64,
    /// Loss share below which nothing is paid and above which the rest is rescaled; not beside `deductible`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deductible_share: f64,
    /// The most one claim pays; the exposure without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// The most all claims of a year pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annual_limit: Option<f64>,
    /// Clusters it belongs to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<Membership>,
    /// Premium a year for the whole exposure.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub premium: f64,
    /// Cover begins this many days after it is bought.
    ///
    /// One year of simulation looks at cover that has been in force since before its first day, so nothing waits. A run
    /// of several years begins with the sale of its covers and waits in its first year; renewals follow without a gap.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting_days: f64,
    /// Exposure stays bound this many days after expiry, for its claims may still be reported.
    ///
    /// Without effect on losses, which are of the day of the event. In a run of several years no request to leave the pool
    /// is paid before so many days have passed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub report_days: f64,
}

/// Membership in a cluster: its name, or its name with the probability that a shock hits this member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Membership {
    /// Hit with the cluster's own probability.
    Plain(String),
    /// Hit with this one.
    Own {
        /// The cluster.
        id: String,
        /// Probability that a shock hits this member.
        hit: f64,
    },
}

impl Membership {
    /// The cluster's name.
    pub fn id(&self) -> &str {
        match self {
            Self::Plain(id) | Self::Own { id, .. } => id,
        }
    }
}

/// A reinsurance contract. What it pays is what the portfolio no longer bears.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Treaty {
    /// Its name.
    pub id: String,
    /// What it covers.
    pub cover: Cover,
    /// Share of the layer that is placed.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub share: f64,
    /// Treaties whose recoveries come off before this one looks at the loss. Empty: it looks at the gross loss.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Products it covers; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<String>,
    /// Premium a year, before reinstatement premium.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub premium: f64,
    /// Who may fail to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterparty: Option<Counterparty>,
}

/// What a treaty covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Cover {
    /// A share of every loss.
    QuotaShare {
        /// The most it pays for one event, before the placed share.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event_limit: Option<f64>,
        /// The most it pays in a year, before the placed share.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        annual_limit: Option<f64>,
    },
    /// `clamp(event loss - attachment, 0, limit)` of each event.
    EventExcess {
        /// Where an event's loss reaches it.
        attachment: f64,
        /// The most it pays for one event.
        limit: f64,
        /// The most it pays in a year. Without it and without `reinstatements`, unlimited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        annual_limit: Option<f64>,
        /// Price of each reinstatement as a share of the premium, in order: `[1.0, 0.5]` is two of them, the first at
        /// full price. The annual limit is then `limit * (1 + how many)`, unless `annual_limit` says less.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reinstatements: Option<Vec<f64>>,
        /// What the year's layer losses must exceed before it pays.
        #[serde(default, skip_serializing_if = "is_zero")]
        annual_deductible: f64,
    },
    /// `clamp(year's loss - attachment, 0, limit)`.
    StopLoss {
        /// Where the year's loss reaches it.
        attachment: f64,
        /// The most it pays.
        limit: f64,
    },
    /// A fixed amount for an event of at least a size.
    Catastrophe {
        /// Event loss that triggers it, above 0.
        trigger: f64,
        /// What it pays for one such event; never more than the event's loss after the treaties it comes after.
        pays: f64,
        /// How many events a year it pays for.
        #[serde(default = "one_event", skip_serializing_if = "is_one_event")]
        events: u32,
    },
}

/// The reinsurer's failure. It defaults for a whole year or not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Counterparty {
    /// Reinsurers with the same name default together.
    pub id: String,
    /// Probability of default in a year.
    pub default_probability: f64,
    /// Share of what it owes that is still paid then (locked collateral).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub recovery: f64,
}

/// Who bears what treaties leave: surplus, then tranches in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Its name.
    pub id: String,
    /// Products it underwrites; empty means all. No product is in two pools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<String>,
    /// First to bear losses.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub surplus: f64,
    /// Tranches, first in line first.
    #[serde(default, rename = "tranche")]
    pub tranches: Vec<Tranche>,
    /// Share of the premium that goes to surplus; the rest is the tranches' income.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub premium_to_surplus: f64,
    /// What idle capital earns and can lose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve: Option<Reserve>,
    /// How covers and underwriters behave from year to year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Behaviour>,
}

/// A slice of capital.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tranche {
    /// Its name.
    pub id: String,
    /// Its capital.
    pub capital: f64,
    /// Weight of its share of the premium; all equal 0 shares by capital.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub premium_weight: f64,
}

/// Idle capital in a yield asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// Share of the pool's capital that is in it.
    pub share: f64,
    /// What it earns a year, as a fraction.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub yield_rate: f64,
    /// Failures of it a year.
    pub rate: f64,
    /// Law of the share lost in a failure.
    pub severity: String,
    /// Cluster whose shocks also hit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// How covers and underwriters behave, for runs of several years and of days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// Share of covers renewed at a year's end.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub renewal: f64,
    /// Further share of renewals lost for each 10 % that premiums rise.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lapse_per_rise: f64,
    /// Share of capital that asks to leave in an ordinary year.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redemption: f64,
    /// Further share that asks to leave for each 10 % of capital lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redemption_per_loss: f64,
    /// New capital a year, as a share of the capital at the start, while the year before made a profit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deposits: f64,
    /// Days from a request to its payment.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exit_days: f64,
    /// Share of a year's loss by which premiums rise in the next, at most doubled.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub price_response: f64,
}

/// The JSON Schema of a portfolio. What crosses fields (names that must exist, exposures below values locked, layers
/// that must not overlap) is beyond it and checked by [`crate::Model::new`].
#[cfg(feature = "schema")]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Portfolio).to_value()
}

fn one() -> f64 {
    1.0
}

fn one_event() -> u32 {
    1
}

// serde hands predicates a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(x: &f64) -> bool {
    *x == 1.0
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one_event(x: &u32) -> bool {
    *x == 1
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(x: &f64) -> bool {
    *x == 0.0
}
