//! What is wrong with an input, and where.

/// A fault of the input: the place in the document, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct Fault {
    /// Where: a path through the document such as `product "aave-v3".limit`.
    pub at: String,
    /// What is wrong and what would be right.
    pub what: String,
}

impl Fault {
    /// A fault at a place.
    pub fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self { at: at.into(), what: what.into() }
    }

    /// The same fault, seen from further out: `place` comes before the path.
    pub fn within(self, place: &str) -> Self {
        Self {
            at: if self.at.is_empty() { place.into() } else { format!("{place}.{}", self.at) },
            what: self.what,
        }
    }
}
