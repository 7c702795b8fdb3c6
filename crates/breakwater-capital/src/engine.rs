//! Which engine simulates a portfolio, decided in one place for runs on one machine and on many.

use crate::{
    flat::Flat,
    method::Method,
    model::{Model, Treaty},
    outcome::{self, Failure, Options},
    simulate::{self, Batch, Merged, Plan, Sink},
    tilt::Tilted,
    timeline::Timeline,
};

/// The engine that a portfolio needs.
#[derive(Clone, Debug)]
pub enum Chosen {
    /// Years in which order does not matter.
    Flat(Flat),
    /// The same years, weighted.
    Tilted(Box<Tilted>),
    /// Years event by event.
    Timeline(Timeline),
}

impl Chosen {
    /// The engine of a model by a method.
    ///
    /// # Errors
    /// [`Failure::Refused`] where the method, or any, cannot simulate it.
    pub fn by(model: &Model, method: Method) -> Result<Self, Failure> {
        let tilted = || {
            if flat(model).is_none() {
                return Err(Failure::Refused(
                    "only years in which order does not matter can be tilted".into(),
                ));
            }
            Tilted::new(model).map(|engine| Self::Tilted(Box::new(engine))).map_err(Failure::Refused)
        };
        match method {
            Method::Crude => Self::new(model),
            Method::Tilted => tilted(),
            Method::Auto => tilted().or_else(|_| Self::new(model)),
        }
    }

    /// The crude engine of a model.
    ///
    /// # Errors
    /// [`Failure::Refused`] where none can simulate it.
    pub fn new(model: &Model) -> Result<Self, Failure> {
        if let Some(engine) = flat(model) {
            return Ok(Self::Flat(engine));
        }
        Timeline::new(model).map(Self::Timeline).map_err(Failure::Refused)
    }

    /// What results call it.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Flat(_) => "crude",
            Self::Tilted(_) => "tilted",
            Self::Timeline(_) => "timeline",
        }
    }

    /// The plan of a run.
    ///
    /// # Errors
    /// [`Failure::Years`].
    pub fn plan(&self, model: &Model, options: &Options) -> Result<Plan, Failure> {
        if options.years == 0 || options.years > 1 << 31 {
            return Err(Failure::Years(options.years));
        }
        let plan = outcome::plan(model, options);
        Ok(match self {
            Self::Flat(_) | Self::Tilted(_) => plan,
            Self::Timeline(_) => Timeline::plan(model, plan),
        })
    }

    /// All years on this machine; see [`simulate::run_into`].
    pub fn run_into(
        &self,
        plan: &Plan,
        threads: usize,
        watch: &(dyn Fn(u64) -> bool + Sync),
        sink: Option<Sink<'_>>,
    ) -> Option<Merged> {
        match self {
            Self::Flat(engine) => simulate::run_into(engine, plan, threads, watch, sink),
            Self::Tilted(engine) => simulate::run_into(engine.as_ref(), plan, threads, watch, sink),
            Self::Timeline(engine) => simulate::run_into(engine, plan, threads, watch, sink),
        }
    }

    /// One batch: what a worker does.
    pub fn batch(&self, plan: &Plan, index: u64) -> Batch {
        match self {
            Self::Flat(engine) => simulate::batch(engine, plan, index),
            Self::Tilted(engine) => simulate::batch(engine.as_ref(), plan, index),
            Self::Timeline(engine) => simulate::batch(engine, plan, index),
        }
    }
}

/// The fast engine, if it says everything there is to say of this model.
pub(crate) fn flat(model: &Model) -> Option<Flat> {
    // It does not know what reinstatements cost.
    let charged = |t: &Treaty| t.premium > 0.0 && t.reinstatement_prices().iter().any(|&p| p > 0.0);
    if model.treaties.iter().any(charged) { None } else { Flat::new(model).ok() }
}
