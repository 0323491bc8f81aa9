//! The tutorial's table with values of every kind in every column, and its file with damage.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use rusqlite::Connection;
use rusqlite::types::Value;
use tiktok_api::Hashtag;
use tiktok_exporter::history::Directory;
use tiktok_exporter::history::tutorial::{Report, Settings, import};
use units::Timestamp;

use crate::wild_input::mutate::mutate;

const ROWS: usize = 10_000;
const FILES: usize = 10_000;
/// 2025-06-01, a midnight.
const BEGIN: i64 = 1_748_736_000;
const HOURS: i64 = 12;
const TABLE: &str = "CREATE TABLE hashtag_snapshot (captured_at, name, challenge_id, post_count, view_count, \
    velocity, last_24h, daily_avg_7d)";

fn settings() -> Settings {
    Settings {
        group: "g".to_owned(),
        max_age: Duration::from_secs(3_600),
        step: Duration::from_secs(300),
        now: Timestamp::from_secs(BEGIN + HOURS * 3_600),
    }
}

fn wild(random: &mut Rng) -> Value {
    match random.u8(..12) {
        0 => Value::Null,
        1 => Value::Integer(random.i64(..)),
        2 => Value::Integer(i64::MAX),
        3 => Value::Real(f64::INFINITY),
        4 => Value::Real(-1.0),
        5 => Value::Real(1e300),
        6 => Value::Real(random.f64() * 7.0),
        7 => Value::Text("12".to_owned()),
        8 => Value::Text("x\ny\"".to_owned()),
        9 => Value::Blob(vec![0xff, 0, 1]),
        _ => Value::Integer(random.i64(0..1_000_000)),
    }
}

/// A row; most of its values are of the right kind.
fn row(random: &mut Rng) -> [Value; 8] {
    let names = ["booktok", "#BookTok", "日本", "café", "two words", "", "a\"b", "x\\y"];
    let good = [
        Value::Integer(BEGIN + random.i64(0..HOURS * 3_600)),
        Value::Text((*random.choice(names).unwrap()).to_owned()),
        Value::Text("123".to_owned()),
        Value::Integer(random.i64(0..1_000_000)),
        Value::Integer(random.i64(0..1_000_000_000_000)),
        Value::Real(random.f64() * 7.0),
        Value::Integer(random.i64(0..35)),
        Value::Real(random.f64() * 5.0),
    ];
    good.map(|good| if random.u8(..8) == 0 { wild(random) } else { good })
}

fn write(path: &Path, rows: &[[Value; 8]]) {
    let mut connection = Connection::open(path).unwrap();
    connection.execute_batch(TABLE).unwrap();
    let transaction = connection.transaction().unwrap();
    for row in rows {
        let insert = "INSERT INTO hashtag_snapshot VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        transaction.execute(insert, rusqlite::params_from_iter(row.iter())).unwrap();
    }
    transaction.commit().unwrap();
}

/// Every sample of these families in the files of a directory: series, value, seconds.
fn samples(directory: &Path) -> Vec<(String, f64, i64)> {
    let mut samples = Vec::new();
    for file in fs::read_dir(directory).unwrap() {
        for line in fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            if line.starts_with('#') {
                continue;
            }
            let (rest, time) = line.rsplit_once(' ').unwrap();
            let (series, value) = rest.rsplit_once(' ').unwrap();
            samples.push((series.to_owned(), value.parse().unwrap(), time.parse::<f64>().unwrap() as i64));
        }
    }
    samples
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Real(number) => Some(*number),
        _ => None,
    }
}

#[test]
fn no_sample_is_written_that_no_row_has() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("wild.sqlite");
    let mut random = Rng::with_seed(8);
    let rows: Vec<[Value; 8]> = (0..ROWS).map(|_| row(&mut random)).collect();
    write(&database, &rows);
    let output = folder.path().join("out");
    let directory = Directory::create(&output, &[]).unwrap();
    let report = import(&database, &directory, &settings(), |_| {}).unwrap();
    assert_eq!(report.rows, ROWS as u64);
    let left_out: u64 = report.left_out.values().sum();
    assert!(report.imported > 3_000 && left_out > 3_000, "{report:?}");

    // By hashtag and second, whatever the table has of a column.
    let mut table: BTreeMap<(usize, String, i64), Vec<f64>> = BTreeMap::new();
    for row in &rows {
        let (Value::Integer(at), Value::Text(name)) = (&row[0], &row[1]) else { continue };
        let Ok(hashtag) = Hashtag::parse(name) else { continue };
        for (column, value) in row.iter().enumerate().skip(3) {
            let values = table.entry((column, hashtag.as_str().to_owned(), *at)).or_default();
            values.extend(number(value));
        }
    }
    let samples = samples(&output);
    assert_eq!(samples.len() as u64, report.samples);
    let times: BTreeMap<(String, i64), f64> = samples
        .iter()
        .filter(|(series, ..)| series.starts_with("tiktok_hashtag_last_success_timestamp_seconds"))
        .map(|(series, value, time)| ((name_in(series), *time), *value))
        .collect();
    let mut compared = 0;
    for (series, value, time) in &samples {
        assert!(value.is_finite(), "{series} {value}");
        let column = match series.split('{').next().unwrap() {
            "tiktok_hashtag_posts" => 3,
            "tiktok_hashtag_views" => 4,
            "tiktok_hashtag_sample_velocity" => 5,
            "tiktok_hashtag_sample_posts" if series.contains("24h") => 6,
            _ => continue,
        };
        let name = name_in(series);
        let read_at = times[&(name.clone(), *time)] as i64;
        assert!(read_at <= *time && *time - read_at <= 3_600, "{series}: read at {read_at}, shown at {time}");
        let has = table.get(&(column, name, read_at)).map_or(&[][..], Vec::as_slice);
        assert!(has.contains(value), "{series} {value} at {time}: the row of {read_at} has {has:?}");
        assert!((0.0..9.1e15).contains(value), "{series} {value}: no count is so");
        compared += 1;
    }
    assert!(compared > 1_000, "{compared}");
}

/// The hashtag of a series, as the table has it.
fn name_in(series: &str) -> String {
    let (_, rest) = series.split_once("hashtag=\"").unwrap();
    let mut name = String::new();
    let mut characters = rest.chars();
    while let Some(character) = characters.next().filter(|character| *character != '"') {
        name.push(if character == '\\' { characters.next().unwrap() } else { character });
    }
    name
}

#[test]
fn a_damaged_file_is_refused_or_read_as_far_as_it_goes() {
    // In memory where there is such a place: it is written ten thousand times.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let good = folder.path().join("good.sqlite");
    let mut random = Rng::with_seed(9);
    let connection = Connection::open(&good).unwrap();
    connection.execute_batch("PRAGMA page_size = 512").unwrap();
    drop(connection);
    let mut rows: Vec<[Value; 8]> = (0..6).map(|_| row(&mut random)).collect();
    for (row, at) in rows.iter_mut().zip(0..) {
        row[0] = Value::Integer(BEGIN + at * 100);
    }
    write(&good, &rows);
    let bytes = fs::read(&good).unwrap();
    let damaged = folder.path().join("damaged.sqlite");
    let output = folder.path().join("out");
    let now = Timestamp::from_secs(BEGIN + 7_200);
    let settings = Settings { max_age: Duration::from_secs(300), now, ..settings() };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..FILES {
        fs::write(&damaged, mutate(&bytes, &mut random)).unwrap();
        if output.exists() {
            fs::remove_dir_all(&output).unwrap();
        }
        let directory = Directory::create(&output, &[]).unwrap();
        match import(&damaged, &directory, &settings, |_| {}) {
            Ok(Report { rows, imported, .. }) => {
                assert!(imported <= rows && rows < 10_000, "{rows} rows of 6, {imported} imported");
                read += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("damaged.sqlite"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(read > FILES / 20 && refused > FILES / 20, "{read} were read, {refused} refused");
}
