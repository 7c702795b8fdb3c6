//! Actions: what is to be sent once, and every transaction that was signed for it.

use alloy_primitives::Address;
use breakwater_chain::{
    Action, ActionKey, ActionState, Attempt, Inclusion, Journal, JournalError, JournalRefusal,
};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, Transaction};

use crate::codec::{address, bytes, hash, integer, json, natural, number};
use crate::error::StoreError;
use crate::store::Store;

/// An action with what the keeper needs to know beside its transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRecord {
    /// Key, state and transactions.
    pub action: Action,
    /// What it was planned from; absent if it was sent without a plan.
    pub intent: Option<Value>,
    /// Newest block when it was planned or first signed.
    pub created_block: u64,
    /// Newest block when it last changed.
    pub updated_block: u64,
}

impl Store {
    /// Actions for which nothing has been signed yet, oldest first.
    ///
    /// # Errors
    /// Database errors.
    pub async fn planned(&self) -> Result<Vec<ActionRecord>, StoreError> {
        let rows = sqlx::query("SELECT * FROM actions WHERE state = 'planned' ORDER BY created_block, key")
            .fetch_all(&self.pool)
            .await?;
        self.records_in(rows).await
    }

    /// The actions that changed last, newest first, at most `limit`.
    ///
    /// # Errors
    /// Database errors.
    pub async fn recent_actions(&self, limit: u32) -> Result<Vec<ActionRecord>, StoreError> {
        let rows = sqlx::query("SELECT * FROM actions ORDER BY updated_block DESC, key LIMIT ?")
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        self.records_in(rows).await
    }

    /// One action with its plan.
    ///
    /// # Errors
    /// Database errors.
    pub async fn action_record(&self, key: &ActionKey) -> Result<Option<ActionRecord>, StoreError> {
        let rows = sqlx::query("SELECT * FROM actions WHERE key = ?")
            .bind(key.as_str())
            .fetch_all(&self.pool)
            .await?;
        Ok(self.records_in(rows).await?.pop())
    }

    async fn records_in(&self, rows: Vec<SqliteRow>) -> Result<Vec<ActionRecord>, StoreError> {
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            let key: String = row.try_get("key")?;
            let key = ActionKey::new(key).map_err(|error| StoreError::damaged("key", error))?;
            let intent: Option<String> = row.try_get("intent")?;
            let attempts = self.attempts(&key).await?;
            let last_error = row.try_get("last_error")?;
            records.push(ActionRecord {
                intent: intent.map(|_| json(&row, "intent")).transpose()?,
                created_block: number(&row, "created_block")?,
                updated_block: number(&row, "updated_block")?,
                action: Action { key, state: state_in(&row)?, attempts, last_error },
            });
        }
        Ok(records)
    }

    async fn attempts(&self, key: &ActionKey) -> Result<Vec<Attempt>, StoreError> {
        let rows = sqlx::query("SELECT * FROM attempts WHERE action = ? ORDER BY number")
            .bind(key.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(attempt_in).collect()
    }

    async fn in_flight_records(&self, from: Address) -> Result<Vec<Action>, StoreError> {
        let rows = sqlx::query(
            "SELECT actions.* FROM actions
             JOIN attempts ON attempts.action = actions.key
             WHERE actions.state IN ('signed', 'mined') AND attempts.sender = ?
               AND attempts.number = (SELECT max(number) FROM attempts AS other WHERE other.action = actions.key)
             ORDER BY attempts.nonce",
        )
        .bind(from.as_slice())
        .fetch_all(&self.pool)
        .await?;
        Ok(self.records_in(rows).await?.into_iter().map(|record| record.action).collect())
    }

    async fn next_nonce_of(&self, from: Address) -> Result<Option<u64>, StoreError> {
        let highest: Option<i64> = sqlx::query_scalar("SELECT max(nonce) FROM nonces WHERE sender = ?")
            .bind(from.as_slice())
            .fetch_one(&self.pool)
            .await?;
        highest.map(|highest| Ok(natural("nonce", highest)?.saturating_add(1))).transpose()
    }

    async fn record_attempt(&self, key: &ActionKey, attempt: &Attempt) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let at_block = integer("block number", attempt.at_block)?;
        sqlx::query(
            "INSERT INTO actions (key, state, created_block, updated_block) VALUES (?, 'planned', ?, ?)
             ON CONFLICT (key) DO NOTHING",
        )
        .bind(key.as_str())
        .bind(at_block)
        .bind(at_block)
        .execute(&mut *tx)
        .await?;
        own_nonce(&mut tx, key, attempt).await?;
        check_number(&mut tx, key, attempt).await?;
        sqlx::query(
            "INSERT INTO attempts (action, number, sender, nonce, tx_hash, raw, at_block)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(key.as_str())
        .bind(attempt.number)
        .bind(attempt.from.as_slice())
        .bind(integer("nonce", attempt.nonce)?)
        .bind(attempt.tx_hash.as_slice())
        .bind(attempt.raw.as_ref())
        .bind(at_block)
        .execute(&mut *tx)
        .await?;
        write_state(&mut tx, key, &ActionState::Signed, attempt.at_block).await?;
        Ok(tx.commit().await?)
    }

    async fn write(&self, key: &ActionKey, state: &ActionState, block: u64) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        write_state(&mut tx, key, state, block).await?;
        Ok(tx.commit().await?)
    }

    async fn write_error(&self, key: &ActionKey, error: &str, block: u64) -> Result<(), StoreError> {
        let done = sqlx::query("UPDATE actions SET last_error = ?, updated_block = ? WHERE key = ?")
            .bind(error)
            .bind(integer("block number", block)?)
            .bind(key.as_str())
            .execute(&self.pool)
            .await?;
        match done.rows_affected() {
            0 => Err(JournalRefusal::Unknown(key.clone()).into()),
            _ => Ok(()),
        }
    }
}

impl Journal for Store {
    async fn action(&self, key: &ActionKey) -> Result<Option<Action>, JournalError> {
        Ok(self.action_record(key).await?.map(|record| record.action))
    }

    async fn in_flight(&self, from: Address) -> Result<Vec<Action>, JournalError> {
        Ok(self.in_flight_records(from).await?)
    }

    async fn next_nonce(&self, from: Address) -> Result<Option<u64>, JournalError> {
        Ok(self.next_nonce_of(from).await?)
    }

    async fn record(&self, key: &ActionKey, attempt: &Attempt) -> Result<(), JournalError> {
        Ok(self.record_attempt(key, attempt).await?)
    }

    async fn set_state(
        &self,
        key: &ActionKey,
        state: &ActionState,
        at_block: u64,
    ) -> Result<(), JournalError> {
        Ok(self.write(key, state, at_block).await?)
    }

    async fn note_error(&self, key: &ActionKey, error: &str, at_block: u64) -> Result<(), JournalError> {
        Ok(self.write_error(key, error, at_block).await?)
    }
}

async fn own_nonce(
    tx: &mut Transaction<'static, Sqlite>,
    key: &ActionKey,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    let nonce = integer("nonce", attempt.nonce)?;
    sqlx::query("INSERT INTO nonces (sender, nonce, action) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(attempt.from.as_slice())
        .bind(nonce)
        .bind(key.as_str())
        .execute(&mut **tx)
        .await?;
    let owner: String = sqlx::query_scalar("SELECT action FROM nonces WHERE sender = ? AND nonce = ?")
        .bind(attempt.from.as_slice())
        .bind(nonce)
        .fetch_one(&mut **tx)
        .await?;
    if owner == key.as_str() {
        return Ok(());
    }
    let owner = ActionKey::new(owner).map_err(|error| StoreError::damaged("key", error))?;
    Err(JournalRefusal::NonceOwned { nonce: attempt.nonce, owner, key: key.clone() }.into())
}

async fn check_number(
    tx: &mut Transaction<'static, Sqlite>,
    key: &ActionKey,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    let last: i64 = sqlx::query_scalar("SELECT coalesce(max(number), 0) FROM attempts WHERE action = ?")
        .bind(key.as_str())
        .fetch_one(&mut **tx)
        .await?;
    let expected = u32::try_from(last).unwrap_or(u32::MAX).saturating_add(1);
    match attempt.number == expected {
        true => Ok(()),
        false => {
            let got = attempt.number;
            Err(JournalRefusal::AttemptNumber { key: key.clone(), expected, got }.into())
        }
    }
}

async fn write_state(
    tx: &mut Transaction<'static, Sqlite>,
    key: &ActionKey,
    state: &ActionState,
    block: u64,
) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT * FROM actions WHERE key = ?")
        .bind(key.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    let old = state_in(&row.ok_or_else(|| JournalRefusal::Unknown(key.clone()))?)?;
    if old.is_over() && old != *state {
        return Err(JournalRefusal::Over { key: key.clone() }.into());
    }
    let (name, inclusion, reason) = match state {
        ActionState::Planned => ("planned", None, None),
        ActionState::Signed => ("signed", None, None),
        ActionState::Mined(inclusion) => ("mined", Some(inclusion), None),
        ActionState::Final(inclusion) => ("final", Some(inclusion), None),
        ActionState::Failed(reason) => ("failed", None, Some(reason)),
    };
    let included_at = inclusion.map(|at| integer("block number", at.block_number)).transpose()?;
    sqlx::query(
        "UPDATE actions SET state = ?, reason = ?, tx_hash = ?, block = ?, block_hash = ?, success = ?,
         updated_block = ? WHERE key = ?",
    )
    .bind(name)
    .bind(reason)
    .bind(inclusion.map(|at| at.tx_hash.to_vec()))
    .bind(included_at)
    .bind(inclusion.map(|at| at.block_hash.to_vec()))
    .bind(inclusion.map(|at| at.success))
    .bind(integer("block number", block)?)
    .bind(key.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn state_in(row: &SqliteRow) -> Result<ActionState, StoreError> {
    let inclusion = || {
        Ok::<_, StoreError>(Inclusion {
            tx_hash: hash(row, "tx_hash")?,
            block_number: number(row, "block")?,
            block_hash: hash(row, "block_hash")?,
            success: row.try_get::<i64, _>("success")? == 1,
        })
    };
    match row.try_get("state")? {
        "planned" => Ok(ActionState::Planned),
        "signed" => Ok(ActionState::Signed),
        "mined" => Ok(ActionState::Mined(inclusion()?)),
        "final" => Ok(ActionState::Final(inclusion()?)),
        "failed" => Ok(ActionState::Failed(row.try_get("reason")?)),
        other => Err(StoreError::damaged("state", other)),
    }
}

fn attempt_in(row: &SqliteRow) -> Result<Attempt, StoreError> {
    let number = row.try_get::<i64, _>("number")?;
    Ok(Attempt {
        number: u32::try_from(number).map_err(|error| StoreError::damaged("number", error))?,
        from: address(row, "sender")?,
        nonce: crate::codec::number(row, "nonce")?,
        tx_hash: hash(row, "tx_hash")?,
        raw: bytes(row, "raw")?,
        at_block: crate::codec::number(row, "at_block")?,
    })
}
