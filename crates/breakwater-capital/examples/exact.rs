//! Times the exact path on the reference job: `exact [STEP] [RUNS] [THREADS]`, one line of JSON.

use std::time::Instant;

use breakwater_capital::{
    Model,
    exact::{Options, solve},
    example::cp500,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let step: f64 = args.next().map_or(Ok(0.005), |arg| arg.parse())?;
    let runs: usize = args.next().map_or(Ok(7), |arg| arg.parse())?;
    let threads: usize = args.next().map_or(Ok(1), |arg| arg.parse())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let model = Model::new(cp500())?;
    let options = Options { step: Some(step), ..Options::default() };
    let mut seconds = Vec::with_capacity(runs);
    let mut last = None;
    for _ in 0..runs.max(1) {
        let begun = Instant::now();
        last = Some(pool.install(|| solve(&model, &options))?);
        seconds.push(begun.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let Some(exact) = last else { return Ok(()) };
    let level = |wanted: f64| exact.levels.iter().find(|level| level.level == wanted).copied();
    let mut largest: Vec<(usize, f64)> =
        exact.allocation.iter().flat_map(|a| a.contributions.iter().copied().enumerate()).collect();
    let sum: f64 = largest.iter().map(|part| part.1).sum();
    largest.sort_by(|a, b| b.1.total_cmp(&a.1));
    let line = serde_json::json!({
        "engine": "breakwater exact", "step": step, "threads": threads, "runs": runs,
        "median_s": seconds[seconds.len() / 2], "min_s": seconds[0], "points": exact.gross.masses().len(),
        "mean": exact.mean, "sd": exact.sd, "none": exact.none,
        "level99": level(0.99), "level995": level(0.995),
        "layers": exact.layers, "refused": exact.refused.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "allocation_sum": sum, "largest": largest.into_iter().take(5).collect::<Vec<_>>(),
    });
    println!("{line}");
    Ok(())
}
