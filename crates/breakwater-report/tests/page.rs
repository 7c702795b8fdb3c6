//! The page of a run: whole, without scripts, and safe from the names in a portfolio.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use breakwater_capital::outcome::{Options, Outcome, evaluate};
use breakwater_capital::{Model, example, joint};
use breakwater_report::{Converged, Report, html};

fn run(model: &Model, years: u64) -> (Options, Outcome) {
    let options = Options { years, seed: 1, threads: 1 };
    (options, evaluate(model, &options, &|_| true).unwrap())
}

fn page(model: &Model) -> String {
    let (options, outcome) = run(model, 50_000);
    let clusters: Vec<usize> = (0..model.clusters.len()).collect();
    let joint = joint::joint(model, &options, &clusters, 10).unwrap();
    let convergence = [run(model, 5_000).1, run(model, 20_000).1, outcome.clone()].map(|o| Converged::of(&o));
    html(&Report { model, outcome: &outcome, convergence: &convergence, joint: Some(&joint) })
}

#[test]
fn every_example_has_its_charts() {
    for (name, _) in example::NAMES {
        let model = Model::new(example::portfolio(name).unwrap()).unwrap();
        let page = page(&model);
        let pools = usize::from(!model.pools.is_empty());
        assert_eq!(page.matches("<svg ").count(), 6 + pools, "{name}");
        assert!(!page.contains("NaN") && !page.contains("inf\""), "{name}");
        for outside in ["<script", "http:", "https:", "url(", "@import", "<img"] {
            assert!(!page.contains(outside), "{name}: {outside}");
        }
        for open in ["svg", "section", "table", "main", "details"] {
            let (opened, closed) =
                (page.matches(&format!("<{open}")).count(), page.matches(&format!("</{open}>")).count());
            assert_eq!(opened, closed, "{name}: {open}");
        }
        if let Some(folder) = std::env::var_os("REPORT_FOLDER") {
            std::fs::write(std::path::Path::new(&folder).join(format!("{name}.html")), page).unwrap();
        }
    }
}

#[test]
fn names_are_text() {
    let mut portfolio = example::portfolio("small").unwrap();
    portfolio.name = "<script>alert(1)</script>".into();
    portfolio.unit = "\"><b>".into();
    for product in &mut portfolio.products {
        product.id = format!("<i>{}", product.id);
    }
    let page = page(&Model::new(portfolio).unwrap());
    assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("<i>"));
    assert!(page.contains("&lt;script&gt;"));
}

#[test]
fn a_portfolio_without_losses_has_a_page() {
    let mut portfolio = example::portfolio("small").unwrap();
    portfolio.products.iter_mut().for_each(|p| p.rate = 0.0);
    portfolio.clusters.iter_mut().for_each(|c| c.rate = 0.0);
    let page = page(&Model::new(portfolio).unwrap());
    assert!(!page.contains("NaN") && !page.contains("inf\"") && page.matches("<svg ").count() >= 6);
}
