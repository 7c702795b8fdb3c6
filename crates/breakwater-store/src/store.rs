//! Opening the journal: schema, ownership, and that only one keeper has it.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alloy_primitives::{Address, B256};
use sqlx::SqlitePool;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};

use crate::codec::{address, hash, integer, number};
use crate::error::StoreError;

/// How long a statement waits for another connection's write.
const BUSY_MAX: Duration = Duration::from_secs(10);

/// One connection writes at a time; the others read beside it.
const CONNECTIONS: u32 = 4;

/// What a journal belongs to; a mix-up would settle one deployment by another's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Chain id.
    pub chain_id: u64,
    /// Hash of the chain's first block, which tells a restarted test chain from the old one.
    pub genesis: B256,
    /// Address of the deployment's incidents contract.
    pub deployment: Address,
}

/// The keeper's journal.
///
/// Reads may run at any time; writes go through [`Store::change`], which is one transaction,
/// and through the [`breakwater_chain::Journal`] methods, each of which is one.
/// A write has reached the disk when it returns.
#[derive(Debug)]
pub struct Store {
    pub(crate) pool: SqlitePool,
    // Held for its lock, which ends with the process however that ends.
    _lock: Option<File>,
}

impl Store {
    /// Opens or creates the journal for its one keeper.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another process or handle has it,
    /// [`StoreError::WrongIdentity`] for a journal of something else, and database errors.
    pub async fn open(path: &Path, identity: Identity) -> Result<Self, StoreError> {
        let lock = take_lock(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // With less, a power cut could forget a transaction that was broadcast after it.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_MAX);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        sqlx::migrate!().run(&pool).await?;
        let store = Self { pool, _lock: Some(lock) };
        store.claim(identity).await?;
        Ok(store)
    }

    /// Opens an existing journal for reading beside its keeper; every write fails.
    ///
    /// # Errors
    /// Database errors, such as for a missing file.
    pub async fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_MAX);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        Ok(Self { pool, _lock: None })
    }

    /// What the journal belongs to.
    ///
    /// # Errors
    /// Database errors.
    pub async fn identity(&self) -> Result<Identity, StoreError> {
        let row =
            sqlx::query("SELECT chain_id, genesis, deployment FROM identity").fetch_one(&self.pool).await?;
        identity_in(&row)
    }

    /// Closes all connections and releases the lock; dropping the store does so a little later.
    pub async fn close(self) {
        self.pool.close().await;
    }

    async fn claim(&self, wanted: Identity) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO identity (one, chain_id, genesis, deployment) VALUES (1, ?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(integer("chain id", wanted.chain_id)?)
            .bind(wanted.genesis.as_slice())
            .bind(wanted.deployment.as_slice())
            .execute(&self.pool)
            .await?;
        let found = self.identity().await?;
        let differs = |what, expected: String, got: String| {
            if expected == got { Ok(()) } else { Err(StoreError::WrongIdentity { what, expected, got }) }
        };
        differs("chain", wanted.chain_id.to_string(), found.chain_id.to_string())?;
        differs("first block", wanted.genesis.to_string(), found.genesis.to_string())?;
        differs("deployment", wanted.deployment.to_string(), found.deployment.to_string())
    }
}

fn identity_in(row: &SqliteRow) -> Result<Identity, StoreError> {
    Ok(Identity {
        chain_id: number(row, "chain_id")?,
        genesis: hash(row, "genesis")?,
        deployment: address(row, "deployment")?,
    })
}

/// The lock is on a file of its own, since SQLite's locks come and go with each transaction.
fn take_lock(journal: &Path) -> Result<File, StoreError> {
    let path = lock_path(journal);
    let fail = |source| StoreError::File { path: path.clone(), source };
    // What the present holder wrote must survive a vain attempt.
    let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The text is only for the message, and an unreadable one changes nothing.
            let _ = file.read_to_string(&mut holder);
            return Err(StoreError::Locked { path, holder: holder.trim().to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(fail(source)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(fail)?;
    writeln!(file, "process {}", std::process::id()).map_err(fail)?;
    Ok(file)
}

fn lock_path(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
