//! What the journal holds about gauges, incidents and settlements, and how it is read.

use alloy_primitives::{B256, Bytes, U256};
use breakwater_chain::Head;
use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::codec::{bytes, decimal, hash, integer, json, natural, number};
use crate::error::StoreError;
use crate::store::Store;

/// A gauge that is or was watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gauge {
    /// Its id, keccak of its spec.
    pub id: B256,
    /// The spec.
    pub spec: Value,
    /// Whether it is watched at present.
    pub watched: bool,
    /// First block at which it was watched.
    pub since_block: u64,
}

/// What a gauge read at a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The gauge.
    pub gauge: B256,
    /// Block number.
    pub block: u64,
    /// Block hash.
    pub block_hash: B256,
    /// The values read.
    pub data: Value,
    /// The proof of them, kept so that no archive node is needed later; may be empty.
    pub evidence: Bytes,
}

/// Where an incident stands, as the chain says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentStatus {
    /// Open to counter-evidence.
    Dwelling,
    /// Refuted for good.
    Voided,
    /// Final and to be settled.
    Final,
}

impl IncidentStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dwelling => "dwelling",
            Self::Voided => "voided",
            Self::Final => "final",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        let all = [Self::Dwelling, Self::Voided, Self::Final];
        let found = all.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| StoreError::damaged("status", text))
    }
}

/// An event that opened, changed or ended an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentEvent {
    /// Incident id.
    pub incident: U256,
    /// Block of the event.
    pub block: u64,
    /// Index of its log in the block.
    pub log_index: u64,
    /// The gauge.
    pub gauge: B256,
    /// Where the incident stands after it.
    pub status: IncidentStatus,
    /// What the event says.
    pub data: Value,
}

/// A policy that an incident touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Incident id.
    pub incident: U256,
    /// Policy id.
    pub policy: U256,
    /// What is needed to settle it.
    pub data: Value,
    /// Block at which it was found.
    pub due_block: u64,
    /// Block of the newest settlement and all that has been paid, once there is one.
    pub settled: Option<(u64, U256)>,
}

impl Store {
    /// The newest handled block.
    ///
    /// # Errors
    /// Database errors.
    pub async fn tip(&self) -> Result<Option<Head>, StoreError> {
        let row = sqlx::query("SELECT rlp, hash FROM heads ORDER BY number DESC LIMIT 1")
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(head_in).transpose()
    }

    /// The followed window, oldest first, to resume a [`breakwater_chain::Follower`] from.
    ///
    /// # Errors
    /// Database errors.
    pub async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        let rows = sqlx::query("SELECT rlp, hash FROM heads ORDER BY number").fetch_all(&self.pool).await?;
        rows.iter().map(head_in).collect()
    }

    /// All gauges that are watched at present, by id.
    ///
    /// # Errors
    /// Database errors.
    pub async fn watched(&self) -> Result<Vec<Gauge>, StoreError> {
        let rows =
            sqlx::query("SELECT id, spec, watched, since_block FROM gauges WHERE watched = 1 ORDER BY id")
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(gauge_in).collect()
    }

    /// A gauge by its id, watched or not.
    ///
    /// # Errors
    /// Database errors.
    pub async fn gauge(&self, id: B256) -> Result<Option<Gauge>, StoreError> {
        let row = sqlx::query("SELECT id, spec, watched, since_block FROM gauges WHERE id = ?")
            .bind(id.as_slice())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(gauge_in).transpose()
    }

    /// The newest reading of a gauge at or below a block.
    ///
    /// # Errors
    /// Database errors.
    pub async fn reading_at_or_before(&self, gauge: B256, block: u64) -> Result<Option<Reading>, StoreError> {
        let row = sqlx::query(
            "SELECT gauge, block, block_hash, data, evidence FROM readings
             WHERE gauge = ? AND block <= ? ORDER BY block DESC LIMIT 1",
        )
        .bind(gauge.as_slice())
        .bind(integer("block number", block.min(i64::MAX as u64))?)
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(reading_in).transpose()
    }

    /// The newest event of every incident, in the order of those events.
    ///
    /// # Errors
    /// Database errors.
    pub async fn incidents(&self) -> Result<Vec<IncidentEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT incident, block, log_index, gauge, status, data FROM incident_events AS event
             WHERE NOT EXISTS (
                 SELECT 1 FROM incident_events AS later
                 WHERE later.incident = event.incident
                   AND (later.block, later.log_index) > (event.block, event.log_index))
             ORDER BY block, log_index",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(incident_in).collect()
    }

    /// All events of an incident in chain order.
    ///
    /// # Errors
    /// Database errors.
    pub async fn incident_history(&self, incident: U256) -> Result<Vec<IncidentEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT incident, block, log_index, gauge, status, data FROM incident_events
             WHERE incident = ? ORDER BY block, log_index",
        )
        .bind(incident.to_string())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(incident_in).collect()
    }

    /// All policies recorded for an incident, in the order in which they were found.
    ///
    /// # Errors
    /// Database errors.
    pub async fn settlements(&self, incident: U256) -> Result<Vec<Settlement>, StoreError> {
        let rows = sqlx::query(
            "SELECT incident, policy, data, due_block, settled_block, paid FROM settlements
             WHERE incident = ? ORDER BY due_block, length(policy), policy",
        )
        .bind(incident.to_string())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(settlement_in).collect()
    }

    /// All policies that wait for their first settlement.
    ///
    /// # Errors
    /// Database errors.
    pub async fn unsettled(&self) -> Result<Vec<Settlement>, StoreError> {
        let rows = sqlx::query(
            "SELECT incident, policy, data, due_block, settled_block, paid FROM settlements
             WHERE settled_block IS NULL ORDER BY due_block, length(policy), policy",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(settlement_in).collect()
    }
}

fn head_in(row: &SqliteRow) -> Result<Head, StoreError> {
    let head = Head::from_rlp(bytes(row, "rlp")?).map_err(|lie| StoreError::damaged("header", lie))?;
    match head.hash() == hash(row, "hash")? {
        true => Ok(head),
        false => Err(StoreError::damaged("header", format!("it hashes to {}", head.hash()))),
    }
}

fn gauge_in(row: &SqliteRow) -> Result<Gauge, StoreError> {
    Ok(Gauge {
        id: hash(row, "id")?,
        spec: json(row, "spec")?,
        watched: row.try_get::<i64, _>("watched")? == 1,
        since_block: number(row, "since_block")?,
    })
}

fn reading_in(row: &SqliteRow) -> Result<Reading, StoreError> {
    Ok(Reading {
        gauge: hash(row, "gauge")?,
        block: number(row, "block")?,
        block_hash: hash(row, "block_hash")?,
        data: json(row, "data")?,
        evidence: bytes(row, "evidence")?,
    })
}

fn incident_in(row: &SqliteRow) -> Result<IncidentEvent, StoreError> {
    Ok(IncidentEvent {
        incident: decimal(row, "incident")?,
        block: number(row, "block")?,
        log_index: number(row, "log_index")?,
        gauge: hash(row, "gauge")?,
        status: IncidentStatus::parse(row.try_get("status")?)?,
        data: json(row, "data")?,
    })
}

fn settlement_in(row: &SqliteRow) -> Result<Settlement, StoreError> {
    let settled_block: Option<i64> = row.try_get("settled_block")?;
    let settled = match settled_block {
        Some(block) => Some((natural("settled_block", block)?, decimal(row, "paid")?)),
        None => None,
    };
    Ok(Settlement {
        incident: decimal(row, "incident")?,
        policy: decimal(row, "policy")?,
        data: json(row, "data")?,
        due_block: number(row, "due_block")?,
        settled,
    })
}
