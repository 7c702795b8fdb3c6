//! The loss of one shock: a sum over members that are hit or not, as a tree of products.
//!
//! Members with short laws are multiplied first, so that every product is as short as it can be; on the way down the
//! same tree gives each member the law of all others without any division.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::transform::Fourier;

/// A member that a shock can hit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit<'a> {
    /// Index of the product.
    pub(super) product: usize,
    /// Probability that a shock hits it.
    pub(super) probability: f64,
    /// Masses of what a hit pays.
    pub(super) masses: &'a [f64],
}

/// A tree of partial sums.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    hits: Vec<Hit<'a>>,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    /// Law of the sum over the members below.
    masses: Vec<f64>,
    /// Children, or the index of the hit of a leaf.
    below: Below,
}

#[derive(Clone, Copy, Debug)]
enum Below {
    Leaf(usize),
    Two(usize, usize),
}

impl<'a> Tree<'a> {
    /// Multiplies the members together; laws are cut at `most` points.
    pub(super) fn new(fourier: &Fourier, hits: Vec<Hit<'a>>, most: usize) -> Self {
        let mut nodes: Vec<Node> = hits.iter().enumerate().map(|(index, hit)| leaf(index, hit)).collect();
        // The shortest come first, and of equals the earliest, so that the order is the same on every run.
        let mut queue: BinaryHeap<_> =
            nodes.iter().enumerate().map(|(index, node)| Reverse((node.masses.len(), index))).collect();
        while let (Some(Reverse((_, a))), Some(Reverse((_, b)))) = (queue.pop(), queue.pop()) {
            let masses = fourier.convolve(&nodes[a].masses, &nodes[b].masses, most);
            queue.push(Reverse((masses.len(), nodes.len())));
            nodes.push(Node { masses, below: Below::Two(a, b) });
            if queue.len() == 1 {
                break;
            }
        }
        Self { hits, nodes }
    }

    /// Masses of the loss of one shock.
    pub(super) fn masses(&self) -> &[f64] {
        self.nodes.last().map_or(&[1.0], |root| &root.masses)
    }

    /// For each member, its product and `E[its part of the loss; kernel at the whole loss]`, in steps of the lattice.
    ///
    /// `kernel[x]` is what a shock of loss `x` weighs.
    pub(super) fn contributions(&self, fourier: &Fourier, kernel: Vec<f64>) -> Vec<(usize, f64)> {
        let mut parts = vec![(0, 0.0); self.hits.len()];
        let mut stack = Vec::with_capacity(64);
        if let Some(root) = self.nodes.len().checked_sub(1) {
            stack.push((root, kernel));
        }
        while let Some((index, kernel)) = stack.pop() {
            match self.nodes[index].below {
                Below::Leaf(index) => {
                    let hit = &self.hits[index];
                    parts[index] = (hit.product, hit.probability * first_moment(hit.masses, &kernel));
                }
                Below::Two(a, b) => {
                    let (for_a, for_b) =
                        fourier.correlate_both(&kernel, &self.nodes[a].masses, &self.nodes[b].masses);
                    stack.push((b, for_b));
                    stack.push((a, for_a));
                }
            }
        }
        parts
    }
}

fn leaf(index: usize, hit: &Hit<'_>) -> Node {
    let mut masses: Vec<f64> = hit.masses.iter().map(|mass| hit.probability * mass).collect();
    match masses.first_mut() {
        Some(none) => *none += 1.0 - hit.probability,
        None => masses.push(1.0),
    }
    Node { masses, below: Below::Leaf(index) }
}

/// `sum over x of x * masses[x] * kernel[x]`.
pub(super) fn first_moment(masses: &[f64], kernel: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let common = masses.len().min(kernel.len());
    let (masses, kernel) = (&masses[..common], &kernel[..common]);
    let rest = common / 8 * 8;
    let mut x = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    for (m, k) in masses.chunks_exact(8).zip(kernel.chunks_exact(8)) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * (m[lane] * k[lane]);
            x[lane] += 8.0;
        }
    }
    let tail: f64 = (rest..common).map(|i| i as f64 * (masses[i] * kernel[i])).sum();
    lanes.iter().sum::<f64>() + tail
}
