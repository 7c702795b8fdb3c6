//! Values with their past.

use alloy_primitives::U256;

/// A value that remembers what it was at every earlier key.
///
/// Keys are seconds or blocks and never fall; several changes at one key leave the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    points: Vec<(u64, U256)>,
}

impl Trace {
    /// The value now.
    pub fn latest(&self) -> U256 {
        self.points.last().map_or(U256::ZERO, |(_, value)| *value)
    }

    /// The value at the end of `key`, zero before the first.
    pub fn at(&self, key: u64) -> U256 {
        let after = self.points.partition_point(|(at, _)| *at <= key);
        after.checked_sub(1).map_or(U256::ZERO, |last| self.points[last].1)
    }

    /// Sets the value from `key` on. A key before the last one counts as the last one.
    pub fn set(&mut self, key: u64, value: U256) {
        match self.points.last_mut() {
            Some((at, last)) if *at >= key => *last = value,
            Some((_, last)) if *last == value => {}
            _ => self.points.push((key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_the_past() {
        let mut trace = Trace::default();
        assert_eq!(trace.at(9), U256::ZERO);
        trace.set(10, U256::from(1));
        trace.set(10, U256::from(2));
        trace.set(20, U256::from(5));
        assert_eq!(trace.at(9), U256::ZERO);
        assert_eq!(trace.at(10), U256::from(2));
        assert_eq!(trace.at(19), U256::from(2));
        assert_eq!(trace.at(u64::MAX), U256::from(5));
        assert_eq!(trace.latest(), U256::from(5));
    }
}
