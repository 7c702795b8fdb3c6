//! From readings to the protocol's arithmetic, which says what was lost: `breakwater_policy::measure`.

use super::{Form, GaugeSpec, Reading, SpecError};
use alloy::primitives::{B256, keccak256};
use alloy::sol_types::SolValue;
use breakwater_bindings::gauges;
use breakwater_policy::measure::{self, Health};
use breakwater_policy::terms;
use breakwater_primitives::{Block, Time, Wad};

impl GaugeSpec {
    /// The numbers of the gauge that a loss depends on.
    ///
    /// # Errors
    /// [`SpecError::Enum`] if the form is none.
    pub fn health(&self) -> Result<Health, SpecError> {
        let form = match self.form {
            Form::Ratio => terms::Form::Ratio,
            Form::Par => terms::Form::Par,
            Form::Enumerated => terms::Form::Enumerated,
            Form::Geometric => terms::Form::Geometric,
            Form::__Invalid => return Err(SpecError::Enum("form")),
        };
        Ok(Health {
            form,
            threshold: Wad::new(self.threshold),
            growth: Wad::new(self.growth),
            pinned_at: Time(self.pinned_at),
            floor: self.floor,
            assets0: self.assets0,
            shares0: self.shares0,
        })
    }
}

impl From<&Reading> for measure::Reading {
    fn from(reading: &Reading) -> Self {
        Self {
            number: Block(reading.number),
            time: Time(reading.time),
            assets: reading.assets,
            claims: reading.claims,
        }
    }
}

impl From<&Reading> for gauges::Reading {
    fn from(reading: &Reading) -> Self {
        Self {
            number: reading.number,
            time: reading.time,
            assets: reading.assets,
            claims: reading.claims,
            holders: reading.holders,
        }
    }
}

/// The evidence hash of a measurement: whoever reads the same two blocks arrives at it.
pub fn evidence_hash(onset: &Reading, reading: &Reading) -> B256 {
    keccak256((gauges::Reading::from(onset), gauges::Reading::from(reading)).abi_encode_params())
}
