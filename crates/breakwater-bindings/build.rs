//! Prepares the committed artifacts for `sol!`.
//!
//! `sol!` puts a struct of an interface into a module of its own, from which the enums beside the contract
//! cannot be named.
//! So enums become the numbers that the ABI has for them, and structs lose the name before the dot.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const ARTIFACTS: &str = "../../contracts/artifacts";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={ARTIFACTS}");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    for entry in fs::read_dir(ARTIFACTS)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            write(&path, &out).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

fn write(path: &Path, out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut artifact: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    flatten(&mut artifact["abi"]);
    let desks = [("Pool", "PoolDesk.json"), ("Policies", "PolicyDesk.json")];
    let named = desks.iter().find(|(name, _)| path.file_stem().is_some_and(|stem| stem == *name));
    if let Some((_, desk)) = named {
        let mut desk: Value = serde_json::from_str(&fs::read_to_string(path.with_file_name(desk))?)?;
        flatten(&mut desk["abi"]);
        add_desk(&mut artifact["abi"], &desk["abi"])?;
    }
    // Code without the addresses of its libraries is of no use; `artifact` links it.
    if artifact["bytecode"].as_str().is_some_and(|code| code.contains("__$")) {
        let fields = artifact.as_object_mut().ok_or("an artifact is an object")?;
        fields.remove("bytecode");
        fields.remove("deployedBytecode");
    }
    let name = path.file_name().ok_or("a file has a name")?;
    Ok(fs::write(out.join(name), artifact.to_string())?)
}

/// A contract answers for its desk as well, so callers see one interface.
fn add_desk(whole: &mut Value, desk: &Value) -> Result<(), Box<dyn std::error::Error>> {
    let whole = whole.as_array_mut().ok_or("an ABI is a list")?;
    for item in desk.as_array().ok_or("an ABI is a list")? {
        if item["type"] != "constructor" && !whole.contains(item) {
            whole.push(item.clone());
        }
    }
    Ok(())
}

fn flatten(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(flatten),
        Value::Object(map) => {
            if let Some(Value::String(internal)) = map.get("internalType") {
                if internal.starts_with("enum ") {
                    map.remove("internalType");
                } else if let Some((_, name)) =
                    internal.strip_prefix("struct ").and_then(|name| name.split_once('.'))
                {
                    let flat = format!("struct {name}");
                    map.insert("internalType".to_owned(), flat.into());
                }
            }
            map.values_mut().for_each(flatten);
        }
        _ => {}
    }
}
