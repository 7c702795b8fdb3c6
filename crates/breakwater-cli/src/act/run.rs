//! From a plan to its result: try it on a bench, then perhaps sign, send and look at what happened.

use std::time::Duration;

use alloy::primitives::{Log, TxHash, TxKind, U256, keccak256};
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolValue;
use breakwater_bindings::events;
use breakwater_chain::{ActionKey, MemoryJournal, Receipt, SendError, SendOptions, SendRequest, Sender};
use serde_json::{Map, Value, json};

use crate::act::bench::{Bench, Step, Tried};
use crate::act::frame::{Act, Scene, Signer};
use crate::act::probe::{self, Probe};
use crate::act::units::{Quantity, utc};
use crate::act::words;
use crate::connect;
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, grouped};

/// Pause between two looks at whether a transaction is mined.
const POLL: Duration = Duration::from_millis(400);

/// Blocks in which a transaction must be mined.
const BLOCKS_MAX: u64 = 50;

/// A value with its name.
pub(crate) type Fact = (&'static str, Quantity);

/// What the logs of all steps say; the same for logs of the bench and of the chain.
pub(crate) type Tell = Box<dyn Fn(&[Log]) -> Vec<Fact> + Send + Sync>;

/// What a command is about to do.
pub(crate) struct Plan {
    /// Name of the command for scripts.
    pub(crate) command: &'static str,
    /// What is done, in one line for people.
    pub(crate) title: String,
    /// Transactions in order.
    pub(crate) steps: Vec<Step>,
    /// What is looked at before and after.
    pub(crate) probes: Vec<Probe>,
    /// What there is to say once it is done, from the logs.
    pub(crate) tell: Tell,
}

impl Plan {
    /// A plan whose result is told by its events and probes alone.
    pub(crate) fn new(
        command: &'static str,
        title: impl Into<String>,
        steps: Vec<Step>,
        probes: Vec<Probe>,
    ) -> Self {
        Self { command, title: title.into(), steps, probes, tell: Box::new(|_| Vec::new()) }
    }

    /// Says more from the logs.
    pub(crate) fn telling(mut self, tell: impl Fn(&[Log]) -> Vec<Fact> + Send + Sync + 'static) -> Self {
        self.tell = Box::new(tell);
        self
    }
}

/// What was done, or would be.
struct Done {
    /// Of the last block, real or to come.
    number: u64,
    time: u64,
    before: Vec<Quantity>,
    after: Vec<Quantity>,
    logs: Vec<Log>,
    steps: Vec<Value>,
}

/// Tries the plan on the newest state, and carries it out unless this is a dry run.
pub(crate) async fn run(
    act: &Act,
    scene: &Scene,
    signer: &Signer,
    plan: Plan,
    screen: &Screen,
) -> Result<Outcome, Failure> {
    let done = try_out(&plan, signer, scene.bench().await?).await?;
    screen.say(&plan.title);
    let done = match act.dry_run {
        true => done,
        false => carry_out(act, scene, signer, &plan, done.before, screen).await?,
    };
    report(act, signer, &plan, &done, screen);
    Ok(Outcome::Ok)
}

async fn try_out(plan: &Plan, signer: &Signer, mut bench: Bench) -> Result<Done, Failure> {
    let before = probe::on_bench(&plan.probes, &mut bench).await?;
    let (mut logs, mut steps) = (Vec::new(), Vec::new());
    for step in &plan.steps {
        let Tried { gas, logs: new, .. } = bench.apply(signer.address(), step).await?;
        logs.extend(new);
        steps.push(json!({ "what": step.what, "to": step.to, "data": step.data, "gas": gas }));
    }
    let after = probe::on_bench(&plan.probes, &mut bench).await?;
    Ok(Done { number: bench.number, time: bench.time, before, after, logs, steps })
}

async fn carry_out(
    act: &Act,
    scene: &Scene,
    signer: &Signer,
    plan: &Plan,
    before: Vec<Quantity>,
    screen: &Screen,
) -> Result<Done, Failure> {
    let mut hand = Hand::new(act, scene, signer).await?;
    let (mut logs, mut steps) = (Vec::new(), Vec::new());
    let mut last = scene.head.clone();
    for step in &plan.steps {
        let receipt = hand.send(scene, step).await?;
        screen.say(format!(
            "{}  {}: {} in block {}, {} gas",
            screen.palette.green("done"),
            step.what,
            receipt.tx_hash,
            grouped(receipt.block_number),
            grouped(receipt.gas_used)
        ));
        steps.push(json!({
            "what": step.what, "to": step.to, "data": step.data, "gas": receipt.gas_used, "tx_hash": receipt.tx_hash,
            "block": receipt.block_number,
        }));
        last = scene.endpoints.head_by_hash(receipt.block_hash).await.map_err(connect::unreadable)?;
        logs.extend(receipt.logs);
    }
    let after = probe::on_chain(&plan.probes, scene, &last).await?;
    Ok(Done { number: last.number(), time: last.timestamp(), before, after, logs, steps })
}

fn report(act: &Act, signer: &Signer, plan: &Plan, done: &Done, screen: &Screen) {
    let facts = (plan.tell)(&done.logs);
    if screen.json {
        return screen.object(&json!({
            "command": plan.command,
            "dry_run": act.dry_run,
            "from": signer.address(),
            "block": { "number": done.number, "time": done.time },
            "steps": done.steps,
            "changes": probe::json(&plan.probes, &done.before, &done.after),
            "result": facts_json(&facts),
            "events": events_json(&done.logs),
        }));
    }
    if act.dry_run {
        screen.say(format!(
            "dry run, nothing sent; simulated in block {} at {}: in another block the numbers may differ",
            grouped(done.number),
            utc(done.time)
        ));
        let gas: u64 = done.steps.iter().filter_map(|step| step["gas"].as_u64()).sum();
        screen.say(format!("{} transaction(s), about {} gas", done.steps.len(), grouped(gas)));
    }
    probe::show(&plan.probes, &done.before, &done.after, screen);
    show_facts(&facts, screen);
}

/// Prints facts as `name  value`, one a line.
pub(crate) fn show_facts(facts: &[Fact], screen: &Screen) {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    facts.iter().for_each(|(name, value)| screen.say(format!("{:<width$}  {}", spaced(name), value.text())));
}

/// Facts by name for scripts.
pub(crate) fn facts_json(facts: &[Fact]) -> Value {
    facts.iter().map(|(name, value)| ((*name).to_owned(), value.json())).collect::<Map<_, _>>().into()
}

/// Names are keys for scripts; people get spaces.
fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

fn events_json(logs: &[Log]) -> Value {
    let told = logs.iter().filter_map(|log| {
        let event = events::decode(log)?;
        let arguments: Map<String, Value> =
            event.arguments.into_iter().map(|(name, value)| (name, value.into())).collect();
        Some(json!({ "contract": log.address, "name": event.name, "arguments": arguments }))
    });
    told.collect()
}

/// What sends.
enum Hand {
    Own(Box<Sender<MemoryJournal>>, u64),
    Node(alloy::primitives::Address, u64),
}

impl Hand {
    async fn new(act: &Act, scene: &Scene, signer: &Signer) -> Result<Self, Failure> {
        match signer {
            Signer::Key(key) => {
                let options = SendOptions { confirmations: act.confirmations, ..SendOptions::default() };
                let sender = Sender::new(
                    scene.endpoints.clone(),
                    MemoryJournal::default(),
                    key.as_ref().clone(),
                    options,
                )
                .await
                .map_err(connect::unreadable)?;
                Ok(Self::Own(Box::new(sender), 0))
            }
            Signer::Node(from) => Ok(Self::Node(*from, act.confirmations)),
            Signer::Nobody(_) => {
                Err(Failure::usage("no key to sign with").right("--account, --keystore, or --dry-run"))
            }
        }
    }

    async fn send(&mut self, scene: &Scene, step: &Step) -> Result<Receipt, Failure> {
        match self {
            Self::Own(sender, count) => {
                *count += 1;
                let digest = keccak256((*count, step.to, step.data.clone()).abi_encode());
                let key = ActionKey::new(format!("cli:{digest}"))
                    .map_err(|error| Failure::new(error.to_string()))?;
                let request = SendRequest {
                    key,
                    to: TxKind::Call(step.to),
                    data: step.data.clone(),
                    value: U256::ZERO,
                    gas_limit: None,
                };
                let sent = sender.send_and_wait(&request, POLL, BLOCKS_MAX).await;
                sent.map_err(|error| unsent(step, &error))
            }
            Self::Node(from, confirmations) => send_by_node(scene, step, *from, *confirmations).await,
        }
    }
}

/// Why a step was not done, in words where it was a revert.
fn unsent(step: &Step, error: &SendError) -> Failure {
    match error.revert_data() {
        Some(data) => words::reverted(&step.what, data),
        None => Failure::new(format!("{}: {error}", step.what))
            .right("to look whether it was mined after all before it is sent again"),
    }
}

async fn send_by_node(
    scene: &Scene,
    step: &Step,
    from: alloy::primitives::Address,
    confirmations: u64,
) -> Result<Receipt, Failure> {
    let request = TransactionRequest::default().from(from).to(step.to).input(step.data.clone().into());
    let endpoints = &scene.endpoints;
    let hash: TxHash =
        endpoints.request("eth_sendTransaction", [request]).await.map_err(|error| {
            match error.revert_data() {
                Some(data) => words::reverted(&step.what, data),
                None => Failure::new(format!("{}: {error}", step.what))
                    .right("a node that keeps this account unlocked, or a key: --account"),
            }
        })?;
    let last = endpoints.head_number().await.map_err(connect::unreadable)?.saturating_add(BLOCKS_MAX);
    loop {
        let head = endpoints.head_number().await.map_err(connect::unreadable)?;
        let receipt = endpoints.receipt(hash).await.map_err(connect::unreadable)?;
        match receipt {
            Some(receipt) if !receipt.success => {
                return Err(Failure::new(format!("{}: transaction {hash} reverted", step.what)));
            }
            Some(receipt) if head >= receipt.block_number.saturating_add(confirmations) => {
                return Ok(receipt);
            }
            _ if head > last => {
                return Err(Failure::new(format!(
                    "{}: {hash} is not final after {BLOCKS_MAX} blocks",
                    step.what
                )));
            }
            _ => tokio::time::sleep(POLL).await,
        }
    }
}
