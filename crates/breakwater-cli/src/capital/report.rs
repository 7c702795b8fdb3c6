//! The report: what the run found, and what only a page needs.

use std::io::Write as _;

use breakwater_capital::joint::{self, Joint};
use breakwater_capital::outcome::{self, Failure as Stopped, Options, Outcome};
use breakwater_capital::{Model, simulate};
use breakwater_report::{Converged, Report, html};

use super::output::{Output, unwritten};
use super::progress::Progress;
use crate::failure::Failure;

/// Clusters that the heat map has room for.
const CLUSTERS: usize = 16;
/// Blocks of years that it is made from: its figures are good to about two parts of a hundred.
const BLOCKS: u64 = 48;
/// How many times fewer years the step before has on the way to all of them.
const STEP: u64 = 4;

/// Writes the report of a run.
pub(crate) fn write(
    mut output: Output,
    model: &Model,
    options: &Options,
    found: &Outcome,
    progress: &Progress,
) -> Result<(), Failure> {
    let ended = |stopped: Stopped| progress.stopped(&stopped);
    let convergence = convergence(model, options, found, progress).map_err(ended)?;
    let joint = heaviest(model, options, found).map_err(ended)?;
    let page = html(&Report { model, outcome: found, convergence: &convergence, joint: joint.as_ref() });
    output.write_all(page.as_bytes()).map_err(|error| unwritten(output.path(), &error))?;
    output.keep()
}

/// The same run with fewer years: its first ones, for blocks of years are the same whatever their number.
fn convergence(
    model: &Model,
    options: &Options,
    found: &Outcome,
    progress: &Progress,
) -> Result<Vec<Converged>, Stopped> {
    let mut points = vec![Converged::of(found)];
    let mut years = options.years / STEP;
    while years >= simulate::BLOCK as u64 {
        let fewer = Options { years, ..*options };
        points.push(Converged::of(&outcome::evaluate(model, &fewer, &|_| progress.goes_on())?));
        years /= STEP;
    }
    points.reverse();
    Ok(points)
}

/// How the clusters with the largest parts of the capital have their worst years together.
fn heaviest(model: &Model, options: &Options, found: &Outcome) -> Result<Option<Joint>, Stopped> {
    let part = |&k: &usize| found.causes.get(k + 1).map_or(0.0, |c| c.tvar99);
    let mut clusters: Vec<usize> = (0..model.clusters.len()).collect();
    clusters.sort_by(|a, b| part(b).total_cmp(&part(a)).then(a.cmp(b)));
    clusters.truncate(CLUSTERS);
    clusters.sort_unstable();
    if clusters.len() < 2 { Ok(None) } else { joint::joint(model, options, &clusters, BLOCKS).map(Some) }
}
