//! Dividing the holders of an enumerated gauge over several calls, and marking the new ones.

use super::{Evidence, EvidenceError};
use crate::block::BlockProof;
use crate::gauge::GaugeSpec;
use crate::packed::Packer;
use alloy::primitives::{Address, U256};

/// Bytes of one address in calldata, and a share of its bit that is never too small.
const HOLDER_BYTES: usize = 32 + 1;

/// One bit for each holder, 1 where it is new, in whole words; no words if nobody is.
pub(super) fn bitmap(holders: &[Address], newcomers: &[Address]) -> Result<Vec<U256>, EvidenceError> {
    if newcomers.is_empty() {
        return Ok(Vec::new());
    }
    let mut words = vec![U256::ZERO; holders.len().div_ceil(256)];
    for newcomer in newcomers {
        let at = holders.binary_search(newcomer).map_err(|_| EvidenceError::NotAHolder(*newcomer))?;
        words[at / 256].set_bit(at % 256, true);
    }
    Ok(words)
}

/// One block in as few calls of `stage` as the limit allows.
pub(super) fn stages(
    spec: &GaugeSpec,
    holders: &[Address],
    newcomers: &[Address],
    block: &BlockProof,
    bytes_max: usize,
) -> Result<Vec<Evidence>, EvidenceError> {
    let mut calls = Vec::new();
    let mut rest = holders;
    // Each turn takes at least one holder; a gauge without holders takes one turn.
    loop {
        let (taken, left) = rest.split_at(fitting(spec, rest, block, bytes_max)?);
        let new: Vec<Address> =
            newcomers.iter().filter(|newcomer| taken.binary_search(newcomer).is_ok()).copied().collect();
        let call = Evidence::of_blocks(spec, taken, &new, &[block])?;
        let got = call.calldata_bytes(spec);
        if got > bytes_max {
            return Err(EvidenceError::TooLarge { max: bytes_max, got });
        }
        calls.push(call);
        if left.is_empty() {
            return Ok(calls);
        }
        rest = left;
    }
}

/// How many of the holders fit into one call; at least one, if there is one.
fn fitting(
    spec: &GaugeSpec,
    holders: &[Address],
    block: &BlockProof,
    bytes_max: usize,
) -> Result<usize, EvidenceError> {
    let mut packer = Packer::default();
    // The gauge's own walks go into every call; each holder adds those nodes that are not yet in it.
    block.pack(&spec.reads(&[]), &mut packer)?;
    let empty = Evidence { headers: vec![block.rlp().clone()], ..Evidence::default() };
    // Both byte strings and the bitmap are padded to words.
    let fixed = empty.calldata_bytes(spec) + 3 * 32;
    let mut count = 0;
    for holder in holders {
        super::position_reads(spec, &[*holder], true)
            .and_then(|reads| Ok(block.pack(&reads, &mut packer)?))?;
        let size = fixed + packer.size() + (count + 1) * HOLDER_BYTES;
        if size > bytes_max && count > 0 {
            break;
        }
        count += 1;
    }
    Ok(count)
}
