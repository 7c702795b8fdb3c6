//! Logs in words: the name and the arguments of any event that a deployed contract emits.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use alloy::dyn_abi::{DynSolValue, EventExt};
use alloy::json_abi::Event;
use alloy::primitives::{B256, Log};

use crate::artifact::{Artifact, names};
use crate::errors::show;

/// An event with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Its name in Solidity.
    pub name: String,
    /// Name and value of each argument, in the order of the declaration; structs as one text.
    pub arguments: Vec<(String, String)>,
}

/// What a log says; none if no deployed contract emits such an event.
pub fn decode(log: &Log) -> Option<Decoded> {
    let candidates = known().get(log.topics().first()?)?;
    // Events of one signature may differ in what is indexed, as transfers of tokens and of policies do.
    let event = candidates.iter().find(|event| indexed(event) + 1 == log.topics().len())?;
    let decoded = event.decode_log(&log.data).ok()?;
    let (mut indexed, mut body) = (decoded.indexed.into_iter(), decoded.body.into_iter());
    let mut arguments = Vec::new();
    for input in &event.inputs {
        let value: DynSolValue = if input.indexed { indexed.next()? } else { body.next()? };
        arguments.push((input.name.clone(), show(&value)));
    }
    Some(Decoded { name: event.name.clone(), arguments })
}

fn indexed(event: &Event) -> usize {
    event.inputs.iter().filter(|input| input.indexed).count()
}

/// Every event of every deployed contract by its first topic.
fn known() -> &'static BTreeMap<B256, Vec<Event>> {
    static KNOWN: OnceLock<BTreeMap<B256, Vec<Event>>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut known: BTreeMap<B256, Vec<Event>> = BTreeMap::new();
        // A broken artifact knows no events; a test of the errors reads every one of them.
        for artifact in names().filter_map(|name| Artifact::load(name).ok()) {
            for event in artifact.abi().events() {
                let same = known.entry(event.selector()).or_default();
                if !same.contains(event) {
                    same.push(event.clone());
                }
            }
        }
        known
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{Policies, Tranche};
    use alloy::primitives::{Address, U256};
    use alloy::sol_types::SolEvent;

    #[test]
    fn events_come_out_with_their_arguments_in_order() {
        let paid = Policies::Settled {
            id: U256::from(1),
            incident: U256::from(2),
            lost: U256::from(3),
            due: U256::from(4),
            paid: U256::from(5),
            settler: Address::repeat_byte(6),
        };
        let log = Log { address: Address::ZERO, data: paid.encode_log_data() };
        let decoded = decode(&log).unwrap();
        assert_eq!(decoded.name, "Settled");
        let names: Vec<&str> = decoded.arguments.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["id", "incident", "lost", "due", "paid", "settler"]);
        assert_eq!(decoded.arguments[4].1, "5");
    }

    #[test]
    fn transfers_of_tokens_and_policies_are_told_apart() {
        let (from, to) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let token = Tranche::Transfer { from, to, value: U256::from(9) };
        let policy = Policies::Transfer { from, to, tokenId: U256::from(9) };
        for (data, last) in [(token.encode_log_data(), "value"), (policy.encode_log_data(), "tokenId")] {
            let decoded = decode(&Log { address: Address::ZERO, data }).unwrap();
            assert_eq!(decoded.arguments[2], (last.to_owned(), "9".to_owned()));
        }
        assert_eq!(decode(&Log::default()), None);
    }
}
