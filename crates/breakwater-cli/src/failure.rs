//! How a command ends: an exit status, and for failures three lines that help.

use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::{ContextKind, ErrorKind};

use crate::style::Palette;

/// How a command ends that did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, and what was looked at is as it should be.
    Ok,
    /// Done, and what was looked at is not as it should be; the output says what.
    Failed,
    /// Done for a part of what was asked; the output says what is missing.
    Partial,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Ok => Self::SUCCESS,
            Outcome::Failed => Self::FAILURE,
            Outcome::Partial => Self::from(4),
        }
    }
}

/// Why a command could not do its work: what is wrong, what would be right, where to read more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    wrong: String,
    right: String,
    more: String,
    usage: bool,
}

impl Failure {
    /// A failure in words; `right` and `more` say what there is to say in general.
    pub(crate) fn new(wrong: impl Into<String>) -> Self {
        Self {
            wrong: wrong.into(),
            right: "the same command again, with -v for what happened before".to_owned(),
            more: "breakwater help".to_owned(),
            usage: false,
        }
    }

    /// A failure that the caller's words cause: exit status 2.
    pub(crate) fn usage(wrong: impl Into<String>) -> Self {
        Self { usage: true, ..Self::new(wrong) }
    }

    /// What is wrong.
    pub(crate) fn wrong(&self) -> &str {
        &self.wrong
    }

    /// Says what would be right.
    pub(crate) fn right(mut self, right: impl Into<String>) -> Self {
        self.right = right.into();
        self
    }

    /// Says where to read more.
    pub(crate) fn more(mut self, more: impl Into<String>) -> Self {
        self.more = more.into();
        self
    }

    /// Prints the three lines on stderr.
    pub(crate) fn report(&self, palette: Palette) -> ExitCode {
        eprintln!("{} {}", palette.red("error:"), one_line(&self.wrong));
        eprintln!("{} {}", palette.bold("right:"), one_line(&self.right));
        eprintln!("{} {}", palette.bold(" more:"), one_line(&self.more));
        if self.usage { ExitCode::from(2) } else { ExitCode::FAILURE }
    }
}

/// Turns what clap found into the same three lines, or prints the help that was asked for.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A closed pipe is nobody's failure.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let wrong = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
    let usage = match error.get(ContextKind::Usage) {
        Some(usage) => Some(one_line(&usage.to_string())),
        // A help that stands in for an error names the command that was begun.
        None => text.lines().find(|line| line.starts_with("Usage: ")).map(one_line),
    };
    let right = match (error.kind(), usage) {
        (_, Some(usage)) => usage,
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, None) => {
            "a value of the kind that --help tells for this flag".to_owned()
        }
        (_, None) => one_line(&crate::args::Cli::command().render_usage().to_string()),
    };
    let wrong = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a command is missing",
        _ => wrong,
    };
    Failure::usage(wrong)
        .right(right.trim_start_matches("Usage: "))
        .more("the same command with --help")
        .report(Palette::plain())
}

/// Errors of other parts may span lines; a failure has one line for each thing that it says.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
