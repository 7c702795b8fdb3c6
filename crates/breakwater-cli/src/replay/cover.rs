//! From a covered address to cover in force: seek a gauge, list it, offer a product, buy.

use std::sync::Arc;

use alloy::primitives::{Address, B256};
use breakwater_evm::{Reader, RpcSource, Rules, off_thread};
use breakwater_prove::compiler::{CompileOptions, Compiled, Refusal, compile_blocking};
use breakwater_prove::gauge::GaugeSpec;

use crate::local::{Local, LocalError};
use crate::market::{DWELL, Kind, Market, Offer};
use crate::replay::report::{Covers, Facts};
use crate::trouble::Trouble;

/// Most that the pool insures on one gauge; a policy takes less.
const CAP: u128 = 10_000_000_000_000_000_000_000_000_000;

/// How many times of what the gauge reads when it is listed a policy insures: a case grows after that.
const SUM_TIMES: u128 = 20;

/// Blocks that changed code must have stood before a successor gauge is listed: nobody should vouch for code that
/// a thief put there a moment ago.
const SUCCESSOR_STANDS: u64 = DWELL;

/// How far the cover of one address has come.
#[derive(Debug)]
pub(crate) struct Cover {
    subject: Address,
    traffic_from: u64,
    stage: Stage,
    /// Gauges listed so far, oldest first.
    listed: Vec<GaugeSpec>,
    refusal: Option<String>,
    undecided: Option<String>,
    /// The block in which the code was first seen to be another.
    changed_at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Seeking,
    Offered { product: B256, effective_at: u64, sum: u128 },
    Bought { inception: u64 },
}

impl Cover {
    /// Nothing is known of the address; `traffic_from` is the first block of the case.
    pub(crate) fn new(subject: Address, traffic_from: u64) -> Self {
        Self {
            subject,
            traffic_from,
            stage: Stage::Seeking,
            listed: Vec::new(),
            refusal: None,
            undecided: None,
            changed_at: 0,
        }
    }

    /// Whether it waits for a cap to take effect or for its cover to begin; `time`: of the newest block, seconds.
    pub(crate) fn waits(&self, time: u64) -> bool {
        match self.stage {
            Stage::Seeking => false,
            Stage::Offered { .. } => true,
            Stage::Bought { inception } => time < inception,
        }
    }

    /// Tries to compile a gauge at the newest block; if there is one, lists and offers it.
    pub(crate) async fn seek(&mut self, local: &mut Local, market: &Market) -> Result<(), Trouble> {
        if self.stage != Stage::Seeking {
            return Ok(());
        }
        let stood = local.head().await?.number().saturating_sub(self.changed_at);
        if !self.listed.is_empty() && stood < SUCCESSOR_STANDS {
            return Ok(());
        }
        let compiled = match self.compile(local).await? {
            Ok(compiled) => compiled,
            Err(refusal) => {
                self.refusal = Some(refusal.to_string());
                return Ok(());
            }
        };
        match self.list(local, market, &compiled).await {
            Ok(stage) => self.stage = stage,
            Err(error @ LocalError::Reverted { .. }) => self.refusal = Some(error.to_string()),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Buys if the product's cap is in force in the next block; whether it did.
    pub(crate) async fn buy(&mut self, local: &mut Local, market: &Market) -> Result<bool, Trouble> {
        match self.stage {
            Stage::Offered { product, effective_at, sum } if local.time() + 1 >= effective_at => {
                let inception = market.buy(local, &market.cast.registrant, product, sum).await?;
                self.stage = Stage::Bought { inception };
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The code changed under a gauge: it can answer nothing any more, so a successor is sought.
    pub(crate) fn lose(&mut self, gauge: B256, block: u64, why: &str) {
        let bought = matches!(self.stage, Stage::Bought { .. });
        if bought && self.listed.last().is_some_and(|spec| spec.id() == gauge) {
            self.undecided = Some(why.to_owned());
            self.changed_at = block;
            self.stage = Stage::Seeking;
        }
    }

    /// Writes down what was covered and why not.
    pub(crate) fn tell(&self, facts: &mut Facts) {
        for spec in &self.listed {
            let accounts = spec.accounts.iter().map(|pinned| pinned.account).collect();
            let asset = (!spec.asset.is_zero()).then_some(spec.asset);
            facts.gauges.insert(spec.id(), Covers { accounts, asset });
        }
        let undecided = self.undecided.as_ref().map(|why| format!("undecided, reporters judge: {why}"));
        let refusal = self.refusal.clone().filter(|_| self.stage == Stage::Seeking);
        let words: Vec<String> = undecided.into_iter().chain(refusal).collect();
        if !words.is_empty() {
            facts.refusal = Some(words.join("; "));
        }
    }

    async fn compile(&self, local: &Local) -> Result<Result<Compiled, Refusal>, Trouble> {
        let source = RpcSource::http(local.url().as_str()).map_err(breakwater_evm::EvmError::from)?;
        let reader = Reader::new(Arc::new(source));
        let options = CompileOptions {
            blocks: vec![local.head().await?.number()],
            traffic_from: self.traffic_from,
            rules: Rules::Auto,
            ..CompileOptions::default()
        };
        let subject = self.subject;
        Ok(off_thread(move || compile_blocking(&reader, subject, &options)).await?)
    }

    async fn list(
        &mut self,
        local: &mut Local,
        market: &Market,
        compiled: &Compiled,
    ) -> Result<Stage, LocalError> {
        let spec = &compiled.spec;
        if self.listed.contains(spec) {
            // The old code is back, and its gauge and policy never went away.
            return Ok(Stage::Bought { inception: 0 });
        }
        let same = |prior: &&GaugeSpec| prior.subject() == spec.subject();
        let priors: Vec<GaugeSpec> = self.listed.iter().filter(same).cloned().collect();
        let gauge = market.list_gauge(local, spec, &priors).await?;
        self.listed.push(spec.clone());
        let offer = Offer {
            gauge,
            kind: Kind::Protocol,
            registrant: Some(market.cast.registrant.address()),
            rate_num: 1,
            rate_den: 1,
            deductible_bps: 0,
            bounty_bps: 50,
            instant: true,
            cap: CAP,
            salvage: Address::ZERO,
        };
        let (product, effective_at) = market.offer(local, &offer).await?;
        let worth = compiled.reading.assets.max(compiled.reading.claims);
        let sum = worth.saturating_mul(SUM_TIMES).clamp(1, CAP);
        Ok(Stage::Offered { product, effective_at, sum })
    }
}
