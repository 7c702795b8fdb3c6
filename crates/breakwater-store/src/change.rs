//! Writing what a block taught, all of it or nothing.

use alloy_primitives::{B256, U256};
use breakwater_chain::{ActionKey, Head, WINDOW_BLOCKS};
use serde_json::Value;
use sqlx::{Sqlite, Transaction};

use crate::codec::{hash, integer, natural, number};
use crate::error::StoreError;
use crate::records::{IncidentEvent, Reading};
use crate::store::Store;

/// One transaction on the journal, dropped without effect unless committed.
///
/// The keeper handles a block by one change: it follows the block, records what it saw there
/// and plans what to do about it.
/// After a crash either all of that is known, or the block is handled again from the start;
/// no plan is lost between the two.
#[derive(Debug)]
pub struct Change {
    tx: Transaction<'static, Sqlite>,
}

impl Store {
    /// Begins a change, waiting for another one to end.
    ///
    /// # Errors
    /// Database errors.
    pub async fn change(&self) -> Result<Change, StoreError> {
        // A transaction that begins by reading could find itself unable to write later.
        Ok(Change { tx: self.pool.begin_with("BEGIN IMMEDIATE").await? })
    }
}

impl Change {
    /// Makes the change durable.
    ///
    /// # Errors
    /// Database errors; nothing has happened then.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }

    /// Records the block from which a fresh journal starts; it counts as handled.
    ///
    /// # Errors
    /// [`StoreError::AlreadyStarted`].
    pub async fn start_at(&mut self, head: &Head) -> Result<(), StoreError> {
        let first: Option<i64> =
            sqlx::query_scalar("SELECT min(number) FROM heads").fetch_one(&mut *self.tx).await?;
        match first {
            Some(first) => Err(StoreError::AlreadyStarted { first: natural("block number", first)? }),
            None => self.insert_head(head).await,
        }
    }

    /// Records the next block as handled and forgets what lies below the followed window.
    ///
    /// # Errors
    /// [`StoreError::NotLinked`] unless its parent is the newest recorded block.
    pub async fn follow(&mut self, head: &Head) -> Result<(), StoreError> {
        let tip = sqlx::query("SELECT number, hash FROM heads ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *self.tx)
            .await?;
        let (tip, above) = match &tip {
            Some(row) => (hash(row, "hash")?, number(row, "number")?.checked_add(1)),
            None => (B256::ZERO, None),
        };
        if head.parent_hash() != tip || above != Some(head.number()) {
            let (number, got) = (head.number(), head.parent_hash());
            return Err(StoreError::NotLinked { number, expected: tip, got });
        }
        self.insert_head(head).await?;
        self.forget_below(head.number().saturating_sub(WINDOW_BLOCKS as u64 - 1)).await
    }

    /// Goes back to a followed block: later blocks, readings, incident events, debts and
    /// settlements are taken back, and so are plans for which nothing has been signed.
    /// A plan that was abandoned in a dropped block is a plan again, since its reason is gone.
    ///
    /// Signed actions stay, since their transactions are out; the sender follows them up.
    ///
    /// # Errors
    /// [`StoreError::NotFollowed`].
    pub async fn roll_back_to(&mut self, ancestor: &Head) -> Result<(), StoreError> {
        let above = integer("block number", ancestor.number())?;
        let known: Option<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM heads WHERE number = ?")
            .bind(above)
            .fetch_optional(&mut *self.tx)
            .await?;
        if known.as_deref() != Some(ancestor.hash().as_slice()) {
            return Err(StoreError::NotFollowed { number: ancestor.number(), hash: ancestor.hash() });
        }
        const UNDO: [&str; 7] = [
            "DELETE FROM heads WHERE number > ?",
            "DELETE FROM readings WHERE block > ?",
            "DELETE FROM incident_events WHERE block > ?",
            "DELETE FROM settlements WHERE due_block > ?",
            "UPDATE settlements SET settled_block = NULL, paid = NULL WHERE settled_block > ?",
            "DELETE FROM actions WHERE created_block > ?
             AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.action = actions.key)",
            "UPDATE actions SET state = 'planned', reason = NULL WHERE state = 'failed' AND updated_block > ?
             AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.action = actions.key)",
        ];
        for statement in UNDO {
            sqlx::query(statement).bind(above).execute(&mut *self.tx).await?;
        }
        Ok(())
    }

    /// Watches a gauge from a block on; a gauge once known keeps its spec.
    ///
    /// # Errors
    /// Database errors.
    pub async fn watch(&mut self, gauge: B256, spec: &Value, block: u64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO gauges (id, spec, watched, since_block) VALUES (?, ?, 1, ?)
             ON CONFLICT (id) DO UPDATE SET watched = 1",
        )
        .bind(gauge.as_slice())
        .bind(spec.to_string())
        .bind(integer("block number", block)?)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Stops watching a gauge; what is known about it stays.
    ///
    /// # Errors
    /// [`StoreError::UnknownGauge`].
    pub async fn unwatch(&mut self, gauge: B256) -> Result<(), StoreError> {
        let done = sqlx::query("UPDATE gauges SET watched = 0 WHERE id = ?")
            .bind(gauge.as_slice())
            .execute(&mut *self.tx)
            .await?;
        match done.rows_affected() {
            0 => Err(StoreError::UnknownGauge(gauge)),
            _ => Ok(()),
        }
    }

    /// Keeps what a gauge read at a block, with the proof of it.
    ///
    /// # Errors
    /// [`StoreError::UnknownGauge`].
    pub async fn reading(&mut self, reading: &Reading) -> Result<(), StoreError> {
        let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM gauges WHERE id = ?")
            .bind(reading.gauge.as_slice())
            .fetch_optional(&mut *self.tx)
            .await?;
        known.ok_or(StoreError::UnknownGauge(reading.gauge))?;
        sqlx::query(
            "INSERT OR REPLACE INTO readings (gauge, block, block_hash, data, evidence) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(reading.gauge.as_slice())
        .bind(integer("block number", reading.block)?)
        .bind(reading.block_hash.as_slice())
        .bind(reading.data.to_string())
        .bind(reading.evidence.as_ref())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Plans an action unless its key is known; whether it is new.
    ///
    /// `intent` is what is needed to build the transaction later.
    ///
    /// # Errors
    /// Database errors.
    pub async fn plan(&mut self, key: &ActionKey, intent: &Value, block: u64) -> Result<bool, StoreError> {
        let block = integer("block number", block)?;
        let done = sqlx::query(
            "INSERT INTO actions (key, intent, state, created_block, updated_block)
             VALUES (?, ?, 'planned', ?, ?) ON CONFLICT (key) DO NOTHING",
        )
        .bind(key.as_str())
        .bind(intent.to_string())
        .bind(block)
        .bind(block)
        .execute(&mut *self.tx)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Gives up a planned action for good, as when somebody else did it first.
    ///
    /// # Errors
    /// [`StoreError::NotPlanned`] once anything has been signed for it.
    pub async fn abandon(&mut self, key: &ActionKey, reason: &str, block: u64) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE actions SET state = 'failed', reason = ?, updated_block = ? WHERE key = ? AND state = 'planned'",
        )
        .bind(reason)
        .bind(integer("block number", block)?)
        .bind(key.as_str())
        .execute(&mut *self.tx)
        .await?;
        if done.rows_affected() > 0 {
            return Ok(());
        }
        let state: Option<String> = sqlx::query_scalar("SELECT state FROM actions WHERE key = ?")
            .bind(key.as_str())
            .fetch_optional(&mut *self.tx)
            .await?;
        let state = state.unwrap_or_else(|| "unknown".to_owned());
        Err(StoreError::NotPlanned { key: key.clone(), state })
    }

    /// Records an event of an incident; the same event again changes nothing.
    ///
    /// # Errors
    /// Database errors.
    pub async fn incident_event(&mut self, event: &IncidentEvent) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO incident_events (incident, block, log_index, gauge, status, data)
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (block, log_index) DO NOTHING",
        )
        .bind(event.incident.to_string())
        .bind(integer("block number", event.block)?)
        .bind(integer("log index", event.log_index)?)
        .bind(event.gauge.as_slice())
        .bind(event.status.as_str())
        .bind(event.data.to_string())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Records that a policy is to be settled for an incident, unless that is known; whether it is new.
    ///
    /// # Errors
    /// Database errors.
    pub async fn owe(
        &mut self,
        incident: U256,
        policy: U256,
        data: &Value,
        block: u64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO settlements (incident, policy, data, due_block) VALUES (?, ?, ?, ?)
             ON CONFLICT (incident, policy) DO NOTHING",
        )
        .bind(incident.to_string())
        .bind(policy.to_string())
        .bind(data.to_string())
        .bind(integer("block number", block)?)
        .execute(&mut *self.tx)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Records a settlement seen on the chain and all that has been paid by it so far,
    /// in the token's own decimals.
    ///
    /// # Errors
    /// [`StoreError::UnknownSettlement`].
    pub async fn settled(
        &mut self,
        incident: U256,
        policy: U256,
        paid: U256,
        block: u64,
    ) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE settlements SET settled_block = ?, paid = ? WHERE incident = ? AND policy = ?",
        )
        .bind(integer("block number", block)?)
        .bind(paid.to_string())
        .bind(incident.to_string())
        .bind(policy.to_string())
        .execute(&mut *self.tx)
        .await?;
        match done.rows_affected() {
            0 => {
                let (incident, policy) = (incident.to_string(), policy.to_string());
                Err(StoreError::UnknownSettlement { incident, policy })
            }
            _ => Ok(()),
        }
    }

    async fn insert_head(&mut self, head: &Head) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO heads (number, hash, rlp) VALUES (?, ?, ?)")
            .bind(integer("block number", head.number())?)
            .bind(head.hash().as_slice())
            .bind(head.rlp().as_ref())
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    async fn forget_below(&mut self, oldest: u64) -> Result<(), StoreError> {
        let oldest = integer("block number", oldest)?;
        sqlx::query("DELETE FROM heads WHERE number < ?").bind(oldest).execute(&mut *self.tx).await?;
        sqlx::query(
            "DELETE FROM readings WHERE block < ?
             AND block < (SELECT max(newest.block) FROM readings AS newest WHERE newest.gauge = readings.gauge)",
        )
        .bind(oldest)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}
