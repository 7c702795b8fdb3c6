//! The bus of one process: everything in memory, behind one lock for each queue or topic.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::kept::{Group, Record, Written};
use crate::work::Delivery;
use crate::{BusError, Terms, kept, work};

/// A value that waiters are woken about.
struct Watched<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T> Watched<T> {
    fn new(value: T) -> Arc<Self> {
        Arc::new(Self { value: Mutex::new(value), changed: Notify::new() })
    }

    /// Every change is whole when the lock is let go, so one that panicked holding it left nothing half done.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks again after every change and at the times that `look` names, until it finds something or `wait` is over.
    async fn find<R>(
        &self,
        wait: Duration,
        mut look: impl FnMut(&mut T) -> Result<Found<R>, BusError>,
    ) -> Result<Option<R>, BusError> {
        let end = Instant::now() + wait;
        loop {
            // Listening begins before looking, so that no change is missed between the two.
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let next = match look(&mut self.lock())? {
                Found::Here(found) => return Ok(Some(found)),
                Found::NotBefore(time) => time.map_or(end, |time| time.min(end)),
            };
            if Instant::now() >= end {
                return Ok(None);
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }
}

enum Found<R> {
    Here(R),
    /// Nothing yet, and nothing before this time unless something changes.
    NotBefore(Option<Instant>),
}

/// All queues and topics of one bus.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Names>>);

#[derive(Default)]
struct Names {
    queues: BTreeMap<String, Parts>,
    topics: BTreeMap<String, Kept>,
}

/// The two halves of a queue.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) kept: Kept,
    pub(crate) work: Work,
}

impl Memory {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn queue(&self, name: &str, terms: &Terms) -> Parts {
        let mut names = self.names();
        names.queues.retain(|_, parts| !parts.kept.state.lock().gone);
        let make = || Parts { kept: Kept::new(name, terms.keep), work: Work::new(name, terms.lease) };
        names.queues.entry(name.to_owned()).or_insert_with(make).clone()
    }

    pub(crate) fn joined(&self, name: &str) -> Result<Parts, BusError> {
        let found = self.names().queues.get(name).filter(|parts| !parts.kept.state.lock().gone).cloned();
        found.ok_or_else(|| BusError::Gone { name: name.to_owned() })
    }

    pub(crate) fn queues(&self) -> Vec<String> {
        let names = self.names();
        let there = names.queues.iter().filter(|(_, parts)| !parts.kept.state.lock().gone);
        there.map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn topic(&self, name: &str, keep: Duration) -> Result<Kept, BusError> {
        let mut names = self.names();
        names.topics.retain(|_, kept| !kept.state.lock().gone);
        let kept = names.topics.entry(name.to_owned()).or_insert_with(|| Kept::new(name, keep)).clone();
        if kept.keep != keep {
            let (expected, got) = (format!("kept for {keep:?}"), format!("kept for {:?}", kept.keep));
            return Err(BusError::OtherTerms { name: name.to_owned(), expected, got });
        }
        Ok(kept)
    }
}

/// Records in memory.
#[derive(Clone)]
pub(crate) struct Kept {
    name: Arc<str>,
    keep: Duration,
    state: Arc<Watched<Records>>,
}

#[derive(Default)]
struct Records {
    by_sequence: BTreeMap<u64, (Group, Instant, Record)>,
    by_id: HashMap<(Group, String), u64>,
    last: u64,
    gone: bool,
}

impl Records {
    fn forget(&mut self, keep: Duration) {
        while let Some(first) = self.by_sequence.first_entry() {
            if first.get().1.elapsed() < keep {
                break;
            }
            let (group, _, record) = first.remove();
            self.by_id.remove(&(group, record.id));
        }
    }
}

impl Kept {
    fn new(name: &str, keep: Duration) -> Self {
        Self { name: name.into(), keep, state: Watched::new(Records::default()) }
    }

    /// The records without those that are too old.
    fn open(&self) -> Result<MutexGuard<'_, Records>, BusError> {
        let mut records = self.state.lock();
        if records.gone {
            return Err(BusError::Gone { name: self.name.to_string() });
        }
        records.forget(self.keep);
        Ok(records)
    }

    pub(crate) fn write(&self, group: Group, id: &str, bytes: &[u8]) -> Result<Written, BusError> {
        let mut records = self.open()?;
        let key = (group, id.to_owned());
        if let Some(&sequence) = records.by_id.get(&key) {
            return Ok(Written { sequence, new: false });
        }
        records.last += 1;
        let sequence = records.last;
        let record = Record { sequence, id: id.to_owned(), bytes: bytes.to_vec() };
        records.by_sequence.insert(sequence, (group, Instant::now(), record));
        records.by_id.insert(key, sequence);
        drop(records);
        self.state.changed.notify_waiters();
        Ok(Written { sequence, new: true })
    }

    pub(crate) fn read(&self, group: Group, id: &str) -> Result<Option<Vec<u8>>, BusError> {
        let records = self.open()?;
        let sequence = records.by_id.get(&(group, id.to_owned()));
        Ok(sequence.and_then(|at| records.by_sequence.get(at)).map(|(_, _, record)| record.bytes.clone()))
    }

    pub(crate) fn last(&self) -> Result<u64, BusError> {
        Ok(self.open()?.last)
    }

    pub(crate) fn follow(&self, group: Group, from: u64) -> Follower {
        Follower { kept: self.clone(), group, from }
    }

    pub(crate) fn remove(&self) {
        *self.state.lock() = Records { gone: true, ..Records::default() };
        self.state.changed.notify_waiters();
    }
}

/// A reader of records in memory.
pub(crate) struct Follower {
    kept: Kept,
    group: Group,
    from: u64,
}

impl Follower {
    pub(crate) async fn next(&mut self, wait: Duration) -> Result<Option<kept::Record>, BusError> {
        let Self { kept, group, from } = self;
        let found = kept.state.find(wait, |records| {
            if records.gone {
                return Err(BusError::Gone { name: kept.name.to_string() });
            }
            records.forget(kept.keep);
            let mut later = records.by_sequence.range(*from..).filter(|(_, (other, _, _))| other == group);
            Ok(later.next().map_or(Found::NotBefore(None), |(_, (_, _, record))| Found::Here(record.clone())))
        });
        let record = found.await?;
        if let Some(record) = &record {
            *from = record.sequence + 1;
        }
        Ok(record)
    }
}

/// Jobs in memory.
#[derive(Clone)]
pub(crate) struct Work {
    name: Arc<str>,
    lease: Duration,
    state: Arc<Watched<Jobs>>,
}

#[derive(Default)]
struct Jobs {
    by_sequence: BTreeMap<u64, Waiting>,
    by_id: HashMap<String, u64>,
    last: u64,
    gone: bool,
}

struct Waiting {
    id: String,
    bytes: Vec<u8>,
    count: u32,
    /// When anybody may have it.
    free: Instant,
}

impl Work {
    fn new(name: &str, lease: Duration) -> Self {
        Self { name: name.into(), lease, state: Watched::new(Jobs::default()) }
    }

    pub(crate) fn push(&self, id: &str, bytes: &[u8]) -> Result<bool, BusError> {
        let mut jobs = self.state.lock();
        if jobs.gone {
            return Err(BusError::Gone { name: self.name.to_string() });
        }
        if jobs.by_id.contains_key(id) {
            return Ok(false);
        }
        jobs.last += 1;
        let sequence = jobs.last;
        let job = Waiting { id: id.to_owned(), bytes: bytes.to_vec(), count: 0, free: Instant::now() };
        jobs.by_sequence.insert(sequence, job);
        jobs.by_id.insert(id.to_owned(), sequence);
        drop(jobs);
        self.state.changed.notify_waiters();
        Ok(true)
    }

    pub(crate) async fn take(&self, wait: Duration) -> Result<Option<Delivery>, BusError> {
        let look = |jobs: &mut Jobs| {
            if jobs.gone {
                return Err(BusError::Gone { name: self.name.to_string() });
            }
            let now = Instant::now();
            let Some((&sequence, job)) = jobs.by_sequence.iter_mut().find(|(_, job)| job.free <= now) else {
                return Ok(Found::NotBefore(jobs.by_sequence.values().map(|job| job.free).min()));
            };
            job.count = job.count.saturating_add(1);
            job.free = now + self.lease;
            let lease = Lease { work: self.clone(), sequence, count: job.count };
            let (id, bytes) = (job.id.clone(), job.bytes.clone());
            Ok(Found::Here(Delivery { id, bytes, count: job.count, lease: work::Lease::Memory(lease) }))
        };
        self.state.find(wait, look).await
    }

    pub(crate) fn remove(&self) {
        *self.state.lock() = Jobs { gone: true, ..Jobs::default() };
        self.state.changed.notify_waiters();
    }
}

/// A job that somebody has.
#[derive(Clone)]
pub(crate) struct Lease {
    work: Work,
    sequence: u64,
    count: u32,
}

impl Lease {
    pub(crate) fn renew(&self) {
        self.free_at(Instant::now() + self.work.lease);
    }

    pub(crate) fn give_back(&self, delay: Duration) {
        self.free_at(Instant::now() + delay);
    }

    pub(crate) fn done(&self) {
        let mut jobs = self.work.state.lock();
        if let Some(job) = jobs.by_sequence.remove(&self.sequence) {
            jobs.by_id.remove(&job.id);
        }
    }

    /// Who lost the job to another does not move the other's lease.
    fn free_at(&self, time: Instant) {
        if let Some(job) = self.work.state.lock().by_sequence.get_mut(&self.sequence)
            && job.count == self.count
        {
            job.free = time;
        }
        self.work.state.changed.notify_waiters();
    }
}
