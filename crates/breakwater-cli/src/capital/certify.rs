//! `capital certify`: from a portfolio to the limits that a certificate says.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use alloy::primitives::{Address, U256};
use breakwater_capital::Model;
use breakwater_capital::outcome::evaluate_by;
use breakwater_report::figure::fixed;
use clap::Args;
use serde_json::{Value, json};

use super::fit::{self, Ask, Fit, Measure, Refusal};
use super::output::{Output, unwritten};
use super::progress::Progress;
use super::run::Sampling;
use super::{MORE, input};
use crate::act::frame::{Look, Scene};
use crate::act::limits::sign_limits;
use crate::act::signed::Making;
use crate::act::units::{Token, bps};
use crate::args::{Rpc, Wallet};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, table};

/// Runs that a search takes at most, for the bar; a search that needs fewer ends earlier.
const RUNS: u64 = 20;

/// What to certify.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater capital certify dollars.toml --decimals 6 --out limits.json\n\
    Example: breakwater capital certify dollars.toml --pool dollars --sign certificate.json --account me\n\
    All exposures grow by one factor until the net year needs the pool's capital; caps are rounded down.")]
pub(crate) struct Certify {
    /// Portfolio of one pool in TOML or JSON; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    sampling: Sampling,
    /// Level of the requirement
    #[arg(long, value_name = "LEVEL", default_value_t = 0.995)]
    level: f64,
    /// What the net year needs at the level
    #[arg(long, value_enum, default_value_t = Measure::Tvar)]
    measure: Measure,
    /// The most that one product's cap may be, as a share of the capital
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    product_share: f64,
    /// The most that a cluster may lose in a stressed shock, as a share of the capital
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    cluster_share: f64,
    /// Quantile of the share lost in that shock
    #[arg(long, value_name = "QUANTILE", default_value_t = 0.9)]
    stress: f64,
    /// Decimals of the asset [default: those of the --pool's]
    #[arg(long, value_name = "NUMBER", required_unless_present = "sign")]
    decimals: Option<u8>,
    /// Write the limits here, for `certify sign --limits`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    signing: Signing,
}

/// What a signature needs.
#[derive(Debug, Args)]
struct Signing {
    /// Sign the certificate as the first of its committee, and write it here
    #[arg(long, value_name = "FILE", requires_all = ["pool", "deployment", "urls"], help_heading = "Signing")]
    sign: Option<PathBuf>,
    /// Pool by its name in the deployment file or its address
    #[arg(long, value_name = "POOL", help_heading = "Signing")]
    pool: Option<String>,
    /// The contract that takes certificates [default: the deployment's]
    #[arg(long, value_name = "ADDRESS", help_heading = "Signing")]
    underwriting: Option<Address>,
    /// Addresses, as `breakwater deploy --out` wrote them
    #[arg(long, env = "BREAKWATER_DEPLOYMENT", value_name = "FILE", help_heading = "Signing")]
    deployment: Option<PathBuf>,
    /// JSON-RPC address; several are cross-checked
    #[arg(
        long = "rpc-url",
        env = "ETH_RPC_URL",
        hide_env_values = true,
        value_name = "URL",
        value_delimiter = ',',
        help_heading = "Signing"
    )]
    urls: Vec<String>,
    /// How long the certificate is good from the newest block on, such as 2h or 7d
    #[arg(long, value_name = "SPAN", default_value = "1d", help_heading = "Signing")]
    valid_for: String,
    /// Above the last nonce that was taken [default: the newest block's time in seconds]
    #[arg(long, value_name = "NUMBER", help_heading = "Signing")]
    nonce: Option<U256>,
    #[command(flatten, next_help_heading = "Signing")]
    wallet: Wallet,
}

/// Finds the limits, and signs them if that was asked.
pub(crate) fn certify(asked: &Certify, screen: &Screen) -> Result<Outcome, Failure> {
    shares(asked)?;
    let portfolio = input::portfolio(&asked.file)?;
    let begun = Instant::now();
    let model = Model::new(portfolio).map_err(|fault| input::refused(&asked.file, &fault))?;
    let making = asked.signing.making();
    let decimals = decimals(asked, making.as_ref(), &model.portfolio.unit)?;
    let ask = Ask {
        level: asked.level,
        measure: asked.measure,
        product_share: asked.product_share,
        cluster_share: asked.cluster_share,
        stress: asked.stress,
        decimals,
    };
    let options = asked.sampling.options();
    let progress = Progress::begin(options.years.saturating_mul(RUNS));
    let method = asked.sampling.method.into();
    let watch = |years| progress.more(years);
    let fitted = fit::fit(&model, &ask, &|model| evaluate_by(model, &options, method, &watch, None));
    progress.end();
    let fit = fitted.map_err(|refusal| match refusal {
        Refusal::Run(stopped) => progress.stopped(&stopped),
        Refusal::Words(failure) => failure.more(MORE),
    })?;
    fit::count(&fit.limits)?;
    for name in &fit.unnamed {
        eprintln!("note: no-cap: cluster {name:?} is none of a chain's, and gets no cap");
    }
    if let Some(path) = &asked.out {
        let mut out = Output::open(path)?;
        let text = serde_json::to_string_pretty(&fit.limits)
            .map_err(|error| Failure::new(format!("the limits have no JSON form: {error}")))?;
        writeln!(out, "{text}").map_err(|error| unwritten(path, &error))?;
        out.keep()?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    if screen.json {
        screen.object(&object(asked, &model, &fit, seconds));
    }
    screen.say(words(asked, &model, &fit, decimals));
    match (making, &asked.signing.pool) {
        (Some(making), Some(pool)) => {
            crate::wait(sign_limits(&fit.limits, asked.signing.underwriting, pool, &making, screen))
        }
        _ => Ok(Outcome::Ok),
    }
}

impl Signing {
    /// What `certify sign` is told, if a signature was asked for.
    fn making(&self) -> Option<Making> {
        let (out, deployment) = (self.sign.clone()?, self.deployment.clone()?);
        let wallet = Wallet {
            private_key: self.wallet.private_key.clone(),
            keystore: self.wallet.keystore.clone(),
            account: self.wallet.account.clone(),
            password_file: self.wallet.password_file.clone(),
        };
        let look = Look { deployment, rpc: Rpc { urls: self.urls.clone() } };
        Some(Making { valid_for: self.valid_for.clone(), nonce: self.nonce, out, look, wallet })
    }
}

/// Shares and quantiles are what their names say.
fn shares(asked: &Certify) -> Result<(), Failure> {
    for (flag, share) in [("--product-share", asked.product_share), ("--cluster-share", asked.cluster_share)]
    {
        if !(share.is_finite() && share > 0.0) {
            return Err(Failure::usage(format!("{flag}: expected a share above 0, got {share}"))
                .right(format!("{flag} 0.5 for half of the capital"))
                .more(MORE));
        }
    }
    if !(asked.stress > 0.0 && asked.stress < 1.0) {
        return Err(Failure::usage(format!(
            "--stress: expected a quantile inside (0, 1), got {}",
            asked.stress
        ))
        .right("--stress 0.9 for the worst tenth")
        .more(MORE));
    }
    Ok(())
}

/// Decimals of the asset: what the chain says where it is asked, and then the portfolio must be of that asset.
fn decimals(asked: &Certify, making: Option<&Making>, unit: &str) -> Result<u8, Failure> {
    let (Some(making), Some(pool)) = (making, &asked.signing.pool) else {
        return asked.decimals.ok_or_else(|| Failure::usage("--decimals is missing").right("--decimals 6"));
    };
    if !making.wallet.names_a_key() {
        return Err(Failure::usage("--sign: no key to sign with").right("--account NAME or --keystore FILE"));
    }
    let token = crate::wait(asset(&making.look, pool))?;
    if token.symbol != unit || asked.decimals.is_some_and(|decimals| decimals != token.decimals) {
        let got = asked.decimals.unwrap_or(token.decimals);
        return Err(Failure::usage(format!(
            "expected a portfolio in {} with {} decimals, got {unit} with {got}",
            token.symbol, token.decimals
        ))
        .right("the portfolio of this pool: breakwater capital read")
        .more(MORE));
    }
    Ok(token.decimals)
}

async fn asset(look: &Look, pool: &str) -> Result<Token, Failure> {
    let scene = Scene::open(look).await?;
    let pool = scene.pool(pool).await?;
    scene.asset_of(pool).await
}

fn object(asked: &Certify, model: &Model, fit: &Fit, seconds: f64) -> Value {
    let limits = &fit.limits;
    let products: Vec<Value> = limits
        .products
        .iter()
        .zip(&fit.exposures)
        .map(|(line, exposure)| json!({ "id": line.id, "cap": line.cap.to_string(), "exposure": exposure }))
        .collect();
    let clusters: Vec<Value> =
        limits.clusters.iter().map(|line| json!({ "id": line.id, "cap": line.cap.to_string() })).collect();
    json!({
        "command": "capital certify", "portfolio": model.portfolio.name, "unit": model.portfolio.unit,
        "level": asked.level, "measure": measure(asked.measure), "capital": fit.capital,
        "needs_now": { "value": fit.now.0, "error": fit.now.1 },
        "needs_at_caps": { "value": fit.need.0, "error": fit.need.1 },
        "scale": fit.scale, "leverageBps": limits.leverage_bps, "products": products, "clusters": clusters,
        "years": asked.sampling.years, "seed": asked.sampling.seed, "runs": fit.runs, "seconds": seconds,
        "hashes": { "model": limits.model, "data": limits.data, "seed": limits.seed },
    })
}

fn words(asked: &Certify, model: &Model, fit: &Fit, decimals: u8) -> String {
    let unit = &model.portfolio.unit;
    let token = Token { address: Address::ZERO, symbol: unit.clone(), decimals };
    let limits = &fit.limits;
    let rows: Vec<Vec<String>> = limits
        .products
        .iter()
        .zip(&fit.exposures)
        .map(|(line, &now)| ("product", line, format!("{} {unit}", fixed(now, 2))))
        .chain(limits.clusters.iter().map(|line| ("cluster", line, String::new())))
        .map(|(kind, line, now)| {
            vec![kind.to_owned(), line.id.to_string(), now, token.show(U256::from(line.cap))]
        })
        .collect();
    let said = |(value, error): (f64, f64)| format!("{} ± {} {unit}", fixed(value, 2), fixed(error, 2));
    format!(
        "{}: {} {} of the net year, {} years, seed {}\n\
        capital        {} {unit}\n\
        needed now     {}\n\
        needed at caps {}\n\
        leverage       {}\n{}\n\
        model {}\ndata  {}\nseed  {}",
        model.portfolio.name,
        measure(asked.measure),
        asked.level,
        asked.sampling.years,
        asked.sampling.seed,
        fixed(fit.capital, 2),
        said(fit.now),
        said(fit.need),
        bps(limits.leverage_bps.into()),
        table(&["limit", "id", "in the portfolio", "cap"], &rows, &[2, 3]),
        limits.model,
        limits.data,
        limits.seed,
    )
}

fn measure(measure: Measure) -> &'static str {
    match measure {
        Measure::Var => "var",
        Measure::Tvar => "tvar",
    }
}
