//! `capital stress`.

use std::path::PathBuf;

use breakwater_capital::analysis::{
    scenario::{self, Scenario},
    stress::{self, Amount, Stressed, Unfit},
};
use clap::Args;
use serde::Serialize;

use super::study::Sample;
use super::{MORE, input, progress::Progress};
use crate::failure::{Failure, Outcome};
use crate::style::{Palette, Screen, table};
use breakwater_report::figure::{figure, fixed, percent};

/// What happens.
#[derive(Debug, Args)]
pub(crate) struct Stress {
    /// Portfolio in TOML or JSON; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "print")]
    file: Option<PathBuf>,
    #[command(flatten)]
    sample: Sample,
    /// TOML with [[scenario]] tables, in place of those that ship with the engine
    #[arg(long, value_name = "FILE")]
    scenarios: Option<PathBuf>,
    /// Only this scenario; may be given several times [default: all]
    #[arg(long = "scenario", value_name = "NAME")]
    only: Vec<String>,
    /// Print the scenarios that ship with the engine, as TOML to change, and do nothing else
    #[arg(long)]
    print: bool,
}

/// Scenarios and what they did.
#[derive(Debug, Serialize)]
struct Found {
    years: u64,
    scenarios: Vec<Stressed>,
}

/// Runs scenarios and says what they leave.
pub(crate) fn stress(asked: &Stress, screen: &Screen) -> Result<Outcome, Failure> {
    let Some(file) = asked.file.as_ref().filter(|_| !asked.print) else {
        if screen.json {
            screen.object(&serde_json::json!({ "toml": scenario::NAMED }));
        }
        screen.say(scenario::NAMED.trim());
        return Ok(Outcome::Ok);
    };
    let scenarios = chosen(asked)?;
    let study = asked.sample.study(file, Ok)?;
    let progress = Progress::begin(study.options.years * scenarios.len() as u64);
    let watch = |years| progress.more(years);
    let run = |s: &Scenario| {
        stress::stress(&study.model, s, &study.options, &watch).map_err(|unfit| match unfit {
            Unfit::Failure(stopped) => progress.stopped(&stopped),
            Unfit::Fault(fault) => Failure::usage(fault.to_string())
                .right("a scenario that names what the portfolio has")
                .more(MORE),
        })
    };
    let done = scenarios.iter().map(run).collect::<Result<Vec<_>, _>>();
    progress.end();
    let found = Found { years: study.options.years, scenarios: done? };
    study.answer("stress", &found, screen, |palette| tables(&found, palette))?;
    Ok(Outcome::Ok)
}

fn chosen(asked: &Stress) -> Result<Vec<Scenario>, Failure> {
    let all = match &asked.scenarios {
        None => scenario::named().map_err(|fault| Failure::new(fault.to_string()))?,
        Some(file) => scenario::parse(&input::text(file)?).map_err(|fault| {
            Failure::usage(format!("{}: {fault}", input::name(file)))
                .right("scenarios as `breakwater capital stress --print` prints them")
                .more(MORE)
        })?,
    };
    if asked.only.is_empty() {
        return Ok(all);
    }
    let known = all.iter().map(|s| s.id.clone()).collect::<Vec<_>>().join(", ");
    let find = |id: &String| {
        all.iter().find(|s| s.id == *id).cloned().ok_or_else(|| {
            Failure::usage(format!("there is no scenario {id:?}")).right(format!("one of {known}")).more(MORE)
        })
    };
    asked.only.iter().map(find).collect()
}

fn tables(found: &Found, palette: Palette) -> Vec<String> {
    let row = |s: &Stressed| {
        let mut row = vec![s.id.clone(), s.struck.join(", ")];
        row.extend(figure(s.event_gross.mean, s.event_gross.mean_error));
        row.extend(figure(s.event_net.mean, s.event_net.mean_error));
        row.extend(figure(s.gross.mean, s.gross.mean_error));
        row.extend(figure(s.net.mean, s.net.mean_error));
        row.push(figure(s.net.q99, 0.0)[0].clone());
        row.extend(figure(s.remains.mean, s.remains.mean_error));
        row.extend(percent(s.breaks, s.breaks_error));
        row
    };
    let rows: Vec<Vec<String>> = found.scenarios.iter().map(row).collect();
    let mut out = vec![table(
        &[
            "scenario",
            "struck",
            "event gross",
            "",
            "event net",
            "",
            "year gross",
            "",
            "year net",
            "",
            "net, 1 in 100",
            "remains",
            "",
            "breaks %",
            "",
        ],
        &rows,
        &[2, 4, 6, 8, 10, 11, 13],
    )];
    for s in &found.scenarios {
        out.push(format!("{}\n{}\n{}", palette.bold(&s.id), palette.dim(&s.about), detail(s)));
    }
    out
}

fn detail(s: &Stressed) -> String {
    let amount = |name: &str, a: &Amount| {
        let mut row = vec![name.to_owned()];
        row.extend(figure(a.mean, a.mean_error));
        row.extend([a.median, a.q95, a.q99].map(|q| figure(q, 0.0)[0].clone()));
        row
    };
    let year = [
        amount("event, gross", &s.event_gross),
        amount("event, net", &s.event_net),
        amount("year, gross", &s.gross),
        amount("year, net", &s.net),
        amount("capital that remains", &s.remains),
    ];
    let paid = s.treaties.iter().map(|(id, mean, error)| {
        let [value, error] = figure(*mean, *error);
        vec![format!("{id} pays"), String::new(), value, error, String::new(), String::new()]
    });
    let borne = s.tranches.iter().map(|t| {
        let mut row = vec![t.id.clone(), fixed(t.capital, 2)];
        row.extend(figure(t.mean, t.mean_error));
        row.extend(percent(t.exhaust, t.exhaust_error));
        row
    });
    let bearers: Vec<Vec<String>> = paid.chain(borne).collect();
    format!(
        "{}\n{}",
        table(&["", "mean", "", "median", "1 in 20", "1 in 100"], &year, &[1, 3, 4, 5]),
        table(&["who", "capital", "bears", "", "used up %", ""], &bearers, &[1, 2, 4])
    )
}
