//! The capital engine at the command line: figures, reproducibility, tables of years, and every bad input.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor as _;
use serde_json::Value;
use support::{breakwater, stderr, stdout};

/// An example as a document to change.
fn example(name: &str) -> String {
    let output = breakwater(&["capital", "example", name]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

/// `capital run -` with a document on standard input.
fn run(document: &str, arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_breakwater"))
        .args(["capital", "run", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let document = document.to_owned();
    let mut stdin = child.stdin.take().unwrap();
    // A command that refuses its flags does not read.
    let writer = std::thread::spawn(move || drop(stdin.write_all(document.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn json(output: &Output) -> Value {
    let text = stdout(output);
    assert_eq!((output.status.code(), text.lines().count()), (Some(0), 1), "{}", stderr(output));
    serde_json::from_str(&text).unwrap()
}

fn found(document: &str, arguments: &[&str]) -> Value {
    json(&run(document, &[arguments, &["--json"]].concat()))
}

/// That a figure is within 3.5 of its standard errors of what it should be, `slack` aside.
fn near(found: &Value, path: &str, expected: f64, slack: f64) {
    let value = found.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}"));
    let error = found.pointer(&format!("/standard_errors{path}")).and_then(Value::as_f64).unwrap();
    assert!(error > 0.0 && error < 0.1 * expected, "{path}: standard error {error}");
    assert!(
        (value - expected).abs() <= 3.5 * error + slack,
        "{path}: {value} ± {error}, expected {expected}"
    );
}

const YEARS: [&str; 2] = ["--years", "200000"];

/// The exact values are computed by Fourier transforms of the discretised law, converged to the digits shown; those of
/// the net year come from 2.4e9 simulated years of another program. The slack is their last digit.
#[test]
fn the_reference_job_is_what_it_is() {
    let cp500 = found(&example("cp500"), &YEARS);
    let gross =
        [("mean", 4.53670), ("sd", 5.08420), ("var99", 23.335), ("var995", 26.925), ("tvar99", 28.5428)];
    for (name, expected) in gross {
        near(&cp500, &format!("/gross/{name}"), expected, 0.003);
    }
    let net =
        [("mean", 2.89076), ("sd", 2.27341), ("var99", 10.1270), ("var995", 11.4203), ("tvar99", 11.3813)];
    for (name, expected) in net {
        near(&cp500, &format!("/net/{name}"), expected, 0.0005);
    }
    let layers = [
        ("0/mean", 1.08098),
        ("1/mean", 0.555453),
        ("2/mean", 0.009553),
        ("0/attach", 0.3988),
        ("1/attach", 0.1276),
    ];
    for (place, expected) in layers {
        near(&cp500, &format!("/layers/{place}"), expected, 0.00005);
    }
    let parts = [(499, 3.9354), (498, 2.3382), (494, 1.7932), (497, 1.5849), (496, 1.0947)];
    for (product, expected) in parts {
        let part = cp500.pointer(&format!("/allocation/{product}/tvar99")).unwrap().as_f64().unwrap();
        let error =
            cp500.pointer(&format!("/standard_errors/allocation/{product}")).unwrap().as_f64().unwrap();
        assert!((part - expected).abs() <= 3.5 * error, "{product}: {part} ± {error}, expected {expected}");
    }
    let sum: f64 =
        cp500["allocation"].as_array().unwrap().iter().map(|p| p["tvar99"].as_f64().unwrap()).sum();
    let whole = cp500["gross"]["tvar99"].as_f64().unwrap();
    assert!((sum - whole).abs() < 1e-9 * whole, "{sum} of {whole}");
}

#[test]
fn the_reference_job_without_dependence() {
    let indep = example("cp500")
        .replace("mixing = \"attackers\"\n", "")
        .replace("rate = 0.02\nhit", "rate = 0.0\nhit");
    let indep = found(&indep, &YEARS);
    let gross =
        [("mean", 3.46180), ("sd", 3.61385), ("var99", 17.6725), ("var995", 19.675), ("tvar99", 20.8072)];
    for (name, expected) in gross {
        near(&indep, &format!("/gross/{name}"), expected, 0.003);
    }
    near(&indep, "/layers/0/mean", 0.658860, 0.0);
    near(&indep, "/layers/1/mean", 0.305917, 0.0);
    // Over-dispersed counts without shocks.
    let mixed = example("cp500").replace("rate = 0.02\nhit", "rate = 0.0\nhit");
    let mixed = found(&mixed, &YEARS);
    let gross =
        [("mean", 3.46181), ("sd", 4.00698), ("var99", 18.900), ("var995", 21.465), ("tvar99", 22.7374)];
    for (name, expected) in gross {
        near(&mixed, &format!("/gross/{name}"), expected, 0.003);
    }
}

#[test]
fn threads_and_forms_change_no_digit() {
    let document = example("cp500");
    let once = |arguments: &[&str]| {
        let mut value = found(&document, &[&["--years", "50000", "--seed", "7"], arguments].concat());
        assert!(value["seconds"].as_f64().unwrap() > 0.0);
        value["seconds"] = Value::Null;
        value
    };
    let one = once(&["--threads", "1"]);
    for threads in ["2", "4", "8"] {
        assert_eq!(once(&["--threads", threads]), one, "{threads} threads");
    }
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("t.parquet");
    assert_eq!(once(&["--table", table.to_str().unwrap()]), one, "with a table");
    // The same portfolio as JSON, from a file.
    let portfolio: breakwater_capital::Portfolio =
        breakwater_capital::Portfolio::from_toml(&document).unwrap();
    let file = folder.path().join("p.json");
    std::fs::write(&file, serde_json::to_string_pretty(&portfolio).unwrap()).unwrap();
    let arguments = ["capital", "run", file.to_str().unwrap(), "--years", "50000", "--seed", "7", "--json"];
    let mut of_json = json(&breakwater(&arguments));
    of_json["seconds"] = Value::Null;
    assert_eq!(of_json, one, "as JSON");
    let other = found(&document, &["--years", "50000", "--seed", "8"]);
    assert_ne!(other["gross"], one["gross"]);
    assert_ne!(other["hashes"]["seed"], one["hashes"]["seed"]);
    assert_eq!(other["hashes"]["data"], one["hashes"]["data"]);
}

#[test]
fn every_example_runs_and_says_everything() {
    let listed = stdout(&breakwater(&["capital", "example", "--json"]));
    let names: Vec<Value> = listed.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(names.len() >= 3, "{listed}");
    for name in names {
        let name = name["name"].as_str().unwrap();
        let value = found(&example(name), &["--years", "20000"]);
        assert_whole(&value, name);
        for side in ["gross", "net"] {
            let keys: Vec<&String> = value[side].as_object().unwrap().keys().collect();
            assert_eq!(keys, ["mean", "sd", "var99", "var995", "tvar99"], "{name}");
        }
        for key in ["layers", "allocation", "standard_errors", "seconds", "hashes"] {
            assert!(!value[key].is_null(), "{name}: {key}");
        }
        let text = run(&example(name), &["--years", "20000"]);
        assert_eq!(text.status.code(), Some(0), "{name}: {}", stderr(&text));
        assert!(stdout(&text).contains("TVaR 99 %") && stderr(&text).is_empty(), "{name}");
        assert!(
            !stdout(&text).contains("NaN") && !stdout(&text).contains("inf"),
            "{name}: {}",
            stdout(&text)
        );
    }
}

/// That no number is missing: JSON has no other word for "not a number".
fn assert_whole(value: &Value, at: &str) {
    match value {
        Value::Null => panic!("{at} is null"),
        Value::Array(all) => all.iter().enumerate().for_each(|(i, v)| assert_whole(v, &format!("{at}/{i}"))),
        Value::Object(all) => all.iter().for_each(|(k, v)| assert_whole(v, &format!("{at}/{k}"))),
        _ => {}
    }
}

#[test]
fn a_single_year_and_a_portfolio_without_losses_have_no_nan() {
    assert_whole(&found(&example("small"), &["--years", "1"]), "one year");
    let quiet = example("small");
    let quiet: String = quiet
        .lines()
        .map(|l| if l.starts_with("rate =") { "rate = 0.0\n".into() } else { format!("{l}\n") })
        .collect();
    let value = found(&quiet, &["--years", "5000"]);
    assert_whole(&value, "no losses");
    assert_eq!(value["gross"]["tvar99"], 0.0);
    assert_eq!(run(&quiet, &["--years", "5000"]).status.code(), Some(0));
}

/// The committed schema is the one the types have. To renew it: `breakwater capital schema > docs/portfolio.schema.json`.
#[test]
fn the_schema_in_the_documents_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/portfolio.schema.json");
    let printed = breakwater(&["capital", "schema"]);
    assert_eq!(printed.status.code(), Some(0));
    let fresh = stdout(&printed) == std::fs::read_to_string(path).unwrap();
    assert!(fresh, "docs/portfolio.schema.json is not what `breakwater capital schema` prints");
    let schema: Value = serde_json::from_str(&stdout(&printed)).unwrap();
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn a_report_is_one_file_and_what_it_replaces_is_whole_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r.html");
    for threads in ["1", "3"] {
        let arguments = ["--years", "50000", "--threads", threads, "--report", file.to_str().unwrap()];
        assert_eq!(run(&example("small"), &arguments).status.code(), Some(0));
        let page = std::fs::read_to_string(&file).unwrap();
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        assert_eq!(page.matches("<svg ").count(), 7);
        std::fs::rename(&file, folder.path().join(threads)).unwrap();
    }
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("1"), read("3"), "threads change no byte");
    let nowhere = folder.path().join("no/r.html");
    let output = run(&example("small"), &["--years", "1000", "--report", nowhere.to_str().unwrap()]);
    assert_refused(&output, 1, "No such file or directory");
    if cfg!(target_os = "linux") {
        let output = run(&example("small"), &["--years", "1000", "--report", "/dev/full"]);
        assert_refused(&output, 1, "/dev/full: No space left on device");
    }
}

/// Year, weight, then variables, by row.
fn rows(file: &Path) -> (Vec<String>, Vec<Vec<f64>>) {
    let reader = SerializedFileReader::new(std::fs::File::open(file).unwrap()).unwrap();
    let fields = reader.metadata().file_metadata().schema().get_fields().to_vec();
    let names = fields.iter().map(|f| f.name().to_owned()).collect();
    let row = |row: parquet::record::Row| {
        let year = row.get_long(0).unwrap() as f64;
        std::iter::once(year).chain((1..row.len()).map(|i| row.get_double(i).unwrap())).collect()
    };
    (names, reader.get_row_iter(None).unwrap().map(|r| row(r.unwrap())).collect())
}

#[test]
fn a_table_has_every_year_and_layers_add_up_in_each() {
    let folder = tempfile::tempdir().unwrap();
    let table = |threads: &str| folder.path().join(format!("{threads}.parquet"));
    let write = |threads: &str| {
        let file = table(threads);
        found(
            &example("small"),
            &["--years", "150001", "--threads", threads, "--table", file.to_str().unwrap()],
        )
    };
    let value = write("1");
    write("4");
    assert_eq!(
        std::fs::read(table("1")).unwrap(),
        std::fs::read(table("4")).unwrap(),
        "threads change no byte"
    );
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    let (names, rows) = rows(&table("1"));
    let expected = [
        "year",
        "weight",
        "gross",
        "net",
        "largest",
        "treaty/quota share",
        "treaty/per event",
        "treaty/stop loss",
        "tranche/main/surplus",
        "tranche/main/junior",
        "tranche/main/senior",
    ];
    assert_eq!(names, expected);
    assert_eq!(rows.len(), 150_001);
    let mut sum = 0.0;
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row[0], (index + 1) as f64);
        // Years are drawn where the losses are, and weigh accordingly.
        assert!(row[1] > 0.0 && row[1] < 10.0, "year {index}: {row:?}");
        let (gross, net) = (row[2], row[3]);
        let ceded: f64 = row[5..8].iter().sum();
        assert!((gross - net - ceded).abs() <= 1e-9 * (1.0 + gross), "year {index}: {row:?}");
        let borne: f64 = row[8..].iter().sum();
        assert!((net.min(21.0) - borne).abs() <= 1e-9 * (1.0 + net), "year {index}: {row:?}");
        assert!(row[4] <= gross * (1.0 + 1e-6), "year {index}: {row:?}");
        sum += row[1] * gross;
    }
    let mean = value["gross"]["mean"].as_f64().unwrap();
    assert!((sum / 150_001.0 - mean).abs() < 1e-9 * mean);
}

/// A document with one place changed; the place must be there.
fn changed(from: &str, to: &str) -> String {
    let document = example("small");
    assert!(document.contains(from), "{from}");
    document.replacen(from, to, 1)
}

fn assert_refused(output: &Output, status: i32, wrong: &str) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(status), "{text}");
    assert_eq!(stdout(output), "", "stdout is for data");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("error: ") && lines[0].contains(wrong), "expected {wrong:?} in: {text}");
    assert!(lines[1].starts_with("right: ") && lines[2].starts_with(" more: "), "{text}");
}

#[test]
fn what_is_impossible_is_refused_with_its_place() {
    let unlike = r#"hit = 0.4
copula = { kind = "gaussian", matrix = [[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]] }"#;
    let overlap = r#"[[treaty]]
id = "again"
cover = { kind = "event-excess", attachment = 6.0, limit = 6.0 }
[[treaty]]
id = "per event""#;
    let cases = [
        (
            "rate = 0.05",
            "rate = -0.05",
            r#"product "exchange".rate: -0.05; it must be a finite number, at least 0"#,
        ),
        ("rate = 0.05", "rate = nan", r#"product "exchange".rate: NaN"#),
        ("exposure = 8.0", "exposure = inf", r#"product "exchange".exposure: inf"#),
        ("exposure = 8.0", "exposure = 95.0", "95 is above the value locked, 90"),
        ("id = \"exchange\"", "id = \"lender\"", r#"product[1].id: "lender" is product[0] already"#),
        ("sigma = 1.0", "sigma = 0.0", r#"severity "drain".law.body.sigma"#),
        ("weights = [5, 3, 1.5, 0.5]", "weights = [5, 3]", "there are 2 weights for 4 values"),
        ("hit = 0.4", "hit = 1.4", r#"cluster "oracle".hit: 1.4; it must be from 0 to 1"#),
        ("hit = 0.4", unlike, r#"("vault" with "exchange"): not positive definite"#),
        ("[[treaty]]\nid = \"per event\"", overlap, "overlapping: "),
        ("after = [\"quota share\", \"per event\"]", "after = [\"stop loss\"]", "circular: "),
        ("share = 0.2", "share = 1.2", r#"treaty "quota share".share: 1.2"#),
        ("capital = 6.0", "capital = -1.0", r#"pool "main".tranche "junior".capital: -1"#),
        (
            "severity = \"depeg\"",
            "severity = \"depegg\"",
            r#""depegg" is not in the document; known: depeg, drain"#,
        ),
        ("portfolio/1", "portfolio/9", r#"this version reads "breakwater-portfolio/1""#),
        // Documents that do not parse, with their lines.
        ("unit = \"USD million\"", "", "missing field `unit`"),
        ("name = \"small\"", "name = \"small", "line 3: "),
        ("shape = 4.0", "shape = \"four\"", "line 9: invalid type"),
        ("premium = 0.5\n", "premium = 0.5\ncolour = \"red\"\n", "line 53: unknown field `colour`"),
        ("kind = \"quota-share\"", "kind = \"quota\"", "unknown variant `quota`"),
        ("limit = 6.0, annual", "limmit = 6.0, annual", "unknown field `limmit`"),
    ];
    for (from, to, wrong) in cases {
        let output = run(&changed(from, to), &["--years", "1000"]);
        assert_refused(
            &output,
            2,
            &format!("standard input: {}", if wrong.starts_with("line") { wrong } else { "" }),
        );
        assert_refused(&output, 2, wrong);
    }
    let heavy = changed("xi = 0.5", "xi = 1.2").replace("cap = 1.0\n", "");
    assert_refused(&run(&heavy, &["--years", "1000"]), 2, "infinite");
    let empty = "schema = \"breakwater-portfolio/1\"\nname = \"x\"\nunit = \"x\"\n";
    assert_refused(&run(empty, &[]), 2, "a portfolio has at least one product");
    assert_refused(&run("", &[]), 2, "missing field `schema`");
    assert_refused(
        &run("{\"schema\": \"breakwater-portfolio/1\",\n \"title\": 1}", &[]),
        2,
        "line 2: unknown field `title`",
    );
}

#[test]
fn wrong_words_and_files_are_refused() {
    let small = example("small");
    let cases = [
        (["--years", "0"], "0 is not in 1..=2147483648"),
        (["--years", "-1"], "'-1' for '--years"),
        (["--years", "many"], "'many' for '--years"),
        (["--years", "2147483649"], "2147483649 is not in"),
        (["--seed", "-1"], "'-1' for '--seed"),
        (["--seed", "1.5"], "'1.5' for '--seed"),
        (["--seed", "dice"], "'dice' for '--seed"),
        (["--threads", "0"], "0 is not in 1..=1024"),
        (["--method", "guess"], "'guess' for '--method"),
    ];
    for (arguments, wrong) in cases {
        assert_refused(&run(&small, &arguments), 2, wrong);
    }
    assert_refused(&breakwater(&["capital"]), 2, "a command is missing");
    assert_refused(&breakwater(&["capital", "run"]), 2, "<FILE>");
    assert_refused(
        &breakwater(&["capital", "run", "no such file"]),
        2,
        "cannot read no such file: No such file",
    );
    assert_refused(&breakwater(&["capital", "example", "cp501"]), 2, "there is no example \"cp501\"");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_refused(&breakwater(&["capital", "run", path]), 2, "Is a directory");
    let binary = folder.path().join("years.parquet");
    std::fs::write(&binary, b"PAR1\xff\xfe").unwrap();
    assert_refused(&breakwater(&["capital", "run", binary.to_str().unwrap()]), 2, "byte 5 is not UTF-8");
    let nowhere = folder.path().join("no/t.parquet");
    let output = run(&small, &["--years", "1000", "--table", nowhere.to_str().unwrap()]);
    assert_refused(&output, 1, "No such file or directory");
    assert!(!stderr(&output).contains(".part"), "{}", stderr(&output));
    assert_refused(&run(&small, &["--years", "1000", "--table", path]), 1, "cannot write");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure_and_no_file_is_left() {
    let small = example("small");
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full.parquet");
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    let output = run(&small, &["--years", "300000", "--table", full.to_str().unwrap()]);
    assert_refused(&output, 1, "full.parquet: No space left on device");
    // Standard output that does not take the result.
    let status = Command::new(env!("CARGO_BIN_EXE_breakwater"))
        .args(["capital", "example", "cp500"])
        .stdout(std::fs::File::options().write(true).open("/dev/full").unwrap())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_run_and_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let (document, table) = (folder.path().join("p.toml"), folder.path().join("t.parquet"));
    std::fs::write(&document, example("cp500")).unwrap();
    std::fs::write(&table, "as it was").unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_breakwater"))
        .args(["capital", "run", document.to_str().unwrap(), "--years", "2000000000"])
        .args(["--table", table.to_str().unwrap(), "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Rows have been written once the file beside the table has grown.
    let grown = || {
        let mut entries = std::fs::read_dir(folder.path()).unwrap();
        entries.any(|e| {
            let e = e.unwrap();
            e.file_name().to_string_lossy().ends_with(".part") && e.metadata().unwrap().len() > 100_000
        })
    };
    while !grown() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_refused(&output, 1, "interrupted after ");
    assert_eq!(std::fs::read_to_string(&table).unwrap(), "as it was");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
}
