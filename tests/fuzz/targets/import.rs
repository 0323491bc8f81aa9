//! A database to import, of any bytes, or with any values in its rows.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::arbitrary::{self, Arbitrary, Unstructured};
use units::Timestamp;
use libfuzzer_sys::fuzz_target;
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;
use tiktok_exporter::history::Directory;
use tiktok_exporter::history::tutorial::{Settings, import};

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a folder")
});
static DATABASE: LazyLock<PathBuf> = LazyLock::new(|| FOLDER.path().join("fuzz.sqlite"));

/// 2016-09-01, before which the platform had no posts.
const BEGIN: i64 = 1_472_688_000;
const ROWS: u64 = 40;

/// What may stand in a field: mostly what belongs there, or nearly.
#[derive(Debug, Arbitrary)]
enum Field {
    Nothing,
    Near(u16),
    Whole(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Field {
    fn value(self, good: Value) -> Value {
        match self {
            Field::Nothing => Value::Null,
            Field::Near(more) => match good {
                Value::Integer(number) => Value::Integer(number + i64::from(more)),
                other => other,
            },
            Field::Whole(number) => Value::Integer(number),
            Field::Real(number) => Value::Real(number),
            Field::Text(text) => Value::Text(text),
            Field::Bytes(bytes) => Value::Blob(bytes),
        }
    }
}

/// Writes a table as the tutorial does, with these fields. Returns how many rows it has.
fn write(mut input: Unstructured<'_>) -> u64 {
    let connection = Connection::open(&*DATABASE).expect("a database");
    let table = "PRAGMA synchronous = OFF; CREATE TABLE hashtag_snapshot (captured_at, name, challenge_id, \
                 post_count, view_count, velocity, last_24h, daily_avg_7d)";
    connection.execute_batch(table).expect("a table");
    let mut rows = 0;
    while rows < ROWS && !input.is_empty() {
        let good = [
            Value::Integer(BEGIN + rows as i64 * 600),
            Value::Text("booktok".to_owned()),
            Value::Text("123".to_owned()),
            Value::Integer(1_000),
            Value::Integer(1_000_000),
            Value::Real(1.5),
            Value::Integer(3),
            Value::Real(2.0),
        ];
        let Ok(fields) = input.arbitrary::<[Field; 8]>() else { break };
        let row = fields.into_iter().zip(good).map(|(field, good)| field.value(good));
        let insert = "INSERT INTO hashtag_snapshot VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        connection.execute(insert, rusqlite::params_from_iter(row)).expect("a row");
        rows += 1;
    }
    rows
}

fuzz_target!(|bytes: &[u8]| {
    let settings = Settings {
        group: "g".to_owned(),
        max_age: Duration::from_secs(300),
        step: Duration::from_secs(300),
        // Half a day of readings is enough to write.
        now: Timestamp::from_secs(BEGIN + 43_200),
    };
    let _ = std::fs::remove_file(&*DATABASE);
    // SQLite's own files begin with its name; everything else is fields.
    let rows = if bytes.starts_with(b"SQLite") {
        std::fs::write(&*DATABASE, bytes).expect("room");
        None
    } else {
        Some(write(Unstructured::new(bytes)))
    };
    let output = FOLDER.path().join("out");
    let directory = Directory::create(&output, &[]).expect("a folder");
    let imported = import(&DATABASE, &directory, &settings, |_| {});
    match (imported, rows) {
        (Ok(report), Some(rows)) => assert!(report.rows == rows && report.imported <= rows),
        (Ok(report), None) => assert!(report.imported <= report.rows),
        (Err(_), _) => {}
    }
    std::fs::remove_dir_all(output).expect("a folder");
});
