//! Files that are whole or not there.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::MORE;
use crate::failure::Failure;

/// A file being written. Until it is kept, its name holds what it held before; if it is dropped, nothing is left.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    to: BufWriter<Target>,
}

#[derive(Debug)]
enum Target {
    /// Written beside its name, and renamed to it at the end.
    Beside(NamedTempFile),
    /// A pipe or a device: there is nothing to rename.
    Direct(File),
}

impl Output {
    /// Opens a file to write.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let special = std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir());
        let target = if special {
            File::options().write(true).open(path).map(Target::Direct)
        } else {
            beside(path).map(Target::Beside)
        };
        let target = target.map_err(|error| unwritten(path, &error))?;
        Ok(Self { path: path.to_owned(), to: BufWriter::with_capacity(1 << 18, target) })
    }

    /// Writes what is still held back and gives the file its name.
    pub(crate) fn keep(self) -> Result<(), Failure> {
        let Self { path, to } = self;
        let target = to.into_inner().map_err(|error| unwritten(&path, error.error()))?;
        if let Target::Beside(file) = target {
            file.persist(&path).map_err(|error| unwritten(&path, &error.error))?;
        }
        Ok(())
    }

    /// Its name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Beside(file) => file.write(bytes),
            Self::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Beside(file) => file.flush(),
            Self::Direct(file) => file.flush(),
        }
    }
}

/// The failure of a file that cannot be written.
pub(crate) fn unwritten(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("cannot write {}: {error}", path.display()))
        .right("a file in a folder that exists, can be written to and has room; nothing was left there")
        .more(MORE)
}

fn beside(path: &Path) -> io::Result<NamedTempFile> {
    if path.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(name).suffix(".part");
    // As any new file: the process's mask decides who may read it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // The library puts the path of its own file beside the system's words; the caller knows another name.
    builder.tempfile_in(folder).map_err(|error| {
        let words = error.to_string();
        io::Error::other(words.split(" at path ").next().unwrap_or(&words).to_owned())
    })
}
