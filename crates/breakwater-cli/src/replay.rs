//! `breakwater replay`: attack cases on a local chain, with Breakwater at work beside them.

mod case;
mod chronicle;
pub(crate) mod cover;
mod play;
mod report;
mod stage;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::connect;
use crate::failure::{Failure, Outcome};
use crate::replay::case::Case;
use crate::replay::report::{Facts, Line};
use crate::style::Screen;

/// Plays every case and prints one line for each; a recorded outcome that differs, a false incident or trouble
/// of our own is a failure.
pub(crate) async fn replay(paths: &[PathBuf], screen: &Screen) -> Result<Outcome, Failure> {
    let cases = Case::read_all(paths).map_err(|error| {
        Failure::usage(error.to_string())
            .right("files or folders of cases in the format attack-corpus/1")
            .more("breakwater replay --help")
    })?;
    connect::find_anvil()?;
    let mut lines = Vec::new();
    let mut good = true;
    let mut plays = start_all(&cases);
    for case in &cases {
        // One play for each case, in the same order.
        let Some(play) = plays.pop_front() else { break };
        let facts = play.await.map_err(|error| Failure::new(format!("{}: {error}", case.labels.id)))?;
        let line = Line::new(case, &facts);
        good &= line.false_incidents() == 0 && complain(case, &facts);
        if screen.json {
            screen.object(&line.json());
        }
        lines.push(line);
    }
    screen.say(report::as_table(&lines));
    Ok(if good { Outcome::Ok } else { Outcome::Failed })
}

/// Plays every case on a chain of its own, as many at once as there are processors.
fn start_all(cases: &[Case]) -> VecDeque<JoinHandle<Facts>> {
    let at_once = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let places = Arc::new(Semaphore::new(at_once));
    let start = |case: &Case| {
        let (scene, places) = (case.scene.clone(), places.clone());
        tokio::spawn(async move {
            // Nobody closes the semaphore; without a place the case would just be played earlier.
            let _place = places.acquire_owned().await.ok();
            play::play(&scene).await
        })
    };
    cases.iter().map(start).collect()
}

/// Says on stderr what went wrong in a case; whether nothing did.
fn complain(case: &Case, facts: &Facts) -> bool {
    for difference in &facts.differences {
        eprintln!("{}: {difference}", case.labels.id);
    }
    if let Some(trouble) = &facts.trouble {
        eprintln!("{}: {trouble}", case.labels.id);
    }
    facts.differences.is_empty() && facts.trouble.is_none()
}
