//! Which of several answers for one height to follow; no I/O.

use std::collections::BTreeMap;

use alloy::primitives::B256;

use crate::error::ChainError;
use crate::head::Head;

/// Picks the block that more than half of the answers name, else the only one whose parent is
/// the block already followed.
///
/// The majority comes first although that may follow a fork for a moment.
/// Were the link to come first, one endpoint that once got ahead with blocks of its own making
/// would keep everyone on its branch for ever, since its next block always links.
pub(crate) fn choose(
    number: u64,
    answers: Vec<(String, Head)>,
    parent: Option<B256>,
) -> Result<Head, ChainError> {
    let total = answers.len();
    let mut groups: BTreeMap<B256, (Head, usize)> = BTreeMap::new();
    for (_, head) in &answers {
        groups.entry(head.hash()).or_insert_with(|| (head.clone(), 0)).1 += 1;
    }
    if let Some((head, _)) = groups.values().find(|(_, votes)| votes * 2 > total) {
        return Ok(head.clone());
    }
    let mut linked = groups.values().filter(|(head, _)| Some(head.parent_hash()) == parent);
    if let (Some((head, _)), None) = (linked.next(), linked.next()) {
        return Ok(head.clone());
    }
    let answers = answers.into_iter().map(|(who, head)| (who, head.hash())).collect();
    Err(ChainError::Disagreement { number, answers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::consensus::Header;

    fn head(parent: u8, salt: u64) -> Head {
        let header = Header {
            number: 9,
            parent_hash: B256::repeat_byte(parent),
            gas_used: salt,
            ..Default::default()
        };
        Head::from_rlp(alloy::rlp::encode(header).into()).unwrap()
    }

    fn pick(heads: &[Head], parent: Option<u8>) -> Result<Head, ChainError> {
        let answers = heads.iter().enumerate().map(|(at, head)| (format!("#{at}"), head.clone())).collect();
        choose(9, answers, parent.map(B256::repeat_byte))
    }

    #[test]
    fn the_majority_wins_even_against_the_link() {
        let (honest, liar) = (head(1, 0), head(2, 1));
        assert_eq!(pick(std::slice::from_ref(&honest), None), Ok(honest.clone()));
        assert_eq!(pick(&[liar.clone(), honest.clone(), honest.clone()], Some(2)), Ok(honest.clone()));
        assert_eq!(pick(&[liar.clone(), honest.clone(), honest.clone()], None), Ok(honest));
    }

    #[test]
    fn the_link_breaks_a_tie() {
        let (followed, fork) = (head(1, 0), head(2, 1));
        assert_eq!(pick(&[fork.clone(), followed.clone()], Some(1)), Ok(followed.clone()));
        assert_eq!(pick(&[fork.clone(), followed.clone()], Some(2)), Ok(fork));
    }

    #[test]
    fn a_tie_that_nothing_decides_is_named() {
        let (one, two) = (head(1, 0), head(1, 1));
        for parent in [None, Some(1), Some(7)] {
            let error = pick(&[one.clone(), two.clone()], parent).unwrap_err();
            let ChainError::Disagreement { number, answers } = &error else { panic!("{error}") };
            assert_eq!((*number, answers.len()), (9, 2));
            assert!(error.is_transient());
        }
    }
}
