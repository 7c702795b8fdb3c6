//! `breakwater replay`: attack cases on a local chain, with Breakwater at work beside them.

mod case;
mod chronicle;
pub(crate) mod cover;
mod play;
mod report;
mod stage;

use std::path::PathBuf;

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
    let mut lines = Vec::new();
    let mut good = true;
    for case in &cases {
        let facts = play::play(&case.scene).await;
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
