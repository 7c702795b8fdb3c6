//! A NATS server of one's own, for demonstrations and tests; it dies with its handle.

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = "nats-server";

/// Debian puts servers where the search path of people does not look.
const ALSO: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Longest wait for a server that starts.
const START_MAX: Duration = Duration::from_secs(30);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The program is not installed.
    #[error("{PROGRAM} not found: expected it on PATH or in {ALSO:?}")]
    NotFound,
    /// A file or process could not be made.
    #[error("{PROGRAM}: {0}")]
    System(#[from] std::io::Error),
    /// It does not listen.
    #[error("{PROGRAM} did not listen within {START_MAX:?}: {said}")]
    Silent {
        /// The end of what it wrote.
        said: String,
    },
}

/// A running server with JetStream on a folder of its own; killed on drop.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl Server {
    /// Starts a server on a free port of this machine, with more lines for its configuration file;
    /// JetStream is on unless one of them begins with its name.
    ///
    /// # Errors
    /// [`ServerError::NotFound`] where none is installed; the others when it does not start.
    pub fn start(more: &str) -> Result<Self, ServerError> {
        let program = find().ok_or(ServerError::NotFound)?;
        let folder = tempfile::tempdir()?;
        let mut file = std::fs::File::create(folder.path().join("server.conf"))?;
        writeln!(file, "ports_file_dir: {:?}\n{more}", folder.path())?;
        if !more.lines().any(|line| line.starts_with("jetstream")) {
            writeln!(file, "jetstream {{ store_dir: {:?} }}", folder.path().join("store"))?;
        }
        let child = spawn(&program, folder.path(), -1)?;
        let mut server = Self { program, folder, port: 0, child };
        server.port = server.wait(|server| server.port_told())?;
        server.wait(Self::listens)?;
        Ok(server)
    }

    /// Its address without credentials.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it without a warning; what it holds stays on disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again where it was killed, on the same port.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_again(&mut self) -> Result<(), ServerError> {
        self.child = spawn(&self.program, self.folder.path(), i32::from(self.port))?;
        self.wait(Self::listens)
    }

    fn wait<T>(&mut self, look: impl Fn(&Self) -> Option<T>) -> Result<T, ServerError> {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return Ok(found);
            }
            if self.child.try_wait()?.is_some() || begun.elapsed() > START_MAX {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                let end = log.lines().rev().take(5).collect::<Vec<_>>();
                return Err(ServerError::Silent {
                    said: end.into_iter().rev().collect::<Vec<_>>().join("; "),
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The port that it chose, which it writes into a file named after its process.
    fn port_told(&self) -> Option<u16> {
        let file = self.folder.path().join(format!("{PROGRAM}_{}.ports", self.child.id()));
        let told: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
        told["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
    }

    fn listens(&self) -> Option<()> {
        TcpStream::connect(("127.0.0.1", self.port)).ok().map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that has ended already is what is wanted.
        let _ = self.kill();
    }
}

fn spawn(program: &Path, folder: &Path, port: i32) -> Result<Child, ServerError> {
    let log = std::fs::File::create(folder.join("log"))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(folder.join("server.conf"));
    command.args(["--addr", "127.0.0.1", "--port", &port.to_string()]);
    Ok(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(ALSO.map(PathBuf::from));
    folders.map(|folder| folder.join(PROGRAM)).find(|program| program.is_file())
}
