//! One law up to a point and another beyond it.

use super::{LARGEST, node::Node, positive};
use crate::{fault::Fault, portfolio::Law};

/// One law up to a point and another beyond it.
#[derive(Clone, Debug)]
pub(super) struct Splice {
    pub(super) at: f64,
    pub(super) body_weight: f64,
    pub(super) tail_weight: f64,
    pub(super) body: Node,
    pub(super) tail: Node,
    /// `P(body <= at)`.
    pub(super) body_below: f64,
    /// `P(tail > at)`.
    pub(super) tail_above: f64,
    pub(super) body_mean: f64,
}

impl Splice {
    pub(super) fn node(
        at: f64,
        body_weight: f64,
        body: &Law,
        tail: &Law,
        depth: usize,
    ) -> Result<Node, Fault> {
        positive("at", at, LARGEST)?;
        if !(body_weight > 0.0 && body_weight < 1.0) {
            return Err(Fault::new("body_weight", format!("is inside (0, 1), not {body_weight}")));
        }
        let body = Node::new(body, depth + 1).map_err(|fault| fault.within("body"))?;
        let tail = Node::new(tail, depth + 1).map_err(|fault| fault.within("tail"))?;
        let (body_below, tail_above) = (body.below(at), tail.survival(at));
        // Below this the conditional law is made of rounding errors.
        const POSSIBLE: f64 = 1e-12;
        if body_below < POSSIBLE {
            return Err(Fault::new("body", format!("is at most {at} with probability {body_below:e} only")));
        }
        if tail_above < POSSIBLE {
            return Err(Fault::new("tail", format!("is above {at} with probability {tail_above:e} only")));
        }
        let body_mean = body.partial(at) / body_below;
        let tail_weight = 1.0 - body_weight;
        Ok(Node::Splice(Box::new(Self {
            at,
            body_weight,
            tail_weight,
            body,
            tail,
            body_below,
            tail_above,
            body_mean,
        })))
    }

    pub(super) fn survival(&self, x: f64) -> f64 {
        if x < self.at {
            let inside = (self.body_below - self.body.below(x)).max(0.0) / self.body_below;
            self.tail_weight + self.body_weight * inside
        } else {
            self.tail_weight * (self.tail.survival(x) / self.tail_above)
        }
    }

    pub(super) fn limited_mean(&self, x: f64) -> f64 {
        if x < self.at {
            let body = (self.body.partial(x) + x * (self.body_below - self.body.below(x)).max(0.0))
                / self.body_below;
            self.tail_weight * x + self.body_weight * body
        } else {
            self.body_weight * self.body_mean
                + self.tail_weight * (self.at + self.tail.between(self.at, x) / self.tail_above)
        }
    }

    pub(super) fn between(&self, low: f64, high: f64) -> f64 {
        if low >= self.at {
            return self.tail_weight * self.tail.between(low, high) / self.tail_above;
        }
        (self.limited_mean(high) - self.limited_mean(low)).max(0.0)
    }

    pub(super) fn upper_quantile(&self, v: f64) -> f64 {
        if v < self.tail_weight {
            let above = v / self.tail_weight * self.tail_above;
            return self.tail.upper_quantile(above).max(self.at);
        }
        self.body_quantile((1.0 - v) / self.body_weight)
    }

    /// The smallest `x` with `P(body <= x | body <= at) >= u`.
    pub(super) fn body_quantile(&self, u: f64) -> f64 {
        let u = u.min(1.0) * self.body_below;
        let x = if u < 0.5 {
            self.body.lower_quantile(u)
        } else {
            self.body.upper_quantile((1.0 - self.body_below) + (self.body_below - u))
        };
        x.min(self.at)
    }

    pub(super) fn support(&self) -> Vec<(f64, f64)> {
        let below = self.body.support().into_iter().filter(|part| part.0 <= self.at);
        let above = self.tail.support().into_iter().filter(|part| part.1 > self.at);
        let mut joined: Vec<(f64, f64)> = below.map(|part| (part.0, part.1.min(self.at))).collect();
        for part in above {
            let part = (part.0.max(self.at), part.1);
            match joined.last_mut() {
                Some(last) if part.0 <= last.1 => last.1 = part.1,
                _ => joined.push(part),
            }
        }
        joined
    }
}
