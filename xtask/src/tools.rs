//! Where the outside tools are, and how they get there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::steps;

/// Versions are pinned so that two machines see the same findings.
const CARGO_TOOLS: [(&str, &str, &str); 2] =
    [("cargo-deny", "cargo-deny", "0.20.2"), ("typos", "typos-cli", "1.52.0")];

/// The repository root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The Foundry project.
pub(crate) fn contracts() -> PathBuf {
    root().join("contracts")
}

/// Installs the npm packages of the contracts; names what only the user can install.
pub(crate) fn setup() -> Result<()> {
    let node = Command::new("node").arg("--version").output();
    if !node.is_ok_and(|output| output.status.success()) {
        bail!("Node.js was not found: install Node.js 20 or later (Debian: apt-get install nodejs npm)");
    }
    let stamp = contracts().join("node_modules/.package-lock.json");
    let lock = contracts().join("package-lock.json");
    if modified(&stamp) < modified(&lock) || native("forge").is_err() {
        steps::run(
            "npm ci",
            Command::new("npm").current_dir(contracts()).args([
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
            ]),
        )?;
        // npm leaves the stamp's time alone when nothing changed; make "set up" visible to the next run.
        std::fs::File::options().append(true).open(&stamp)?.set_modified(std::time::SystemTime::now())?;
    }
    native("forge")?;
    native("anvil")?;
    Ok(())
}

/// The native binary of a Foundry tool. The launchers in `.bin` always exit 0, so they are never used.
pub(crate) fn native(tool: &str) -> Result<PathBuf> {
    let scope = contracts().join("node_modules/@foundry-rs");
    let platform = format!(
        "{tool}-{}-{}",
        match std::env::consts::OS {
            "macos" => "darwin",
            os => os,
        },
        match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            arch => arch,
        }
    );
    let binary = scope.join(&platform).join("bin").join(tool);
    if !binary.is_file() {
        bail!(
            "{tool} was not found at {}: run `cargo xtask setup`; on another platform than 64-bit Linux install \
             the npm package @foundry-rs/{platform}@1.7.1 into contracts/ first",
            binary.display()
        );
    }
    Ok(binary)
}

/// A command that runs a native Foundry tool in the contracts folder.
pub(crate) fn foundry(tool: &str) -> Result<Command> {
    let mut command = Command::new(native(tool)?);
    command.current_dir(contracts());
    Ok(command)
}

/// A pinned cargo tool, compiled once into `target/tools`.
pub(crate) fn cargo_tool(binary: &str) -> Result<PathBuf> {
    let (_, package, version) =
        CARGO_TOOLS.iter().find(|(name, ..)| *name == binary).context("an unknown cargo tool")?;
    let tools = root().join("target/tools");
    let path = tools.join("bin").join(binary);
    let installed = Command::new(&path).arg("--version").output();
    if installed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(version)) {
        return Ok(path);
    }
    // A debug build of these is fast enough and takes a third of the time to compile.
    steps::run(
        &format!("install {package}"),
        Command::new("cargo").current_dir(root()).args([
            "install",
            "--locked",
            "--debug",
            "--root",
            &tools.to_string_lossy(),
            &format!("{package}@{version}"),
        ]),
    )?;
    Ok(path)
}

fn modified(path: &Path) -> std::time::SystemTime {
    std::fs::metadata(path).and_then(|meta| meta.modified()).unwrap_or(std::time::UNIX_EPOCH)
}
