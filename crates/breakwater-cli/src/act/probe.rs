//! Numbers that are looked at before and after: on the bench for a dry run, on the chain for a real one.

use std::sync::Arc;

use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::SolCall;
use breakwater_bindings::demo::DemoToken;
use breakwater_chain::Head;
use serde_json::{Value, json};

use crate::act::bench::Bench;
use crate::act::frame::Scene;
use crate::act::units::{Quantity, Token};
use crate::failure::Failure;
use crate::style::{Screen, table};

type Read = Arc<dyn Fn(&[u8]) -> Option<Quantity> + Send + Sync>;

/// A view and what to take from its answer.
#[derive(Clone)]
pub(crate) struct Probe {
    what: String,
    to: Address,
    data: Bytes,
    read: Read,
}

impl Probe {
    /// A view; `read` takes the number from its answer.
    pub(crate) fn new<C: SolCall + 'static>(
        what: impl Into<String>,
        to: Address,
        call: &C,
        read: impl Fn(C::Return) -> Quantity + Send + Sync + 'static,
    ) -> Self {
        let read = move |output: &[u8]| C::abi_decode_returns(output).ok().map(&read);
        Self { what: what.into(), to, data: call.abi_encode().into(), read: Arc::new(read) }
    }

    /// What an account holds of a token.
    pub(crate) fn balance(what: impl Into<String>, token: &Token, account: Address) -> Self {
        let unit = token.clone();
        Self::new(what, token.address, &DemoToken::balanceOfCall { account }, move |units| {
            Quantity::Amount(units, unit.clone())
        })
    }

    /// What a contract may take of an account's token.
    pub(crate) fn allowance(
        what: impl Into<String>,
        token: &Token,
        owner: Address,
        spender: Address,
    ) -> Self {
        let unit = token.clone();
        Self::new(what, token.address, &DemoToken::allowanceCall { owner, spender }, move |units: U256| {
            Quantity::Amount(units, unit.clone())
        })
    }
}

/// Answers to probes, in their order; a view that reverts has none.
pub(crate) async fn on_bench(probes: &[Probe], bench: &mut Bench) -> Result<Vec<Quantity>, Failure> {
    let mut answers = Vec::with_capacity(probes.len());
    for probe in probes {
        let output = bench.ask(Address::ZERO, probe.to, probe.data.clone()).await?;
        answers.push(answer(probe, output));
    }
    Ok(answers)
}

/// The same after a block of the chain.
pub(crate) async fn on_chain(probes: &[Probe], scene: &Scene, at: &Head) -> Result<Vec<Quantity>, Failure> {
    let mut answers = Vec::with_capacity(probes.len());
    for probe in probes {
        let output = scene.ask(at, probe.to, probe.data.clone()).await?;
        answers.push(answer(probe, output));
    }
    Ok(answers)
}

fn answer(probe: &Probe, output: Result<Bytes, Bytes>) -> Quantity {
    output.ok().and_then(|output| (probe.read)(&output)).unwrap_or(Quantity::Nothing)
}

/// Prints what differs as a table.
pub(crate) fn show(probes: &[Probe], before: &[Quantity], after: &[Quantity], screen: &Screen) {
    let rows: Vec<Vec<String>> = probes
        .iter()
        .zip(before.iter().zip(after))
        .filter(|(_, (before, after))| before != after)
        .map(|(probe, (before, after))| vec![probe.what.clone(), before.text(), after.text()])
        .collect();
    if !rows.is_empty() {
        screen.say(table(&["what", "before", "after"], &rows, &[1, 2]));
    }
}

/// All of them for scripts, also what stayed.
pub(crate) fn json(probes: &[Probe], before: &[Quantity], after: &[Quantity]) -> Value {
    let change = |(probe, (before, after)): (&Probe, (&Quantity, &Quantity))| {
        let unit = if *before == Quantity::Nothing { after.unit() } else { before.unit() };
        json!({ "what": probe.what, "unit": unit, "before": before.json(), "after": after.json() })
    };
    probes.iter().zip(before.iter().zip(after)).map(change).collect()
}
