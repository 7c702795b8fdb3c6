//! Laws on the points `0, h, 2h, …` and what is read from them.

/// What a cumulated probability may lack of a level and still reach it: the noise of a transform.
const NOISE: f64 = 1e-12;

/// A law on `0, step, 2 step, …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lattice {
    step: f64,
    masses: Vec<f64>,
}

impl Lattice {
    /// A law from the masses of its points.
    ///
    /// A transform leaves noise of about 1e-17 of either sign; it stays, for dropping the negative half would push the
    /// mean up.
    pub fn new(step: f64, masses: Vec<f64>) -> Self {
        Self { step, masses }
    }

    /// Distance between neighbouring points.
    pub fn step(&self) -> f64 {
        self.step
    }

    /// Probability of each point.
    pub fn masses(&self) -> &[f64] {
        &self.masses
    }

    /// The value of a point.
    pub fn value(&self, index: usize) -> f64 {
        index as f64 * self.step
    }

    /// `E[f(X)]`.
    pub fn expect(&self, f: impl Fn(f64) -> f64) -> f64 {
        self.masses.iter().enumerate().map(|(index, mass)| mass * f(self.value(index))).sum()
    }

    /// `E[X]`.
    pub fn mean(&self) -> f64 {
        self.expect(|x| x)
    }

    /// Standard deviation.
    pub fn sd(&self) -> f64 {
        let mean = self.mean();
        self.expect(|x| (x - mean) * (x - mean)).max(0.0).sqrt()
    }

    /// `P(X > x)`.
    pub fn survival(&self, x: f64) -> f64 {
        if x < 0.0 {
            return 1.0;
        }
        // What is on a point up to a billionth of a step counts as on it.
        let first = (x / self.step + 1e-9).floor() + 1.0;
        if first >= self.masses.len() as f64 {
            return 0.0;
        }
        self.masses[first as usize..].iter().rev().sum::<f64>().clamp(0.0, 1.0)
    }

    /// The smallest point with `P(X <= x) >= level`, its index.
    pub fn quantile_index(&self, level: f64) -> usize {
        let mut sum = 0.0;
        for (index, mass) in self.masses.iter().enumerate() {
            sum += mass;
            if sum >= level - NOISE {
                return index;
            }
        }
        self.masses.len().saturating_sub(1)
    }

    /// The smallest `x` with `P(X <= x) >= level`.
    pub fn var(&self, level: f64) -> f64 {
        self.value(self.quantile_index(level))
    }

    /// The mean of the worst `1 - level` of outcomes, an atom on the quantile split.
    pub fn tvar(&self, level: f64) -> f64 {
        let tail = Tail::new(self, level);
        let above = (tail.index + 1..self.masses.len()).rev();
        let sum: f64 = above.map(|index| self.masses[index] * self.value(index)).sum();
        (sum + tail.on_quantile * self.masses[tail.index] * self.value(tail.index)) / (1.0 - level)
    }

    /// The law of a function of `X`; what falls between two points goes to both so that the mean stays.
    pub fn map(&self, points: usize, f: impl Fn(f64) -> f64) -> Self {
        let mut masses = vec![0.0; points];
        push(&self.masses, 1.0, self.step, &mut masses, f);
        Self { step: self.step, masses }
    }
}

/// Adds `weight * masses`, moved from each point to a function of it, to `into`. What would land beyond its end lands
/// on its end.
pub fn push(masses: &[f64], weight: f64, step: f64, into: &mut [f64], f: impl Fn(f64) -> f64) {
    let last = into.len() - 1;
    for (index, mass) in masses.iter().enumerate() {
        let at = (f(index as f64 * step) / step).max(0.0);
        let nearest = at.round();
        let mass = weight * mass;
        if nearest >= last as f64 {
            into[last] += mass;
        } else if (at - nearest).abs() < 1e-7 {
            into[nearest as usize] += mass;
        } else {
            let low = at.floor();
            let part = at - low;
            into[low as usize] += mass * (1.0 - part);
            into[low as usize + 1] += mass * part;
        }
    }
}

/// Which outcomes a tail value at risk averages: all beyond a point and a part of that point.
#[derive(Clone, Copy, Debug)]
pub struct Tail {
    /// The quantile's index.
    pub index: usize,
    /// Which part of the mass on the quantile belongs to the tail.
    pub on_quantile: f64,
    /// The tail's probability.
    pub probability: f64,
}

impl Tail {
    /// The tail of a law at a level below 1.
    pub fn new(law: &Lattice, level: f64) -> Self {
        let index = law.quantile_index(level);
        let beyond: f64 = law.masses[index + 1..].iter().rev().sum();
        let mass = law.masses[index];
        let on_quantile = if mass > 0.0 { ((1.0 - level - beyond) / mass).clamp(0.0, 1.0) } else { 0.0 };
        Self { index, on_quantile, probability: 1.0 - level }
    }

    /// For each shift `x < points`, what of `masses` moved up by `x` is in the tail.
    pub fn kernel(&self, masses: &[f64], points: usize) -> Vec<f64> {
        // above[k] is the mass strictly beyond the point k.
        let mut above = vec![0.0; self.index + 1];
        let mut sum: f64 = masses[(self.index + 1).min(masses.len())..].iter().rev().sum();
        for k in (0..=self.index).rev() {
            above[k] = sum;
            sum += masses.get(k).copied().unwrap_or(0.0);
        }
        (0..points)
            .map(|x| match self.index.checked_sub(x) {
                Some(k) => above[k] + self.on_quantile * masses.get(k).copied().unwrap_or(0.0),
                None => sum,
            })
            .collect()
    }
}
