//! What a coordinator and its workers tell each other: a task, batches of it, and what each batch came to.
//!
//! Everything is postcard, which carries every bit of a float; a portfolio travels as TOML, which does too.

use alloy::primitives::{B256, hex, keccak256};
use breakwater_capital::engine::Chosen;
use breakwater_capital::outcome::{self, Failure, Options};
use breakwater_capital::simulate::{Batch, Plan};
use breakwater_capital::{Method, Model};
use serde::{Deserialize, Serialize};

/// How the queues of all runs begin.
pub(super) const QUEUES: &str = "capital-";

/// The id under which a queue keeps its task.
pub(super) const TASK: &str = "task";

/// A run, as all of its workers must understand it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    /// Hash of the engine's name, version and method.
    pub(super) engine: B256,
    /// Hash of the portfolio.
    pub(super) data: B256,
    /// How it is run; one thread, since threads change no digit.
    pub(super) options: Options,
    /// How its years are drawn.
    pub(super) method: Method,
    /// Years, seed and sizes.
    pub(super) plan: Plan,
}

/// Simulates the batch with this index.
pub(super) type Simulate = Box<dyn Fn(u64) -> Batch + Send + Sync>;

impl Task {
    /// The task of a run, and the engine that does it.
    pub(super) fn new(model: &Model, options: &Options, method: Method) -> Result<(Self, Chosen), Failure> {
        let options = Options { threads: 1, ..*options };
        let engine = Chosen::by(model, method)?;
        let hashes = outcome::hashes(model, &options, engine.method());
        let plan = engine.plan(model, &options)?;
        Ok((Self { engine: hashes.model, data: hashes.data, options, method, plan }, engine))
    }

    /// The queue of this task: the same task has the same queue, whoever asks.
    pub(super) fn queue(&self) -> Result<String, String> {
        let hash = keccak256(encode(self)?);
        Ok(format!("{QUEUES}{}", hex::encode(&hash[..12])))
    }

    /// The id under which the portfolio is kept.
    pub(super) fn file(&self) -> String {
        hex::encode(self.data)
    }

    /// What does this task; a model that gives another task is another portfolio, or another version.
    pub(super) fn simulate(&self, model: &Model) -> Result<Simulate, String> {
        let (own, engine) =
            Self::new(model, &self.options, self.method).map_err(|failure| failure.to_string())?;
        if own != *self {
            return Err(format!(
                "expected engine {} and portfolio {}, got {} and {}: is this another version of breakwater?",
                self.engine, self.data, own.engine, own.data
            ));
        }
        Ok(Box::new(move |index| engine.batch(&own.plan, index)))
    }

    /// Reads what a worker answered, and checks that it can be merged.
    pub(super) fn batch(&self, index: u64, bytes: &[u8]) -> Result<Batch, String> {
        let batch: Batch = decode(bytes)?;
        batch.check(&self.plan, index)?;
        Ok(batch)
    }
}

pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, String> {
    postcard::to_stdvec(value).map_err(|error| format!("cannot be written: {error}"))
}

pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    let (value, rest) =
        postcard::take_from_bytes(bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if rest.is_empty() { Ok(value) } else { Err(format!("{} bytes too many", rest.len())) }
}

#[cfg(test)]
mod tests {
    use breakwater_capital::example;
    use breakwater_capital::simulate::Merger;

    use super::*;

    fn task(model: &Model) -> Task {
        Task::new(model, &Options { years: 150_000, seed: 7, threads: 3 }, Method::Auto).unwrap().0
    }

    #[test]
    fn every_bit_of_a_batch_and_a_portfolio_arrives() {
        let model = Model::new(example::cp500()).unwrap();
        let task = task(&model);
        let simulate = task.simulate(&model).unwrap();
        let (mut own, mut sent) = (Merger::new(&task.plan), Merger::new(&task.plan));
        for index in 0..task.plan.batches() {
            let batch = simulate(index);
            sent.batch(task.batch(index, &encode(&batch).unwrap()).unwrap());
            own.batch(batch);
        }
        assert_eq!(format!("{:?}", own.finish()), format!("{:?}", sent.finish()));
        let text = example::cp500().to_toml().unwrap();
        assert_eq!(Model::from_toml(&text).unwrap().hash, task.data);
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let model = Model::new(example::cp500()).unwrap();
        let task = task(&model);
        let bytes = encode(&task.simulate(&model).unwrap()(1)).unwrap();
        assert!(task.batch(1, &bytes).is_ok());
        assert!(task.batch(0, &bytes).unwrap_err().contains("expected batch 0"));
        assert!(task.batch(1, &bytes[..bytes.len() - 1]).unwrap_err().contains("cannot be read"));
        assert!(task.batch(1, &[bytes, vec![0]].concat()).unwrap_err().contains("1 bytes too many"));
    }

    #[test]
    fn a_task_is_named_by_what_it_computes() {
        let model = Model::new(example::cp500()).unwrap();
        let task = task(&model);
        let queue = |options: &Options| Task::new(&model, options, Method::Auto).unwrap().0.queue().unwrap();
        assert_eq!(queue(&Options { threads: 9, ..task.options }), task.queue().unwrap());
        for other in [Options { years: 150_001, ..task.options }, Options { seed: 8, ..task.options }] {
            assert_ne!(queue(&other), task.queue().unwrap());
        }
        let other = Task { engine: B256::ZERO, ..task };
        assert!(other.simulate(&model).err().unwrap().contains("another version"));
    }
}
