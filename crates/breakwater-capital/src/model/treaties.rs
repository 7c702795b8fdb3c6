//! Order and overlap of treaties.

use std::collections::BTreeMap;

use super::Treaty;
use crate::{fault::Fault, portfolio::Cover};

/// An order in which each treaty comes after those it names; the document's order otherwise.
///
/// # Errors
/// If treaties come after one another in a circle.
pub(super) fn order(treaties: &[Treaty], names: &[&str]) -> Result<Vec<usize>, Fault> {
    let mut done = vec![false; treaties.len()];
    let mut order = Vec::with_capacity(treaties.len());
    while order.len() < treaties.len() {
        let ready = (0..treaties.len()).find(|&i| !done[i] && treaties[i].after.iter().all(|&a| done[a]));
        let Some(next) = ready else {
            let circle: Vec<&str> = (0..treaties.len()).filter(|&i| !done[i]).map(|i| names[i]).collect();
            return Err(Fault::new(
                format!("treaty {:?}.after", circle[0]),
                format!("circular: {} come after one another, so none can be paid first", circle.join(", ")),
            ));
        };
        done[next] = true;
        order.push(next);
    }
    Ok(order)
}

/// What a treaty looks at: the recoveries taken off, the products, and whether events or the year.
type Subject = (Vec<usize>, Option<Vec<bool>>, bool);

/// Treaties that look at the same loss must not together pay more than it.
///
/// # Errors
/// Naming two treaties and the part of the loss that they pay twice.
pub(super) fn no_overlap(treaties: &[Treaty], names: &[&str]) -> Result<(), Fault> {
    let mut subjects: BTreeMap<Subject, Vec<usize>> = BTreeMap::new();
    for (i, treaty) in treaties.iter().enumerate() {
        let mut after = treaty.after.clone();
        after.sort_unstable();
        subjects.entry((after, treaty.covers.clone(), treaty.is_by_event())).or_default().push(i);
    }
    for group in subjects.values() {
        // Shares added up between all ends of layers; one segment above 1 is enough.
        let mut ends: Vec<f64> =
            group.iter().flat_map(|&i| [layer(&treaties[i]).0, layer(&treaties[i]).1]).collect();
        ends.sort_by(f64::total_cmp);
        for pair in ends.windows(2).filter(|p| p[0] < p[1]) {
            let on = |i: &&usize| layer(&treaties[**i]).0 <= pair[0] && layer(&treaties[**i]).1 >= pair[1];
            let placed = group.iter().filter(on).fold(0.0, |sum, &i| sum + treaties[i].share);
            if placed > 1.0 + 1e-9 {
                let who: Vec<&str> = group.iter().filter(on).map(|&i| names[i]).collect();
                return Err(Fault::new(
                    format!("treaty {:?}", who[who.len() - 1]),
                    format!(
                        "overlapping: {} together pay {placed} of the loss between {} and {}; move the layers apart, \
                         lower the shares, or let one come `after` the other",
                        who.join(" and "),
                        pair[0],
                        pair[1]
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// The part of the loss a treaty pays for: from, to.
fn layer(treaty: &Treaty) -> (f64, f64) {
    match treaty.cover {
        Cover::QuotaShare { event_limit, .. } => (0.0, event_limit.unwrap_or(f64::INFINITY)),
        Cover::EventExcess { attachment, limit, .. } | Cover::StopLoss { attachment, limit } => {
            (attachment, attachment + limit)
        }
        // It pays its amount once the trigger is reached, from the first unit on.
        Cover::Catastrophe { pays, .. } => (0.0, pays),
    }
}
