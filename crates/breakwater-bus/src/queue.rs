//! Work queues: jobs out, one answer to each back.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::kept::{Follower, Group, Kept, fits};
use crate::work::{Delivery, Lease, Work};
use crate::{BusError, DeadLetter};

/// The id under which a queue's terms are kept.
const TERMS: &str = "queue";

/// A lease is renewed this many times before it would run out.
const BEATS: u32 = 3;

/// What a worker says beyond this many characters is not kept.
const LONGEST_REASON: usize = 4096;

/// How a queue treats its jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How long after its worker's last sign of life a job goes to another; 100 ms to an hour.
    pub lease: Duration,
    /// How often a job is handed out before it is given up; at least 1.
    pub deliveries: u32,
    /// How long jobs, answers and files stay on a server whose producer never came back; at least a minute.
    pub keep: Duration,
}

impl Default for Terms {
    /// A lease of 30 s, five deliveries, kept for a week.
    fn default() -> Self {
        Self { lease: Duration::from_secs(30), deliveries: 5, keep: Duration::from_secs(7 * 86_400) }
    }
}

impl Terms {
    pub(crate) fn check(&self) -> Result<(), BusError> {
        let refused = |what, expected, got| Err(BusError::Terms { what, expected, got });
        if !(Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&self.lease) {
            return refused("a lease", "100 ms to 1 h", format!("{:?}", self.lease));
        }
        if self.deliveries == 0 {
            return refused("deliveries", "at least 1", "0".to_owned());
        }
        if self.keep < Duration::from_secs(60) {
            return refused("keeping", "at least 1 min", format!("{:?}", self.keep));
        }
        Ok(())
    }
}

/// What became of a job that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It waits for a worker.
    New,
    /// It was published before and has no answer yet.
    Waiting,
    /// It has its answer already.
    Answered,
}

/// A work queue; clones are the same queue.
#[derive(Clone)]
pub struct Queue {
    name: String,
    terms: Terms,
    kept: Kept,
    work: Work,
}

impl Queue {
    pub(crate) async fn opened(name: &str, kept: Kept, work: Work, terms: &Terms) -> Result<Self, BusError> {
        let bytes = serde_json::to_vec(terms).map_err(|error| malformed_terms(name, error.to_string()))?;
        kept.write(Group::Terms, TERMS, &bytes).await?;
        let queue = Self::joined(name, kept, work).await?;
        if queue.terms != *terms {
            return Err(BusError::OtherTerms {
                name: queue.name,
                expected: format!("{terms:?}"),
                got: format!("{:?}", queue.terms),
            });
        }
        Ok(queue)
    }

    pub(crate) async fn joined(name: &str, kept: Kept, work: Work) -> Result<Self, BusError> {
        let name = name.to_owned();
        let Some(bytes) = kept.read(Group::Terms, TERMS).await? else {
            return Err(BusError::Gone { name });
        };
        let terms =
            serde_json::from_slice(&bytes).map_err(|error| malformed_terms(&name, error.to_string()))?;
        Ok(Self { name, terms, kept, work })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its terms.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Publishes a job under an id of its own; again is nothing new.
    ///
    /// # Errors
    /// [`BusError::Name`] of an id that cannot be carried, [`BusError::TooLarge`], or what the server says.
    pub async fn publish(&self, id: &str, payload: &[u8]) -> Result<Published, BusError> {
        fits("job", id, payload)?;
        if self.kept.holds(Group::Outcome, id).await? {
            return Ok(Published::Answered);
        }
        Ok(if self.work.push(id, payload).await? { Published::New } else { Published::Waiting })
    }

    /// Keeps something that many jobs need, so that they need only name it; again is nothing new.
    ///
    /// # Errors
    /// As [`Queue::publish`].
    pub async fn put_file(&self, id: &str, payload: &[u8]) -> Result<(), BusError> {
        fits("file", id, payload)?;
        self.kept.write(Group::File, id, payload).await.map(drop)
    }

    /// What was kept by [`Queue::put_file`].
    ///
    /// # Errors
    /// As [`Queue::publish`].
    pub async fn file(&self, id: &str) -> Result<Option<Vec<u8>>, BusError> {
        self.kept.read(Group::File, id).await
    }

    /// Leases the next job, or none after `wait`.
    ///
    /// A future of it that is dropped may take a job with it, which is then handed out again when the lease runs out.
    ///
    /// # Errors
    /// [`BusError::Gone`] when the queue was removed, which is how a worker learns that it may leave; or what the
    /// server says.
    pub async fn pull(&self, wait: Duration) -> Result<Option<Job>, BusError> {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Some(delivery) = self.work.take(left).await? else {
                return Ok(None);
            };
            if self.kept.holds(Group::Outcome, &delivery.id).await? {
                delivery.lease.done().await?;
            } else if delivery.count > self.terms.deliveries {
                let reason = "its workers died or went silent".to_owned();
                self.give_up(&delivery.id, delivery.count - 1, reason).await?;
                delivery.lease.done().await?;
            } else {
                return Ok(Some(Job::leased(self.clone(), delivery)));
            }
        }
    }

    /// The answer to one job, where there is one.
    ///
    /// # Errors
    /// What the server says.
    pub async fn outcome(&self, id: &str) -> Result<Option<Outcome>, BusError> {
        match self.kept.read(Group::Outcome, id).await? {
            Some(bytes) => Outcome::decode(id.to_owned(), bytes).map(Some),
            None => Ok(None),
        }
    }

    /// All answers in the order in which they came, from the first one on.
    #[must_use]
    pub fn outcomes(&self) -> Outcomes {
        Outcomes(self.kept.follow(Group::Outcome, 1))
    }

    /// Removes the queue with its jobs, answers and files; again is nothing new.
    ///
    /// # Errors
    /// What the server says.
    pub async fn remove(&self) -> Result<(), BusError> {
        self.work.remove().await?;
        self.kept.remove().await
    }

    async fn give_up(&self, id: &str, deliveries: u32, reason: String) -> Result<(), BusError> {
        let reason = reason.chars().take(LONGEST_REASON).collect();
        let letter = DeadLetter { id: id.to_owned(), deliveries, reason };
        self.kept.write(Group::Outcome, id, &Outcome::encode_dead(&letter)).await.map(drop)
    }
}

fn malformed_terms(name: &str, got: String) -> BusError {
    BusError::Malformed { what: format!("terms of {name}"), expected: "terms of a queue as JSON", got }
}

/// A job that this worker has; dropped without an answer it goes to another when its lease has run out.
///
/// The lease is renewed from a task of the runtime that pulled the job, so long work must not block that runtime:
/// it belongs on threads of its own (`spawn_blocking`).
pub struct Job {
    queue: Queue,
    id: String,
    payload: Vec<u8>,
    delivery: u32,
    lease: Lease,
    heart: JoinHandle<()>,
}

impl Job {
    fn leased(queue: Queue, delivery: Delivery) -> Self {
        let lease = delivery.lease;
        let heart = tokio::spawn(beat(lease.clone(), queue.terms.lease / BEATS));
        Self { queue, id: delivery.id, payload: delivery.bytes, delivery: delivery.count, lease, heart }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What its producer said.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// How often it was handed out, this time included.
    #[must_use]
    pub fn delivery(&self) -> u32 {
        self.delivery
    }

    /// Answers the job; an answer that is there already stays.
    ///
    /// # Errors
    /// [`BusError::TooLarge`], which ends the job as a [`DeadLetter`]; or what the server says, and then the job is
    /// handed out again when its lease has run out.
    pub async fn finish(self, result: &[u8]) -> Result<(), BusError> {
        if let Err(error) = fits("answer", &self.id, result) {
            self.fail(&error.to_string()).await?;
            return Err(error);
        }
        self.queue.kept.write(Group::Outcome, &self.id, &Outcome::encode_done(result)).await?;
        self.lease.done().await
    }

    /// Gives the job back to be tried again after `delay`; the last delivery ends it as a [`DeadLetter`].
    ///
    /// # Errors
    /// What the server says; the job is then handed out again when its lease has run out.
    pub async fn refuse(self, reason: &str, delay: Duration) -> Result<(), BusError> {
        if self.delivery >= self.queue.terms.deliveries {
            return self.fail(reason).await;
        }
        self.lease.give_back(delay).await
    }

    /// Ends the job as a [`DeadLetter`]: no other worker could do better.
    ///
    /// # Errors
    /// What the server says; the job is then handed out again when its lease has run out.
    pub async fn fail(self, reason: &str) -> Result<(), BusError> {
        self.queue.give_up(&self.id, self.delivery, reason.to_owned()).await?;
        self.lease.done().await
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.heart.abort();
    }
}

async fn beat(lease: Lease, every: Duration) {
    let mut ticks = tokio::time::interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        lease.renew().await;
    }
}

/// The answer to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The job.
    pub id: String,
    /// What its worker answered, or why it was given up.
    pub answer: Result<Vec<u8>, DeadLetter>,
}

impl Outcome {
    const DONE: u8 = 1;
    const DEAD: u8 = 2;

    fn encode_done(result: &[u8]) -> Vec<u8> {
        [&[Self::DONE], result].concat()
    }

    fn encode_dead(letter: &DeadLetter) -> Vec<u8> {
        [&[Self::DEAD], letter.deliveries.to_be_bytes().as_slice(), letter.reason.as_bytes()].concat()
    }

    fn decode(id: String, mut bytes: Vec<u8>) -> Result<Self, BusError> {
        let answer = match bytes.first() {
            Some(&Self::DONE) => {
                bytes.remove(0);
                Ok(bytes)
            }
            Some(&Self::DEAD) if bytes.len() >= 5 => {
                let deliveries = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
                let reason = String::from_utf8_lossy(&bytes[5..]).into_owned();
                Err(DeadLetter { id: id.clone(), deliveries, reason })
            }
            first => {
                let got = format!("{} bytes that begin with {first:?}", bytes.len());
                let expected = "an answer of a worker";
                return Err(BusError::Malformed { what: format!("outcome {id}"), expected, got });
            }
        };
        Ok(Self { id, answer })
    }
}

/// The answers of a queue, one after the other.
pub struct Outcomes(Follower);

impl Outcomes {
    /// The next answer, or none after `wait`.
    ///
    /// # Errors
    /// [`BusError::Gone`] when the queue was removed, or what the server says.
    pub async fn next(&mut self, wait: Duration) -> Result<Option<Outcome>, BusError> {
        match self.0.next(wait).await? {
            Some(record) => Outcome::decode(record.id, record.bytes).map(Some),
            None => Ok(None),
        }
    }
}
