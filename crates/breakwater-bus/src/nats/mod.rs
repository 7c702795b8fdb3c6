//! The bus over NATS JetStream.
//!
//! A queue is two streams: one with work-queue retention that holds the jobs, one that keeps answers and files; a topic
//! is one of the latter kind.
//! Each record has a subject of its own, and is published on the condition that the subject is empty: the server
//! decides who came first, for as long as the record is kept.
//! All of it lies on the server's disk and outlives its restart.

mod follow;
mod kept;
mod link;
mod parts;
mod work;

pub(crate) use follow::Follower;
pub(crate) use kept::Kept;
pub(crate) use link::Link;
pub(crate) use work::{Lease, Work};
