//! The Python package: built as a wheel, installed into an environment of its own, tested as its user would.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{steps, tools};

/// What the tests need beside the wheel. Pinned, so that two machines run the same.
const PACKAGES: [&str; 3] = ["maturin==1.16.0", "numpy>=1.26,<3", "pyarrow>=17"];

/// Builds, installs and tests the package. Without Python or its venv module: a printed skip.
pub(crate) fn test() -> Result<()> {
    let Some(python) = environment()? else { return Ok(()) };
    let project = tools::root().join("python");
    let wheels = tools::root().join("target/tools/wheels");
    // Only the wheel just built is to be found there.
    if wheels.exists() {
        std::fs::remove_dir_all(&wheels)?;
    }
    let maturin = ["-m", "maturin", "build", "--quiet", "--locked", "--release", "--out"];
    steps::run("maturin build", Command::new(&python).current_dir(&project).args(maturin).arg(&wheels))?;
    let wheel = std::fs::read_dir(&wheels)?.next().context("maturin built no wheel")??.path();
    let install = ["-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps"];
    steps::run("pip install", Command::new(&python).args(install).arg(wheel))?;
    // From elsewhere than the sources, so that the installed package is what is imported.
    let tests = project.join("tests");
    let run = ["-m", "unittest", "discover", "--start-directory"];
    steps::run("python tests", Command::new(&python).current_dir(&wheels).args(run).arg(tests))
}

/// The interpreter of an environment with what the tests need.
fn environment() -> Result<Option<PathBuf>> {
    let folder = tools::root().join("target/tools/python");
    let python = folder.join("bin/python");
    if !python.exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).output();
        if !made.is_ok_and(|output| output.status.success()) {
            println!(
                "skipped: 1 step, python: no Python 3.10 with venv (Debian: apt-get install python3-venv)"
            );
            return Ok(None);
        }
    }
    let stamp = folder.join("packages");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(Some(python));
    }
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    steps::run("pip install", Command::new(&python).args(install).args(PACKAGES))?;
    if !python.exists() {
        bail!(
            "{} is missing after its environment was made; remove {} and try again",
            python.display(),
            folder.display()
        );
    }
    std::fs::write(&stamp, wanted)?;
    Ok(Some(python))
}
