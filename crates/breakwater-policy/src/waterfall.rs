//! The order in which layers bear a loss, and its exact reverse.

/// Layers of a pool: 0 surplus, 1 junior, 2 mezzanine, 3 senior.
pub type Layers = [u128; 4];

/// Takes up to `amount` for one booking, surplus first: from each layer what it has, at most what is left of its
/// limit. Changes `layers` and `charged`; returns what each layer gave.
pub fn raise(amount: u128, layers: &mut Layers, limit: &Layers, charged: &mut Layers) -> Layers {
    let mut left = amount;
    let mut taken = Layers::default();
    for i in 0..4 {
        let room = limit[i].saturating_sub(charged[i]);
        taken[i] = left.min(room).min(layers[i]);
        layers[i] -= taken[i];
        charged[i] += taken[i];
        left -= taken[i];
    }
    taken
}

/// Gives back up to `amount` of what was charged, senior first. Changes `charged` alone; returns what is to go to
/// each layer.
pub fn lower(amount: u128, charged: &mut Layers) -> Layers {
    let mut left = amount;
    let mut give = Layers::default();
    for i in (0..4).rev() {
        give[i] = left.min(charged[i]);
        charged[i] -= give[i];
        left -= give[i];
    }
    give
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_from_the_bottom() {
        let (mut layers, limit, mut charged) = ([10, 20, 30, 40], [10, 20, 30, 40], [0; 4]);
        assert_eq!(raise(35, &mut layers, &limit, &mut charged), [10, 20, 5, 0]);
        assert_eq!(layers, [0, 0, 25, 40]);
        assert_eq!(raise(100, &mut layers, &limit, &mut charged), [0, 0, 25, 40]);
        assert_eq!(charged, limit);
    }

    #[test]
    fn gives_back_from_the_top() {
        let mut charged = [10, 20, 5, 0];
        assert_eq!(lower(12, &mut charged), [0, 7, 5, 0]);
        assert_eq!(charged, [10, 13, 0, 0]);
        assert_eq!(lower(100, &mut charged), [10, 13, 0, 0]);
    }

    #[test]
    fn limits_hold_when_layers_have_grown() {
        let (mut layers, limit, mut charged) = ([50, 50, 0, 0], [10, 20, 0, 0], [0; 4]);
        assert_eq!(raise(100, &mut layers, &limit, &mut charged), [10, 20, 0, 0]);
        assert_eq!(layers, [40, 30, 0, 0]);
    }
}
