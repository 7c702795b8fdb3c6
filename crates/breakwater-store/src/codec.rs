//! Between the database's types and the chain's; every stored value is checked when read.

use alloy_primitives::{Address, B256, Bytes, U256};
use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::error::StoreError;

/// SQLite's integers are signed.
pub(crate) fn integer(what: &'static str, number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::OutOfRange { what, got: number })
}

pub(crate) fn number(row: &SqliteRow, column: &'static str) -> Result<u64, StoreError> {
    natural(column, row.try_get(column)?)
}

pub(crate) fn natural(what: &'static str, stored: i64) -> Result<u64, StoreError> {
    u64::try_from(stored).map_err(|error| StoreError::damaged(what, error))
}

pub(crate) fn hash(row: &SqliteRow, column: &'static str) -> Result<B256, StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    B256::try_from(bytes.as_slice()).map_err(|error| StoreError::damaged(column, error))
}

pub(crate) fn address(row: &SqliteRow, column: &'static str) -> Result<Address, StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    Address::try_from(bytes.as_slice()).map_err(|error| StoreError::damaged(column, error))
}

pub(crate) fn bytes(row: &SqliteRow, column: &'static str) -> Result<Bytes, StoreError> {
    Ok(row.try_get::<Vec<u8>, _>(column)?.into())
}

/// 256-bit numbers are kept as decimal text.
pub(crate) fn decimal(row: &SqliteRow, column: &'static str) -> Result<U256, StoreError> {
    let text: String = row.try_get(column)?;
    U256::from_str_radix(&text, 10).map_err(|error| StoreError::damaged(column, error))
}

pub(crate) fn json(row: &SqliteRow, column: &'static str) -> Result<Value, StoreError> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|error| StoreError::damaged(column, error))
}
