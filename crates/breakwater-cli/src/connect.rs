//! From flags to endpoints and signers.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use alloy::signers::local::PrivateKeySigner;
use breakwater_chain::{ANVIL_ENV, Anvil, ChainError, Endpoints, Limits};

use crate::args::{Rpc, Wallet};
use crate::failure::Failure;

/// The endpoints that the flags name; nothing is sent yet.
pub(crate) fn endpoints(rpc: &Rpc) -> Result<Endpoints, Failure> {
    Endpoints::parse(&rpc.urls, Limits::default()).map_err(|error| {
        Failure::usage(format!("--rpc-url: {error}"))
            .right("--rpc-url https://host/path, once for each endpoint")
            .more("breakwater chain check --help")
    })
}

/// Looks for anvil before anything is begun that needs it.
pub(crate) fn find_anvil() -> Result<(), Failure> {
    Anvil::find().map(|_| ()).map_err(|error| {
        Failure::new(error.to_string())
            .right(format!("cargo xtask setup, or {ANVIL_ENV} with the path of the native anvil binary"))
            .more("README.md")
    })
}

/// What to do about a chain that cannot be read.
pub(crate) fn unreadable(error: ChainError) -> Failure {
    Failure::new(error.to_string())
        .right("an endpoint that answers: check the address and whether the node is up")
        .more("breakwater chain check --help")
}

/// The signer that the flags name.
pub(crate) fn signer(wallet: &Wallet) -> Result<PrivateKeySigner, Failure> {
    let more = "the same command with --help, under --private-key, --keystore and --account";
    if let Some(key) = &wallet.private_key {
        // The text is a secret even when it is mistyped, so it is not repeated.
        return key.trim().parse().map_err(|_| {
            Failure::usage("--private-key is not a key")
                .right("32 bytes in hex, with or without 0x")
                .more(more)
        });
    }
    let Some(file) = key_file(wallet)? else {
        return Err(Failure::usage("no key to sign with")
            .right("--account NAME or --keystore FILE, or --private-key")
            .more(more));
    };
    let refuse = |error: &dyn std::fmt::Display| {
        Failure::new(format!("cannot open the key file {}: {error}", file.display()))
            .right("a key file as `cast wallet` writes it, and its password")
            .more(more)
    };
    // Nobody should type a password for a file that is not there.
    std::fs::metadata(&file).map_err(|error| refuse(&error))?;
    PrivateKeySigner::decrypt_keystore(&file, password(wallet, &file)?).map_err(|error| refuse(&error))
}

/// The key file by its path or by its name among Foundry's.
fn key_file(wallet: &Wallet) -> Result<Option<PathBuf>, Failure> {
    let Some(name) = &wallet.account else { return Ok(wallet.keystore.clone()) };
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']);
    if !plain {
        return Err(Failure::usage(format!("--account: expected the name of a key file, got {name:?}"))
            .right("--account NAME for ~/.foundry/keystores/NAME, or --keystore FILE"));
    }
    let home = std::env::home_dir().ok_or_else(|| {
        Failure::usage("--account: the home directory is not known").right("--keystore FILE")
    })?;
    Ok(Some(home.join(".foundry/keystores").join(name)))
}

/// The password of a key file: from its own file, from whoever sits at the terminal, or none.
fn password(wallet: &Wallet, of: &Path) -> Result<String, Failure> {
    let Some(file) = &wallet.password_file else {
        if !std::io::stdin().is_terminal() {
            return Ok(String::new());
        }
        return rpassword::prompt_password(format!("Password of {}: ", of.display())).map_err(|error| {
            Failure::new(format!("cannot read a password: {error}")).right("--password-file FILE")
        });
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read the password file {}: {error}", file.display()))
            .right("a readable file with the password on its first line")
            .more("the same command with --help, under --password-file")
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
