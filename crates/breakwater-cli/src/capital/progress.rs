//! How far a run is, for people who watch, and its end on Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use breakwater_capital::outcome::Failure as Stopped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::MORE;
use crate::failure::Failure;
use crate::style::grouped;

/// A run under way.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Hidden where standard error is no terminal.
    bar: ProgressBar,
    years: u64,
    done: AtomicU64,
    interrupted: Arc<AtomicBool>,
}

impl Progress {
    /// Draws the bar and begins to listen for Ctrl-C.
    pub(crate) fn begin(years: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(years), ProgressDrawTarget::stderr_with_hz(10));
        let style =
            ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} years, {per_sec}, {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self { bar, years, done: AtomicU64::new(0), interrupted: listen() }
    }

    /// So many further years are done; whether to go on.
    pub(crate) fn more(&self, years: u64) -> bool {
        self.done.fetch_add(years, Ordering::Relaxed);
        if !self.bar.is_hidden() {
            self.bar.inc(years);
        }
        self.goes_on()
    }

    /// Whether nobody has asked to stop.
    pub(crate) fn goes_on(&self) -> bool {
        !self.interrupted.load(Ordering::Relaxed)
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Why the run has no outcome, for the person who asked for it.
    pub(crate) fn stopped(&self, stopped: &Stopped) -> Failure {
        let failure = match stopped {
            Stopped::Ended => Failure::new(format!(
                "interrupted after {} of {} years; nothing was written",
                grouped(self.done.load(Ordering::Relaxed)),
                grouped(self.years)
            ))
            .right("the same command again, with fewer --years if it takes too long"),
            Stopped::Years(_) => Failure::usage(stopped.to_string()).right("--years N"),
            Stopped::Tail => Failure::new(stopped.to_string()).right("another --seed"),
            Stopped::Refused(_) => {
                Failure::new(format!("this method does not simulate the portfolio: {stopped}"))
                    .right("another --method, or a portfolio without that")
            }
        };
        failure.more(MORE)
    }
}

/// Whether Ctrl-C was heard. Where listening fails, the signal ends the process as it always does.
fn listen() -> Arc<AtomicBool> {
    let heard = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&heard);
    // On a thread of its own: a run's threads are busy, and waiting for a signal costs nothing.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        if runtime.block_on(tokio::signal::ctrl_c()).is_err() {
            return;
        }
        tell.store(true, Ordering::Relaxed);
        // A block takes milliseconds. Whoever still waits after this is stuck in something else.
        std::thread::sleep(Duration::from_secs(10));
        std::process::exit(1);
    });
    heard
}
