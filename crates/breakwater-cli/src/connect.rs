//! From flags to endpoints and signers.

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
    let more = "breakwater deploy --help, under --private-key and --keystore";
    match (&wallet.private_key, &wallet.keystore) {
        (Some(key), _) => key.trim().parse().map_err(|_| {
            // The text is a secret even when it is mistyped, so it is not repeated.
            Failure::usage("--private-key is not a key")
                .right("32 bytes in hex, with or without 0x")
                .more(more)
        }),
        (None, Some(file)) => {
            let password = password(wallet)?;
            PrivateKeySigner::decrypt_keystore(file, password).map_err(|error| {
                Failure::new(format!("cannot open the key file {}: {error}", file.display()))
                    .right("a key file as `cast wallet` writes it, and its password")
                    .more(more)
            })
        }
        (None, None) => Err(Failure::usage("no key to sign with")
            .right("--keystore FILE --password-file FILE, or --private-key")
            .more(more)),
    }
}

fn password(wallet: &Wallet) -> Result<String, Failure> {
    let Some(file) = &wallet.password_file else { return Ok(String::new()) };
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read the password file {}: {error}", file.display()))
            .right("a readable file with the password on its first line")
            .more("breakwater deploy --help")
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
