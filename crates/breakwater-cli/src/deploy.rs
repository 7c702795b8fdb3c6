//! `breakwater deploy`: bring Breakwater onto a chain, or check what stands there.

use std::path::Path;

use alloy::primitives::{Address, B256};
use breakwater_bindings::deploy::{self, Progress, TimelockConfig};
use breakwater_bindings::verify::{Finding, Verdict, verify};
use breakwater_bindings::{Config, Deployment};
use breakwater_chain::Endpoints;
use serde_json::{Value, json};

use crate::args::Deploy;
use crate::connect;
use crate::deployer::{Readable, Sending};
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

const MORE: &str = "breakwater deploy --help";

/// Deploys what is missing and checks the whole, or only checks; anything broken is a failure.
pub(crate) async fn deploy(asked: &Deploy, screen: &Screen) -> Result<Outcome, Failure> {
    let endpoints = connect::endpoints(&asked.rpc)?;
    let deployment = match asked.check {
        true => planned(asked, &endpoints).await?.1.deployment,
        false => send(asked, &endpoints, screen).await?,
    };
    let deployment = with_known_start(asked, deployment)?;
    let findings = verify(&Readable::new(endpoints), &deployment)
        .await
        .map_err(|error| Failure::new(error.to_string()).more(MORE))?;
    let good = findings.iter().all(|finding| finding.verdict != Verdict::Broken);
    if !asked.check {
        save(asked, &deployment)?;
    }
    match screen.json {
        true => screen.object(&as_json(&deployment, &findings, good)),
        false => as_text(&deployment, &findings, good, screen),
    }
    Ok(if good { Outcome::Ok } else { Outcome::Failed })
}

async fn send(asked: &Deploy, endpoints: &Endpoints, screen: &Screen) -> Result<Deployment, Failure> {
    let (signer, plan) = planned(asked, endpoints).await?;
    let signer = match signer {
        Some(signer) => signer,
        None => connect::signer(&asked.wallet)?,
    };
    if endpoints.head_number().await.map_err(connect::unreadable)? == 0 {
        return Err(Failure::new("the chain has no block but its first, in which nothing can be proven")
            .right("one more block: `cast rpc anvil_mine` on a fresh anvil")
            .more(MORE));
    }
    let chain = Sending::new(endpoints.clone(), signer).await.map_err(connect::unreadable)?;
    let ran = deploy::run(&plan, &chain, |step, progress| {
        let word = match progress {
            Progress::Skipped => screen.palette.dim("stands"),
            Progress::Sent => screen.palette.green("done  "),
        };
        screen.say(format!("{word}  {}", step.name));
    });
    ran.await.map_err(|error| {
        Failure::new(error.to_string())
            .right("the same command again: it goes on where it stopped")
            .more(MORE)
    })
}

type Planned = (Option<alloy::signers::local::PrivateKeySigner>, deploy::Plan);

/// The plan of the configuration file, or the default one of the account that signs.
async fn planned(asked: &Deploy, endpoints: &Endpoints) -> Result<Planned, Failure> {
    let (signer, config) = match &asked.config {
        Some(file) => (None, from_file(file)?),
        None => {
            let signer = connect::signer(&asked.wallet)?;
            let chain_id = endpoints.chain_id().await.map_err(connect::unreadable)?;
            let config = default_config(chain_id, signer.address());
            (Some(signer), config)
        }
    };
    let plan = deploy::plan(&config).map_err(|error| {
        Failure::usage(error.to_string())
            .right("a configuration within its ranges")
            .more("docs/design.md, \"Config\"")
    })?;
    Ok((signer, plan))
}

/// Everything in the hands of one account, with two days between a change of roles and its effect.
fn default_config(chain_id: u64, account: Address) -> Config {
    Config {
        chain_id,
        deployer: account,
        salt: B256::ZERO,
        timelock: TimelockConfig {
            min_delay_s: 2 * 86_400,
            proposers: vec![account],
            executors: vec![Address::ZERO],
        },
        council: None,
        lister: account,
        guardian: Address::ZERO,
        dwell_blocks: 32,
        quorum_window_blocks: 21_600,
        assembly_window_blocks: 151_200,
        guardian_delay_blocks: 7_200,
        heavy_bps: u16::MAX,
        claim_window_s: 30 * 86_400,
        ceilings: Vec::new(),
        disputes: None,
        pools: Vec::new(),
    }
}

/// TOML, or JSON if the name says so.
fn from_file(file: &Path) -> Result<Config, Failure> {
    let refuse = |wrong: String| {
        Failure::usage(wrong).right("a configuration as docs/deploying.md describes it").more(MORE)
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| refuse(format!("cannot read {}: {error}", file.display())))?;
    let is_json = file.extension().is_some_and(|end| end == "json");
    match is_json {
        true => serde_json::from_str(&text).map_err(|error| error.to_string()),
        false => toml::from_str(&text).map_err(|error| error.to_string()),
    }
    .map_err(|error| refuse(format!("{}: {error}", file.display())))
}

/// A second run cannot tell when the first one was; the file of the first one can.
fn with_known_start(asked: &Deploy, deployment: Deployment) -> Result<Deployment, Failure> {
    let Some(file) = asked.out.as_ref().filter(|file| deployment.from_block == 0 && file.exists()) else {
        return Ok(deployment);
    };
    let known = read(file)?;
    let same =
        Deployment { from_block: 0, ..known.clone() } == Deployment { from_block: 0, ..deployment.clone() };
    Ok(if same { known } else { deployment })
}

/// A deployment as `deploy` writes it.
pub(crate) fn read(file: &Path) -> Result<Deployment, Failure> {
    let refuse =
        |wrong: String| Failure::usage(wrong).right("a file that `breakwater deploy --out` wrote").more(MORE);
    let text = std::fs::read_to_string(file)
        .map_err(|error| refuse(format!("cannot read {}: {error}", file.display())))?;
    serde_json::from_str(&text).map_err(|error| refuse(format!("{}: {error}", file.display())))
}

fn save(asked: &Deploy, deployment: &Deployment) -> Result<(), Failure> {
    let Some(file) = &asked.out else { return Ok(()) };
    let text = serde_json::to_string_pretty(deployment).unwrap_or_default() + "\n";
    std::fs::write(file, text).map_err(|error| {
        Failure::new(format!("cannot write {}: {error}", file.display()))
            .right("a path that can be written; the deployment itself stands")
            .more(MORE)
    })
}

fn as_json(deployment: &Deployment, findings: &[Finding], good: bool) -> Value {
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check,
                "verdict": word(finding.verdict).trim(),
                "what": finding.what,
            })
        })
        .collect();
    json!({
        "deployment": serde_json::to_value(deployment).unwrap_or_default(),
        "findings": findings,
        "no_key_can_move_funds": good,
    })
}

fn as_text(deployment: &Deployment, findings: &[Finding], good: bool, screen: &Screen) {
    screen.say(format!("\nBreakwater on chain {}", deployment.chain_id));
    let fixed = [
        ("timelock", deployment.timelock),
        ("access manager", deployment.access_manager),
        ("history", deployment.history),
        ("wording", deployment.wording),
        ("catalog", deployment.catalog),
        ("incidents", deployment.incidents),
        ("policies", deployment.policies),
        ("proof rung", deployment.proof_rung),
        ("feed rung", deployment.feed_rung),
        ("series rung", deployment.series_rung),
        ("oracle rung", deployment.oracle_rung),
        ("canary rung", deployment.canary_rung),
        ("bookings library", deployment.bookings),
        ("pool desk", deployment.pool_desk),
        ("code of pools", deployment.pool_code),
        ("code of tranches", deployment.tranche_code),
        ("factory", deployment.factory),
    ];
    let council = deployment.governance.iter().flat_map(|parts| {
        [
            ("votes", parts.token),
            ("council", parts.council),
            ("identities", parts.identities),
            ("signal", parts.signal),
        ]
    });
    let pools = deployment.pools.iter().map(|(name, address)| (format!("pool {name:?}"), *address));
    let all = fixed.into_iter().chain(council).map(|(name, address)| (name.to_owned(), address)).chain(pools);
    all.for_each(|(name, address)| screen.say(format!("  {name:<20} {address}")));
    screen.say("\nWhat the chain says");
    for finding in findings {
        let word = match finding.verdict {
            Verdict::Holds => screen.palette.green(word(finding.verdict)),
            Verdict::Note => screen.palette.bold(word(finding.verdict)),
            Verdict::Broken => screen.palette.red(word(finding.verdict)),
        };
        screen.say(format!("  {word}  {:<10} {}", finding.check, finding.what));
    }
    screen.say(match good {
        true => "\nNo key can move funds, and no contract can be replaced.",
        false => "\nNot as it must be: see the findings marked \"broken\".",
    });
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "ok    ",
        Verdict::Note => "note  ",
        Verdict::Broken => "broken",
    }
}
