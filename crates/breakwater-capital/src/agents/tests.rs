//! What must hold in every history, and what the plain engines say of the same years.

use super::{Conduct, Failure, Options, Outcome, Path, Scenario, Setting, paths, run};
use crate::{
    fault::Fault,
    model::Model,
    rng::{Purpose, Stream},
    timeline::{Hit, Room, Sampler, Settled, Settler, Year},
};

/// Four products, three tranches, a cluster; `rate` attacks a year on each.
fn document(rate: f64, premium: f64) -> String {
    let product = |id: &str, exposure: f64, more: &str| {
        format!(
            "[[product]]\nid = \"{id}\"\nrate = {rate}\nmixing = \"market\"\nseverity = \"share\"\n\
             exposure = {exposure}\npremium = {}\nclusters = [\"oracle\"]\n{more}\n",
            premium * exposure
        )
    };
    let products = [
        product("lending", 40.0, "deductible_share = 0.05\nwaiting_days = 3\nreport_days = 7"),
        product("bridge", 25.0, "deductible_share = 0.1\nlimit = 20"),
        product("vault", 20.0, "tvl = 100"),
        product("exchange", 15.0, "deductible = 0.5\nwaiting_days = 1\nreport_days = 14"),
    ];
    format!(
        "schema = \"breakwater-portfolio/1\"\nname = \"small\"\nunit = \"USD million\"\n\
         [[mixing]]\nid = \"market\"\nshape = 4.0\n\
         [[severity]]\nid = \"share\"\ncap = 1.0\nlaw = {{ kind = \"beta\", alpha = 0.8, beta = 2.0 }}\n\
         [[cluster]]\nid = \"oracle\"\nrate = {rate}\nhit = 0.5\n\
         {}\
         [[pool]]\nid = \"main\"\nsurplus = 2\npremium_to_surplus = 0.1\n\
         [[pool.tranche]]\nid = \"first\"\ncapital = 20\npremium_weight = 0.5\n\
         [[pool.tranche]]\nid = \"second\"\ncapital = 20\npremium_weight = 0.3\n\
         [[pool.tranche]]\nid = \"last\"\ncapital = 60\npremium_weight = 0.2\n",
        products.concat()
    )
}

fn model(text: &str) -> Model {
    Model::from_toml(text).expect("a good document")
}

fn histories(model: &Model, options: &Options) -> Vec<Outcome> {
    paths(model, options, &|_| true).expect("it runs").1
}

fn mean(outcomes: &[Outcome], read: impl Fn(&Outcome) -> f64) -> (f64, f64) {
    let count = outcomes.len() as f64;
    let mean = outcomes.iter().map(&read).sum::<f64>() / count;
    let square = outcomes.iter().map(|o| (read(o) - mean).powi(2)).sum::<f64>();
    (mean, (square / (count - 1.0) / count).sqrt())
}

#[test]
fn books_balance_to_the_unit_in_every_history_of_every_stress() {
    // Capital for less than half of the book, so that some histories end in ruin.
    let text =
        document(0.6, 0.05).replace("capital = 20", "capital = 8").replace("capital = 60", "capital = 24");
    let model = model(&text);
    let mut ruined = [0; 2];
    for (name, scenario) in Scenario::ALL {
        let options = Options { paths: 40, scenario, threads: 2, ..Options::default() };
        let outcomes = histories(&model, &options);
        for (index, outcome) in outcomes.iter().enumerate() {
            let here = format!("{name}, path {index}");
            assert_eq!(outcome.broken, Vec::<String>::new(), "{here}");
            assert_eq!(outcome.unexpected, 0, "{here}: {:?}", outcome.refusals);
            assert_eq!(outcome.stripped, 0, "{here}: an exit took what the exposure needs");
            assert!(outcome.paid <= outcome.due && outcome.due <= outcome.lost, "{here}: {outcome:?}");
            let borne: f64 = outcome.borne.iter().sum();
            assert!((borne - outcome.paid).abs() < 1e-6, "{here}: {borne} borne, {} paid", outcome.paid);
            assert!(outcome.closed.is_some() || outcome.due == outcome.paid, "{here}: short and open");
        }
        // What is asserted above has been put to the test.
        assert!(mean(&outcomes, |o| f64::from(o.incidents)).0 > 1.0, "{name}");
        outcomes.iter().for_each(|o| ruined[usize::from(o.ruined)] += 1);
    }
    assert!(ruined.iter().all(|&paths| paths > 5), "{ruined:?}");
}

#[test]
fn runs_and_spirals_are_worse_than_calm() {
    let model = model(&document(0.1, 0.03));
    let of = |scenario| histories(&model, &Options { paths: 60, scenario, threads: 2, ..Options::default() });
    let (calm, run, spiral) = (of(Scenario::Baseline), of(Scenario::BankRun), of(Scenario::LapseSpiral));
    assert!(calm.iter().all(|o| o.asked == 0.0 && o.lapses == 0 && o.gone == 0));
    let (asked, left) = (mean(&run, |o| o.asked).0, mean(&run, |o| o.left).0);
    assert!(asked > 10.0 && left > 0.0 && left < asked, "asked {asked}, left {left}");
    let queue = mean(&run, |o| o.longest_queue).0;
    assert!(queue > 0.05, "{queue}");
    let lapses = mean(&spiral, |o| f64::from(o.lapses)).0;
    assert!(lapses > 0.5, "{lapses}");
    // Only where somebody loses does somebody leave: same attacks, less cover.
    let (before, after) = (mean(&calm, |o| o.in_force[1]).0, mean(&spiral, |o| o.in_force[1]).0);
    assert!(after < 0.95 * before, "{after} of {before}");
    assert!(calm.iter().zip(&spiral).all(|(a, b)| a.modelled == b.modelled));
}

#[test]
fn threads_change_no_digit_and_seeds_do() {
    let model = model(&document(0.3, 0.03));
    let options = Options { paths: 12, days: 500, scenario: Scenario::Year2022, ..Options::default() };
    let one = run(&model, &options, &|_| true).expect("it runs");
    for threads in [2, 5] {
        let more = run(&model, &Options { threads, ..options.clone() }, &|_| true).expect("it runs");
        assert_eq!(one, more, "{threads} threads");
    }
    let other = run(&model, &Options { seed: 2, ..options }, &|_| true).expect("it runs");
    assert_ne!(one.measures, other.measures);
}

#[test]
fn without_behaviour_the_plain_engine_says_the_same() {
    // Rare events, so that a sum that was paid is seldom hit again before it is restored; next to no premium.
    let model = model(&document(0.05, 0.0));
    let outcomes = histories(&model, &Options { paths: 600, threads: 2, ..Options::default() });
    let (sampler, settler) = (Sampler::new(&model), Settler::new(&model).expect("no treaties"));
    let (mut room, mut year, mut settled) = (Room::default(), Year::default(), Settled::default());
    let mut keys = Stream::new(77, Purpose::Flat, 0);
    let count = 100_000;
    let mut sums = [[0.0f64; 2]; 5];
    for _ in 0..count {
        sampler.year(keys.word(), &mut room, &mut year);
        settler.settle(&mut year, &mut settled);
        let pool = &settled.pools[0];
        let paid = pool.claims - pool.unpaid;
        for (sum, x) in
            sums.iter_mut().zip([paid, pool.borne[0], pool.borne[1], pool.borne[2], pool.borne[3]])
        {
            *sum = [sum[0] + x, sum[1] + x * x];
        }
    }
    for (place, [first, second]) in sums.into_iter().enumerate() {
        let plain = first / f64::from(count);
        let variance = second / f64::from(count) - plain * plain;
        let (played, _) = mean(&outcomes, |o| if place == 0 { o.paid } else { o.borne[place - 1] });
        // By the variance of the many years: a rare layer may not be met at all in the few.
        let allowed = 4.0 * (variance * (1.0 / f64::from(count) + 1.0 / outcomes.len() as f64)).sqrt();
        assert!((played - plain).abs() <= allowed, "{place}: {played} and {plain} +- {allowed}");
        assert!(plain > 0.0);
    }
    // The same years: what the model's events pay is what the contracts pay, but for sums that were hit twice.
    let (paid, _) = mean(&outcomes, |o| o.paid);
    let (modelled, _) = mean(&outcomes, |o| o.modelled);
    assert!((paid / modelled - 1.0).abs() < 0.03, "{paid} of {modelled}");
}

/// One tranche, one product, no attacks of its own.
fn lonely() -> Model {
    let text = "schema = \"breakwater-portfolio/1\"\nname = \"lonely\"\nunit = \"USD\"\n\
         [[severity]]\nid = \"share\"\nlaw = { kind = \"degenerate\", value = 0.5 }\n\
         [[product]]\nid = \"vault\"\nrate = 0\nseverity = \"share\"\nexposure = 1000\ndeductible_share = 0.2\n\
         [[pool]]\nid = \"main\"\n[[pool.tranche]]\nid = \"only\"\ncapital = 1000\n";
    model(text)
}

/// A year in which `amount` is paid on the first product at each of these times.
fn year(times: &[f64], amount: f64) -> Year {
    let mut year = Year::default();
    times.iter().for_each(|&time| year.event(time, 0, &[Hit { product: 0, amount }]));
    year
}

/// The history of the lonely pool in a year made by hand, in which underwriter `leaver` asks to leave at once.
fn lived(year: &Year, leaver: Option<usize>) -> Outcome {
    let model = lonely();
    let options = Options { leverage: Some(3.0), ..Options::default() };
    let conduct = Conduct::of(&model, &options).expect("a pool");
    let setting = Setting::new(&model, conduct, &options).expect("it fits");
    let mut path = Path::open(&setting, 0).expect("it opens");
    if let Some(index) = leaver {
        path.ask(index);
    }
    path.live(std::slice::from_ref(year), Stream::new(1, Purpose::Agents, 0), 365)
}

#[test]
fn who_queued_before_an_incident_bears_it() {
    // A request takes two weeks and then one to two epochs; the attack comes after one week.
    let hit = lived(&year(&[0.02], 300.0), Some(3));
    let [stayed, asked, _] = hit.groups;
    assert_eq!((asked.count, hit.incidents), (1.0, 1));
    let (stayer, leaver) = (stayed.has / stayed.put_in, asked.has / asked.put_in);
    assert!((0.69..0.71).contains(&stayer), "{stayer}");
    assert!((stayer - leaver).abs() < 1e-3, "{leaver} and {stayer}");
    assert!(hit.left > 0.0 && hit.waiting < 1e-6, "he was paid: {hit:?}");
    // Whoever was paid before the attack bears nothing of it.
    let gone = lived(&year(&[0.5], 300.0), Some(3));
    let [stayed, asked, _] = gone.groups;
    assert!(asked.has / asked.put_in > 0.9999, "{asked:?}");
    assert!(stayed.has / stayed.put_in < 0.67, "{stayed:?}");
    assert_eq!((gone.unexpected, hit.unexpected), (0, 0));
}

#[test]
fn a_loss_is_paid_to_the_unit_and_restored() {
    let outcome = lived(&year(&[0.3, 0.6], 200.0), None);
    // Each of four buyers is paid a fifth of his sum, each time, less what rounds down.
    assert!((outcome.paid - 400.0).abs() < 1e-8, "{}", outcome.paid);
    assert_eq!((outcome.due, outcome.unserved), (outcome.paid, 0));
    // Two attacks in one block: the second is told when the first has dwelt, and finds what is left of the sums. Until
    // it is closed more is held for it than is due, so that holders get the rest only then.
    let twice = lived(&year(&[0.3, 0.3], 625.0), None);
    assert_eq!(twice.incidents, 2);
    assert!((twice.due - 859.375).abs() < 1e-6, "{}", twice.due);
    assert_eq!((twice.unexpected, twice.broken.len()), (0, 0), "{:?}", twice.refusals);
    assert!((twice.paid - twice.due).abs() < 1e-8, "{} of {}", twice.paid, twice.due);
}

#[test]
fn what_cannot_be_run_is_named() {
    let good = document(0.1, 0.01);
    let fault = |text: &str, options: Options| -> Fault {
        match run(&model(text), &options, &|_| true) {
            Err(Failure::Fault(fault)) => fault,
            other => panic!("a fault, not {other:?}"),
        }
    };
    let calm = Options { paths: 1, ..Options::default() };
    assert_eq!(fault(&good, Options { paths: 0, ..calm.clone() }).at, "paths");
    assert_eq!(fault(&good, Options { days: 9_999, ..calm.clone() }).at, "days");
    assert_eq!(fault(&good, Options { leverage: Some(11.0), ..calm.clone() }).at, "leverage");
    assert_eq!(fault(&good, Options { pool: Some("other".into()), ..calm.clone() }).at, "pool");
    let four = format!("{good}[[pool.tranche]]\nid = \"more\"\ncapital = 1\n");
    assert_eq!(fault(&four, calm.clone()).at, "pool \"main\".tranche");
    let bare = good.split("[[pool]]").next().expect("a beginning").to_owned();
    assert_eq!(fault(&bare, calm.clone()).at, "pool");
    let thin = good.replace("capital = 20", "capital = 0.01");
    assert!(fault(&thin, calm).what.contains("the lock must be worth"));
    let impatient = Options { paths: 3, ..Options::default() };
    assert_eq!(run(&model(&good), &impatient, &|_| false), Err(Failure::Ended));
    assert_eq!(Scenario::named("2023").expect_err("none").at, "scenario");
    assert_eq!(Scenario::named("2022"), Ok(Scenario::Year2022));
}
