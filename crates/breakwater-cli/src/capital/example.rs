//! Portfolios to begin with.

use breakwater_capital::example::{self, NAMES};
use breakwater_capital::portfolio;
use clap::Args;
use serde_json::json;

use super::MORE;
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, table};

/// Which portfolio.
#[derive(Debug, Args)]
pub(crate) struct Example {
    /// Its name [default: list them]
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Prints a portfolio as TOML, or the names of all.
pub(crate) fn example(asked: &Example, screen: &Screen) -> Result<Outcome, Failure> {
    let Some(name) = &asked.name else {
        list(screen);
        return Ok(Outcome::Ok);
    };
    let text = example::toml(name).ok_or_else(|| {
        let known = NAMES.map(|(name, _)| name).join(", ");
        Failure::usage(format!("there is no example {name:?}")).right(format!("one of {known}")).more(MORE)
    })?;
    let text = text.map_err(|fault| Failure::new(fault.to_string()))?;
    if screen.json {
        screen.object(&json!({ "name": name, "toml": text }));
    }
    screen.say(text.trim_end());
    Ok(Outcome::Ok)
}

/// Prints the schema, for editors and for programs that write portfolios.
pub(crate) fn schema(screen: &Screen) -> Result<Outcome, Failure> {
    let schema = portfolio::schema();
    if screen.json {
        screen.object(&schema);
    } else {
        let text = serde_json::to_string_pretty(&schema);
        screen.say(text.map_err(|error| Failure::new(format!("the schema has no JSON form: {error}")))?);
    }
    Ok(Outcome::Ok)
}

fn list(screen: &Screen) {
    if screen.json {
        for (name, about) in NAMES {
            screen.object(&json!({ "name": name, "about": about }));
        }
    }
    let rows = NAMES.map(|(name, about)| vec![name.to_owned(), about.to_owned()]);
    screen.say(table(&["name", "about"], &rows, &[]));
}
