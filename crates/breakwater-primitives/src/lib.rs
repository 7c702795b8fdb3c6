//! Units, time and rounding shared by every Breakwater crate; no I/O.
//!
//! The key decision: a quotient is never written with `/`.
//! [`mul_div_floor`] and [`mul_div_ceil`] name their direction and keep the whole 512-bit product, so that the
//! order of multiplication and division cannot lose a unit and cannot overflow on the way.
//!
//! ```
//! use alloy_primitives::U256;
//! use breakwater_primitives::{Bps, mul_div_ceil, mul_div_floor};
//!
//! let (ten, three, four) = (U256::from(10), U256::from(3), U256::from(4));
//! assert_eq!(mul_div_floor(ten, three, four)?, U256::from(7));
//! assert_eq!(mul_div_ceil(ten, three, four)?, U256::from(8));
//! assert_eq!(Bps::new(250).floor_of(1_001)?, 25);
//! # Ok::<(), breakwater_primitives::MathError>(())
//! ```

mod math;
mod time;
mod units;

pub use math::{MathError, U256Ext, mul_div_ceil, mul_div_floor, sqrt_floor};
pub use time::{Block, DAY, Time, YEAR};
pub use units::{BPS, Bps, SHARE_OFFSET, WAD, Wad};
