//! How years are drawn.

use serde::{Deserialize, Serialize};

/// How years are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Tilted where the portfolio allows it, else crude.
    #[default]
    Auto,
    /// Each year as likely as it is.
    Crude,
    /// Years with large losses more often than they come, and weighed accordingly: see [`crate::tilt`].
    Tilted,
}

impl std::str::FromStr for Method {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "auto" => Ok(Self::Auto),
            "crude" => Ok(Self::Crude),
            "tilted" => Ok(Self::Tilted),
            other => Err(format!("expected auto, crude or tilted, got {other:?}")),
        }
    }
}
