//! Draws from a finite law in constant time (Walker 1977, Vose 1991).

/// An alias table over `0..weights.len()`, its length rounded up to a power of two.
#[derive(Clone, Debug)]
pub struct Alias {
    /// Threshold in the upper half, alias in the lower; a column's own index is its place.
    columns: Vec<u64>,
    column_bits: u32,
}

impl Alias {
    /// The table of these weights, at least 0, at least one above 0, at most 2^20 of them.
    pub fn new(weights: &[f64]) -> Self {
        Self::of_size(weights, weights.len().next_power_of_two().max(2))
    }

    /// The table of these weights with `size` columns: a power of two, at least as many as weights.
    pub fn of_size(weights: &[f64], size: usize) -> Self {
        let total = weights.iter().fold(0.0, |sum, w| sum + w);
        // Columns beyond the weights own nothing and point elsewhere.
        let mut left: Vec<f64> =
            (0..size).map(|i| weights.get(i).map_or(0.0, |w| w / total * size as f64)).collect();
        let mut alias: Vec<usize> = (0..size).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..size).partition(|&i| left[i] < 1.0);
        while let (Some(&s), Some(&l)) = (small.last(), large.last()) {
            small.pop();
            alias[s] = l;
            left[l] -= 1.0 - left[s];
            if left[l] < 1.0 {
                large.pop();
                small.push(l);
            }
        }
        // What rounding leaves over is a full column. A column without weight must not become one.
        let heaviest = (0..weights.len()).max_by(|&a, &b| weights[a].total_cmp(&weights[b])).unwrap_or(0);
        for &i in small.iter().chain(&large) {
            left[i] = 1.0;
            if weights.get(i).is_none_or(|&w| w == 0.0) {
                left[i] = 0.0;
                alias[i] = heaviest;
            }
        }
        let columns = (0..size)
            .map(|i| {
                let threshold = (left[i] * 4_294_967_296.0).min(4_294_967_295.0) as u64;
                // A full column points at itself, so that the last 2^-32 of it goes to itself too.
                let other = if left[i] >= 1.0 { i } else { alias[i] };
                threshold << 32 | other as u64
            })
            .collect();
        Self { columns, column_bits: size.trailing_zeros() }
    }

    /// The columns themselves: threshold in the upper half, alias in the lower; a power of two of them.
    pub fn columns(&self) -> &[u64] {
        &self.columns
    }

    /// The index that 32 random bits draw: the upper ones choose the column, the rest decide between it and its alias.
    ///
    /// A table of `2^b` columns decides with `32 - b` bits, so an index's probability is right to `2^-32`.
    #[inline(always)]
    pub fn draw(&self, bits: u32) -> u32 {
        let column = (u64::from(bits) << self.column_bits >> 32) as usize & (self.columns.len() - 1);
        let entry = self.columns[column];
        let decides = bits << self.column_bits;
        if u64::from(decides) < entry >> 32 { column as u32 } else { entry as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    #[test]
    fn draws_follow_the_weights() {
        let weights = [0.0, 0.5, 3.0, 0.0, 1.5, 0.001, 5.0];
        let table = Alias::new(&weights);
        let mut stream = Stream::new(7, Purpose::Flat, 0);
        let mut seen = [0u32; 7];
        let n = 4_000_000;
        for _ in 0..n {
            seen[table.draw(stream.word() as u32) as usize] += 1;
        }
        let total: f64 = weights.iter().sum();
        for (i, &w) in weights.iter().enumerate() {
            let p = w / total;
            let sd = (p * (1.0 - p) / f64::from(n)).sqrt();
            assert!((f64::from(seen[i]) / f64::from(n) - p).abs() <= 5.0 * sd, "{i}: {} of {p}", seen[i]);
        }
    }

    #[test]
    fn one_weight_is_always_drawn() {
        let table = Alias::new(&[2.0]);
        let mut stream = Stream::new(7, Purpose::Flat, 1);
        assert!((0..10_000).all(|_| table.draw(stream.word() as u32) == 0));
    }
}
