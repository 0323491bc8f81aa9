//! The stack as `docker compose up` starts it. No Docker runs here: the compose file is checked
//! against its schema and against what it names, and what its containers run is started as
//! processes, from the files that the containers mount.

mod file;
mod image;
mod kubernetes;
mod notifications;
mod schema;
mod stack;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the project.
fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the project.
fn read(path: &str) -> String {
    let path = project().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs a command that must succeed, and returns what it printed.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot run {command:?}: {error}; ./tests/run installs what is missing")
    });
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{command:?} failed:\n{text}");
    text
}

/// The exporter with these arguments.
fn exporter() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"))
}

/// The files in a folder of the project whose names end so.
fn files_in(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(ending));
    files.sort();
    files
}
