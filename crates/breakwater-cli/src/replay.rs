//! `breakwater replay`: attack cases on a local chain, with Breakwater at work beside them.

mod case;
mod stage;

use std::path::PathBuf;

use crate::failure::{Failure, Outcome};
use crate::replay::case::Case;
use crate::style::Screen;

/// Plays every case and prints one line for each.
pub(crate) async fn replay(paths: &[PathBuf], screen: &Screen) -> Result<Outcome, Failure> {
    let cases = Case::read_all(paths).map_err(|error| {
        Failure::usage(error.to_string())
            .right("files or folders of cases in the format attack-corpus/1")
            .more("breakwater replay --help")
    })?;
    for case in &cases {
        let mut local = stage::start(&case.scene, &[]).await.map_err(|e| Failure::new(e.to_string()))?;
        let mut bad = 0;
        for step in &case.scene.steps {
            let played = stage::play(&mut local, step).await.map_err(|e| Failure::new(e.to_string()))?;
            for d in &played.differences {
                screen.say(format!("{} {d}", case.labels.id));
                bad += 1;
            }
            local.seal(local.time() + 1).await.map_err(|e| Failure::new(e.to_string()))?;
        }
        screen.say(format!("{} {} steps {bad} differences", case.labels.id, case.scene.steps.len()));
    }
    Ok(Outcome::Ok)
}
