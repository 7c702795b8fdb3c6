//! Headers of followed blocks, with a fetch for those that are older.

use breakwater_chain::{Endpoints, Follower, Head};

use crate::error::NodeError;

/// Looks headers up in the followed window first: those are linked to the tip by their parents.
pub(crate) struct Heads<'a> {
    follower: &'a Follower,
    /// The block being handled; the follower's own tip may be ahead of it.
    current: Head,
}

impl<'a> Heads<'a> {
    pub(crate) fn new(follower: &'a Follower, current: Head) -> Self {
        Self { follower, current }
    }

    pub(crate) fn current(&self) -> &Head {
        &self.current
    }

    pub(crate) async fn at(&self, endpoints: &Endpoints, number: u64) -> Result<Head, NodeError> {
        if number == self.current.number() {
            return Ok(self.current.clone());
        }
        if let Some(head) = self.follower.followed(number) {
            return Ok(head.clone());
        }
        Ok(endpoints.head_at(number, None).await?)
    }
}
