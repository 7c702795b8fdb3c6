//! Commands of the council: look, delegate, propose, vote, queue, execute, cancel.

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::rpc::types::Filter;
use alloy::sol_types::SolEvent;
use breakwater_bindings::deploy::Governance;
use breakwater_bindings::{BreakwaterToken, Council};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::act::bench::Step;
use crate::act::calls::{self, Written};
use crate::act::frame::{Act, Look, Scene};
use crate::act::polls;
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::units::{Quantity, Token, span, utc};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, table};

/// What a holder of votes does.
#[derive(Debug, Subcommand)]
pub(crate) enum GovCommand {
    /// Terms of the council and its proposals, or one proposal with its calls
    Show(Show),
    /// Propose calls
    Propose(Propose),
    /// Vote on a proposal, with all votes or in parts
    Vote(Vote),
    /// Queue a proposal that passed
    Queue(Move),
    /// Execute a proposal that has waited long enough
    Execute(Move),
    /// Cancel a proposal, as its proposer or as the guardian
    Cancel(Move),
    /// Polls on floor rates: open one, vote in it, look at it
    Poll {
        #[command(subcommand)]
        command: polls::PollCommand,
    },
    /// Give your votes to an account: your own, to vote yourself
    Delegate(Delegate),
}

/// What to look at.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater gov show --holder 0x…")]
pub(crate) struct Show {
    /// Id of a proposal; without it, all of them
    #[arg(value_name = "PROPOSAL")]
    id: Option<U256>,
    /// Whose votes to show as well
    #[arg(long, value_name = "ADDRESS")]
    holder: Option<Address>,
    #[command(flatten)]
    look: Look,
}

/// What is proposed.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater gov propose --description \"smaller signals\" --to signal --function \"setTerms(uint8,uint16)\" --argument 0 --argument 500 --account me\n\
    A contract is named as in the deployment file (catalog, signal, accessManager) or by its address.\n\
    Several calls stand in a file: [{\"to\": \"signal\", \"function\": \"setTerms(uint8,uint16)\", \"arguments\": [\"0\", \"500\"]}, {\"to\": \"0x…\", \"data\": \"0x…\"}]"
)]
pub(crate) struct Propose {
    /// What it is for; part of its id, so the same calls need other words a second time
    #[arg(long, value_name = "TEXT")]
    description: String,
    /// Contract to call
    #[arg(long, value_name = "CONTRACT", required_unless_present = "file")]
    to: Option<String>,
    /// Its function with the types of the arguments
    #[arg(long, value_name = "SIGNATURE", requires = "to", conflicts_with = "data")]
    function: Option<String>,
    /// An argument of the function, in order
    #[arg(long = "argument", value_name = "VALUE", requires = "function", allow_hyphen_values = true)]
    arguments: Vec<String>,
    /// Calldata in hex, in place of a function
    #[arg(long, value_name = "HEX", requires = "to")]
    data: Option<Bytes>,
    /// JSON file with the calls
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    file: Option<std::path::PathBuf>,
    #[command(flatten)]
    act: Act,
}

/// A side of a vote.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Side {
    Against,
    For,
    Abstain,
}

/// How to vote.
#[derive(Debug, Args)]
#[command(after_help = "Examples: breakwater gov vote 123… for --account me\n\
    breakwater gov vote 123… --for 1000 --against 500 --account me\n\
    Votes are those at the proposal's snapshot; parts may be cast one after another until none is left.")]
pub(crate) struct Vote {
    /// Id of the proposal
    #[arg(value_name = "PROPOSAL")]
    id: U256,
    /// The side that gets all votes that are left
    #[arg(value_enum, required_unless_present_any = ["supporting", "against", "abstaining"])]
    side: Option<Side>,
    /// Votes for it, in whole BWR
    #[arg(long = "for", value_name = "VOTES", conflicts_with = "side")]
    supporting: Option<String>,
    /// Votes against it
    #[arg(long, value_name = "VOTES", conflicts_with = "side")]
    against: Option<String>,
    /// Votes that only count for the quorum
    #[arg(long = "abstain", value_name = "VOTES", conflicts_with = "side")]
    abstaining: Option<String>,
    /// Why, for everyone to read
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    act: Act,
}

/// Which proposal.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater gov queue 123… --account me")]
pub(crate) struct Move {
    /// Id of the proposal
    #[arg(value_name = "PROPOSAL")]
    id: U256,
    #[command(flatten)]
    act: Act,
}

/// To whom.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater gov delegate 0x… --account me")]
pub(crate) struct Delegate {
    /// Who votes with your votes from now on
    #[arg(value_name = "ADDRESS")]
    to: Address,
    #[command(flatten)]
    act: Act,
}

/// `VOTE_TYPE_FRACTIONAL` of the council.
const IN_PARTS: u8 = 255;

/// Runs one of the council's commands.
pub(crate) async fn gov(command: &GovCommand, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        GovCommand::Show(asked) => show(asked, screen).await,
        GovCommand::Propose(asked) => propose(asked, screen).await,
        GovCommand::Vote(asked) => vote(asked, screen).await,
        GovCommand::Queue(asked) => go_on(asked, Go::Queue, screen).await,
        GovCommand::Execute(asked) => go_on(asked, Go::Execute, screen).await,
        GovCommand::Cancel(asked) => go_on(asked, Go::Cancel, screen).await,
        GovCommand::Poll { command } => polls::poll(command, screen).await,
        GovCommand::Delegate(asked) => delegate(asked, screen).await,
    }
}

/// The council of a deployment that has one.
struct Chamber {
    scene: Scene,
    parts: Governance,
    token: Token,
}

impl Chamber {
    async fn open(look: &Look) -> Result<Self, Failure> {
        let scene = Scene::open(look).await?;
        let parts = scene.deployment.governance.clone().ok_or_else(|| {
            Failure::usage("this deployment has no council").right("a deployment whose configuration has one")
        })?;
        let token = scene.token(parts.token).await?;
        Ok(Self { scene, parts, token })
    }

    async fn proposals(&self) -> Result<Vec<Council::ProposalCreated>, Failure> {
        let events = self.scene.events::<Council::ProposalCreated>(self.parts.council, Filter::new()).await?;
        Ok(events.into_iter().map(|(_, event)| event).collect())
    }

    async fn proposal(&self, id: U256) -> Result<Council::ProposalCreated, Failure> {
        let found = self.proposals().await?.into_iter().find(|proposal| proposal.proposalId == id);
        found.ok_or_else(|| {
            Failure::usage(format!("no proposal {id}")).right("one that was made: breakwater gov show")
        })
    }

    async fn state(&self, id: U256) -> Result<&'static str, Failure> {
        let call = Council::stateCall { proposalId: id };
        Ok(state_name(self.scene.view(self.parts.council, &call).await?))
    }

    fn state_probe(&self, id: U256) -> Probe {
        Probe::new("state", self.parts.council, &Council::stateCall { proposalId: id }, |state| {
            Quantity::Text(state_name(state).to_owned())
        })
    }

    fn votes_probe(&self, what: &str, account: Address) -> Probe {
        let unit = self.token.clone();
        Probe::new(what, self.parts.token, &BreakwaterToken::getVotesCall { account }, move |votes| {
            Quantity::Amount(votes, unit.clone())
        })
    }

    fn tally_probes(&self, id: U256) -> Vec<Probe> {
        let call = Council::proposalVotesCall { proposalId: id };
        let probe = |what: &str, pick: fn(&Council::proposalVotesReturn) -> U256| {
            let unit = self.token.clone();
            Probe::new(what, self.parts.council, &call, move |votes| {
                Quantity::Amount(pick(&votes), unit.clone())
            })
        };
        vec![
            probe("votes for", |votes| votes.forVotes),
            probe("votes against", |votes| votes.againstVotes),
            probe("votes that abstain", |votes| votes.abstainVotes),
        ]
    }

    async fn finish(&self, act: &Act, plan: Plan, screen: &Screen) -> Result<Outcome, Failure> {
        let signer = act.signer()?;
        run::run(act, &self.scene, &signer, plan, screen).await
    }
}

async fn propose(asked: &Propose, screen: &Screen) -> Result<Outcome, Failure> {
    let chamber = Chamber::open(&asked.act.look).await?;
    let written = match (&asked.file, &asked.to) {
        (Some(file), _) => calls::read(file)?,
        (None, Some(to)) => vec![Written {
            to: to.clone(),
            function: asked.function.clone(),
            arguments: asked.arguments.clone(),
            data: asked.data.clone(),
        }],
        (None, None) => return Err(Failure::usage("no call").right("--to, or a --file with calls")),
    };
    let calls = written
        .iter()
        .map(|call| call.resolve(&chamber.scene.deployment))
        .collect::<Result<Vec<_>, Failure>>()?;
    let (targets, calldatas): (Vec<Address>, Vec<Bytes>) = calls.into_iter().unzip();
    let call = Council::proposeCall {
        values: vec![U256::ZERO; targets.len()],
        targets,
        calldatas,
        description: asked.description.clone(),
    };
    let steps = vec![Step::new("proposing", chamber.parts.council, &call)];
    let title = format!("propose {} call(s): {}", call.targets.len(), asked.description);
    let plan = Plan::new("gov propose", title, steps, Vec::new()).telling(|logs| {
        let made = logs.iter().find_map(|log| Council::ProposalCreated::decode_log(log).ok());
        made.map_or_else(Vec::new, |made| {
            vec![
                ("proposal", Quantity::Text(made.proposalId.to_string())),
                ("vote_from", Quantity::Time(made.voteStart.saturating_to())),
                ("vote_until", Quantity::Time(made.voteEnd.saturating_to())),
            ]
        })
    });
    chamber.finish(&asked.act, plan, screen).await
}

async fn vote(asked: &Vote, screen: &Screen) -> Result<Outcome, Failure> {
    let chamber = Chamber::open(&asked.act.look).await?;
    let council = chamber.parts.council;
    let proposal = chamber.proposal(asked.id).await?;
    let reason = asked.reason.clone();
    let step = match asked.side {
        Some(side) => {
            let support = side as u8;
            let call = Council::castVoteWithReasonCall { proposalId: asked.id, support, reason };
            Step::new("voting", council, &call)
        }
        None => {
            let mut params = Vec::with_capacity(48);
            for (flag, text) in [
                ("--against", &asked.against),
                ("--for", &asked.supporting),
                ("--abstain", &asked.abstaining),
            ] {
                let votes = text.as_ref().map(|text| chamber.token.parse_u128(flag, text)).transpose()?;
                params.extend(votes.unwrap_or_default().to_be_bytes());
            }
            let call = Council::castVoteWithReasonAndParamsCall {
                proposalId: asked.id,
                support: IN_PARTS,
                reason,
                params: params.into(),
            };
            Step::new("voting in parts", council, &call)
        }
    };
    let title = format!("vote on {}: {}", asked.id, proposal.description);
    let mut probes = chamber.tally_probes(asked.id);
    probes.push(chamber.state_probe(asked.id));
    chamber.finish(&asked.act, Plan::new("gov vote", title, vec![step], probes), screen).await
}

/// What becomes of a proposal.
#[derive(Clone, Copy)]
enum Go {
    Queue,
    Execute,
    Cancel,
}

async fn go_on(asked: &Move, go: Go, screen: &Screen) -> Result<Outcome, Failure> {
    let chamber = Chamber::open(&asked.act.look).await?;
    let proposal = chamber.proposal(asked.id).await?;
    let description_hash = keccak256(proposal.description.as_bytes());
    let (targets, values, calldatas) = (proposal.targets, proposal.values, proposal.calldatas);
    let council = chamber.parts.council;
    let (command, verb, step) = match go {
        Go::Queue => {
            let call = Council::queueCall { targets, values, calldatas, descriptionHash: description_hash };
            ("gov queue", "queue", Step::new("queueing", council, &call))
        }
        Go::Execute => {
            let call = Council::executeCall { targets, values, calldatas, descriptionHash: description_hash };
            ("gov execute", "execute", Step::new("executing", council, &call))
        }
        Go::Cancel => {
            let call = Council::cancelCall { targets, values, calldatas, descriptionHash: description_hash };
            ("gov cancel", "cancel", Step::new("cancelling", council, &call))
        }
    };
    let title = format!("{verb} {}: {}", asked.id, proposal.description);
    let due = Council::proposalEtaCall { proposalId: asked.id };
    let probes = vec![
        chamber.state_probe(asked.id),
        Probe::new("executable from", council, &due, |time| Quantity::Time(time.saturating_to())),
    ];
    chamber.finish(&asked.act, Plan::new(command, title, vec![step], probes), screen).await
}

async fn delegate(asked: &Delegate, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let chamber = Chamber::open(&asked.act.look).await?;
    let call = BreakwaterToken::delegateCall { delegatee: asked.to };
    let own = BreakwaterToken::delegatesCall { account: signer.address() };
    let probes = vec![
        Probe::new("who votes for you", chamber.parts.token, &own, Quantity::Account),
        chamber.votes_probe("votes of that account", asked.to),
    ];
    let steps = vec![Step::new("delegating", chamber.parts.token, &call)];
    let title = format!("votes of {} to {}", signer.address(), asked.to);
    chamber.finish(&asked.act, Plan::new("gov delegate", title, steps, probes), screen).await
}

async fn show(asked: &Show, screen: &Screen) -> Result<Outcome, Failure> {
    let chamber = Chamber::open(&asked.look).await?;
    match asked.id {
        Some(id) => one(&chamber, id, screen).await?,
        None => all(&chamber, asked.holder, screen).await?,
    }
    Ok(Outcome::Ok)
}

async fn all(chamber: &Chamber, holder: Option<Address>, screen: &Screen) -> Result<(), Failure> {
    let (scene, council) = (&chamber.scene, chamber.parts.council);
    let delay: U256 = scene.view(council, &Council::votingDelayCall {}).await?;
    let period: U256 = scene.view(council, &Council::votingPeriodCall {}).await?;
    let threshold: U256 = scene.view(council, &Council::proposalThresholdCall {}).await?;
    let percent: U256 = scene.view(council, &Council::quorumNumerator_1Call {}).await?;
    let guardian: Address = scene.view(council, &Council::guardianCall {}).await?;
    let mut facts = vec![
        ("council", Quantity::Account(council)),
        ("token", Quantity::Account(chamber.parts.token)),
        ("guardian", if guardian.is_zero() { Quantity::Nothing } else { Quantity::Account(guardian) }),
        ("vote_begins_after", Quantity::Text(span(delay.saturating_to()))),
        ("vote_takes", Quantity::Text(span(period.saturating_to()))),
        ("votes_to_propose", Quantity::Amount(threshold, chamber.token.clone())),
        ("quorum_percent", Quantity::Number(percent)),
    ];
    if let Some(account) = holder {
        let votes = scene.view(chamber.parts.token, &BreakwaterToken::getVotesCall { account }).await?;
        facts.push(("votes_of_holder", Quantity::Amount(votes, chamber.token.clone())));
    }
    let mut rows = Vec::new();
    let mut listed: Vec<Value> = Vec::new();
    for proposal in chamber.proposals().await? {
        let state = chamber.state(proposal.proposalId).await?;
        listed.push(json!({
            "proposal": proposal.proposalId.to_string(), "state": state, "description": proposal.description,
            "vote_from": proposal.voteStart.saturating_to::<u64>(),
            "vote_until": proposal.voteEnd.saturating_to::<u64>(),
        }));
        let until = utc(proposal.voteEnd.saturating_to());
        rows.push(vec![
            proposal.proposalId.to_string(),
            state.to_owned(),
            until,
            line(&proposal.description),
        ]);
    }
    if screen.json {
        screen.object(&json!({
            "command": "gov show", "terms": run::facts_json(&facts), "proposals": listed,
        }));
        return Ok(());
    }
    run::show_facts(&facts, screen);
    if !rows.is_empty() {
        screen.say(table(&["proposal", "state", "vote until", "what it is for"], &rows, &[]));
    }
    Ok(())
}

async fn one(chamber: &Chamber, id: U256, screen: &Screen) -> Result<(), Failure> {
    let proposal = chamber.proposal(id).await?;
    let (scene, council) = (&chamber.scene, chamber.parts.council);
    let votes = scene.view(council, &Council::proposalVotesCall { proposalId: id }).await?;
    let deadline = scene.view(council, &Council::proposalDeadlineCall { proposalId: id }).await?;
    let due = scene.view(council, &Council::proposalEtaCall { proposalId: id }).await?;
    let amount = |votes: U256| Quantity::Amount(votes, chamber.token.clone());
    let facts = vec![
        ("state", Quantity::Text(chamber.state(id).await?.to_owned())),
        ("proposer", Quantity::Account(proposal.proposer)),
        ("vote_from", Quantity::Time(proposal.voteStart.saturating_to())),
        ("vote_until", Quantity::Time(deadline.saturating_to())),
        ("executable_from", Quantity::Time(due.saturating_to())),
        ("votes_for", amount(votes.forVotes)),
        ("votes_against", amount(votes.againstVotes)),
        ("votes_that_abstain", amount(votes.abstainVotes)),
    ];
    let calls: Vec<(Address, Bytes)> = proposal.targets.into_iter().zip(proposal.calldatas).collect();
    if screen.json {
        screen.object(&json!({
            "command": "gov show", "proposal": id.to_string(), "description": proposal.description,
            "facts": run::facts_json(&facts),
            "calls": calls.iter().map(|(to, data)| json!({ "to": to, "data": data })).collect::<Vec<_>>(),
            "description_hash": B256::from(keccak256(proposal.description.as_bytes())),
        }));
        return Ok(());
    }
    screen.say(line(&proposal.description));
    run::show_facts(&facts, screen);
    calls.iter().for_each(|(to, data)| screen.say(format!("calls {to} with {data}")));
    Ok(())
}

/// `IGovernor.ProposalState`.
fn state_name(state: u8) -> &'static str {
    ["pending", "active", "canceled", "defeated", "succeeded", "queued", "expired", "executed"]
        .get(usize::from(state))
        .copied()
        .unwrap_or("unknown")
}

/// A stranger's words on one line, without what moves a terminal's cursor.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect()
}
