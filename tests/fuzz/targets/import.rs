//! Any bytes as a database to import.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use tiktok_exporter::history::Directory;
use tiktok_exporter::history::tutorial::{Settings, import};
use tiktok_exporter::model::Timestamp;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));
static DATABASE: LazyLock<PathBuf> = LazyLock::new(|| FOLDER.path().join("fuzz.sqlite"));

fuzz_target!(|bytes: &[u8]| {
    let settings = Settings {
        group: "g".to_owned(),
        max_age: Duration::from_secs(300),
        step: Duration::from_secs(300),
        // Half a day of readings is enough to write.
        now: Timestamp::from_secs(1_472_688_000 + 43_200),
    };
    std::fs::write(&*DATABASE, bytes).expect("room");
    let output = FOLDER.path().join("out");
    let directory = Directory::create(&output, &[]).expect("a folder");
    if let Ok(report) = import(&DATABASE, &directory, &settings, |_| {}) {
        assert!(report.imported <= report.rows);
    }
    std::fs::remove_dir_all(output).expect("a folder");
});
