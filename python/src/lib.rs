//! The capital engine for Python: portfolios in, distributions out as numpy arrays.
//!
//! The Python side (`python/breakwater`) documents shapes and units; here is only what crosses the border.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use breakwater_capital::{self as capital, Model, Options, Outcome as Found, outcome::Curves};
use numpy::{PyArray1, PyArray2, PyArrayMethods, ToPyArray};
use pyo3::{
    exceptions::{PyKeyError, PyKeyboardInterrupt, PyRuntimeError, PyValueError},
    prelude::*,
};

/// A checked portfolio.
#[pyclass(frozen, module = "breakwater")]
struct Portfolio {
    model: Model,
}

/// What a run found.
#[pyclass(frozen, module = "breakwater")]
struct Outcome {
    found: Found,
}

#[pymethods]
impl Portfolio {
    /// From a TOML document.
    #[staticmethod]
    fn from_toml(text: &str) -> PyResult<Self> {
        Model::from_toml(text).map(|model| Self { model }).map_err(fault)
    }

    /// From a JSON document.
    #[staticmethod]
    fn from_json(text: &str) -> PyResult<Self> {
        Model::from_json(text).map(|model| Self { model }).map_err(fault)
    }

    /// A portfolio that comes with the package.
    #[staticmethod]
    fn example(name: &str) -> PyResult<Self> {
        let known = capital::example::NAMES.map(|(name, _)| name).join(", ");
        let portfolio = capital::example::portfolio(name)
            .ok_or_else(|| PyKeyError::new_err(format!("no example {name:?}; there are: {known}")))?;
        Model::new(portfolio).map(|model| Self { model }).map_err(fault)
    }

    /// The document as TOML.
    fn to_toml(&self) -> PyResult<String> {
        self.model.portfolio.to_toml().map_err(fault)
    }

    /// The document as JSON.
    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(&self.model.portfolio).map_err(|e| PyRuntimeError::new_err(e.to_string()))
    }

    #[getter]
    fn name(&self) -> &str {
        &self.model.portfolio.name
    }

    #[getter]
    fn unit(&self) -> &str {
        &self.model.portfolio.unit
    }

    #[getter]
    fn products(&self) -> Vec<&str> {
        self.model.portfolio.products.iter().map(|p| p.id.as_str()).collect()
    }

    #[getter]
    fn treaties(&self) -> Vec<&str> {
        self.model.portfolio.treaties.iter().map(|t| t.id.as_str()).collect()
    }

    #[getter]
    fn hash(&self) -> String {
        self.model.hash.to_string()
    }

    /// Simulates years; other Python threads run meanwhile, and Ctrl-C ends it.
    #[pyo3(signature = (years, seed, threads))]
    fn simulate(&self, py: Python<'_>, years: u64, seed: u64, threads: Option<usize>) -> PyResult<Outcome> {
        let threads = match threads {
            Some(0) => return Err(PyValueError::new_err("threads: 0; ask for at least 1")),
            Some(some) => some,
            None => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        };
        let options = Options { years, seed, threads };
        let interrupted = AtomicBool::new(false);
        let seen = AtomicU64::new(0);
        let watch = |done: u64| {
            // Signals are looked at every half million years, which takes well under a second.
            let before = seen.fetch_add(done, Ordering::Relaxed);
            if before / 500_000 != (before + done) / 500_000
                && Python::attach(|py| py.check_signals()).is_err()
            {
                interrupted.store(true, Ordering::Relaxed);
            }
            !interrupted.load(Ordering::Relaxed)
        };
        let start = std::time::Instant::now();
        let found = py.detach(|| capital::evaluate(&self.model, &options, &watch));
        if interrupted.load(Ordering::Relaxed) {
            return Err(PyKeyboardInterrupt::new_err("interrupted"));
        }
        let mut found = found.map_err(|e| PyValueError::new_err(e.to_string()))?;
        found.seconds = start.elapsed().as_secs_f64();
        Ok(Outcome { found })
    }

    fn __repr__(&self) -> String {
        let document = &self.model.portfolio;
        format!(
            "Portfolio({:?}, {} products, {} treaties)",
            document.name,
            document.products.len(),
            document.treaties.len()
        )
    }
}

#[pymethods]
impl Outcome {
    /// Everything as JSON.
    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(&self.found).map_err(|e| PyRuntimeError::new_err(e.to_string()))
    }

    /// Parts of the gross TVaR 99 % by product.
    #[getter]
    fn allocation<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.found.allocation.iter().map(|s| s.tvar99).collect::<Vec<_>>().to_pyarray(py)
    }

    /// Standard errors of `allocation`.
    #[getter]
    fn allocation_errors<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.found.standard_errors.allocation.to_pyarray(py)
    }

    /// Points of an exceedance curve.
    fn exceedance<'py>(&self, py: Python<'py>, of: &str) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let Curves { gross, net, largest } = &self.found.curves;
        let curve = pick(of, gross, net, largest)?;
        rows(py, curve, 3)
    }

    /// Level, quantile, its error, tail mean, its error.
    fn levels<'py>(&self, py: Python<'py>, of: &str) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let levels = &self.found.levels;
        let levels = pick(of, &levels.gross, &levels.net, &levels.largest)?;
        let rows_of: Vec<[f64; 5]> =
            levels.iter().map(|l| [l.level, l.var, l.var_error, l.tvar, l.tvar_error]).collect();
        rows(py, &rows_of, 5)
    }
}

fn pick<'a, T>(of: &str, gross: &'a T, net: &'a T, largest: &'a T) -> PyResult<&'a T> {
    match of {
        "gross" => Ok(gross),
        "net" => Ok(net),
        "largest" => Ok(largest),
        _ => Err(PyValueError::new_err(format!("{of:?}; there are \"gross\", \"net\" and \"largest\""))),
    }
}

fn rows<'py, const N: usize>(
    py: Python<'py>,
    rows: &[[f64; N]],
    width: usize,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let flat: Vec<f64> = rows.iter().flatten().copied().collect();
    flat.to_pyarray(py).reshape([rows.len(), width])
}

fn fault(fault: capital::Fault) -> PyErr {
    PyValueError::new_err(fault.to_string())
}

#[pymodule]
fn _breakwater(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Portfolio>()?;
    module.add_class::<Outcome>()?;
    module.add("EXAMPLES", capital::example::NAMES.map(|(name, _)| name).to_vec())?;
    module.add("LEVELS", capital::measure::LEVELS.to_vec())
}
