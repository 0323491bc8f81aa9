//! The walls of the house: which room may import which. A room imports rooms that stand before it, never one
//! behind it, so that data walk one way and there are no circles.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The member crates. None of them knows the exporter; each may use those before it.
const CRATES: [&str; 4] = ["units", "metrics-page", "exporter-web", "tiktok-api"];

/// The rooms of `src/`, lowest first. A new room gets its place here, and in the map of `src/lib.rs`.
const ROOMS: [&str; 19] = [
    "model",
    "watch",
    "discovery",
    "state",
    "schedule",
    "store",
    "credits",
    "config",
    "telemetry",
    "gateway",
    "page",
    "poller",
    "http_client",
    "prometheus",
    "lookups",
    "brief",
    "web",
    "history",
    "app",
];

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The room of a file in `src/`; `None` for the crate root and the program.
fn room(path: &Path) -> Option<String> {
    let first = path.strip_prefix(project().join("src")).unwrap().components().next().unwrap();
    let name = first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
    (!["lib", "main"].contains(&&*name)).then_some(name)
}

/// The rooms that the code of a file names as `crate::room`, without comments and its unit tests.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String =
        code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut rooms = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            // The first name of each part: of `crate::{credits::{Ledger, Limits}, model::Purpose}` two rooms.
            Some(list) => {
                let mut depth = 0;
                let mut starts = true;
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => starts = true,
                        c if starts && (c.is_alphanumeric() || c == '_') => {
                            rooms.insert(name(&list[at..]));
                            starts = false;
                        }
                        _ => {}
                    }
                }
            }
            None => {
                rooms.insert(name(rest));
            }
        }
    }
    rooms
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::credits::Ledger;\nuse crate::{\n    model::{Purpose, Trip},\n    state::State,\n};\n\
                // use crate::web;\nfn f() -> crate::store::Store {}\n#[cfg(test)]\nmod tests;\nuse crate::page::Page;\n\
                #[cfg(test)]\nmod tests {\n    use crate::app::App;\n}\n";
    let found: Vec<String> = imports(text).into_iter().collect();
    assert_eq!(found, ["credits", "model", "page", "state", "store"]);
}

#[test]
fn no_import_runs_up_between_rooms() {
    let place = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut wrong = Vec::new();
    for path in files(&project().join("src")) {
        let Some(from) = room(&path).filter(|room| room != "cli") else { continue };
        let shown = path.strip_prefix(project()).unwrap().display().to_string();
        let Some(own) = place(&from) else {
            wrong.push(format!("{shown}: the room {from} has no place in ROOMS"));
            continue;
        };
        for to in imports(&fs::read_to_string(&path).unwrap()) {
            match place(&to) {
                Some(other) if other > own => {
                    wrong.push(format!("{shown}: {from} imports {to}, which stands behind it"))
                }
                None if to == "cli" => wrong.push(format!("{shown}: {from} imports the command line")),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_crate_knows_one_behind_it_or_the_exporter() {
    let mut wrong = Vec::new();
    for (index, name) in CRATES.iter().enumerate() {
        let folder = project().join("crates").join(name);
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        let named: BTreeSet<&str> =
            dependencies.lines().filter_map(|line| line.split(['.', '=', ' ']).next()).collect();
        for later in CRATES[index + 1..].iter().chain(&["tiktok-exporter"]) {
            if named.contains(later) {
                wrong.push(format!("crates/{name} depends on {later}"));
            }
        }
        assert!(
            folder.join("README.md").exists(),
            "crates/{name} has no README.md, which is its documentation"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(project().join("src/lib.rs")).unwrap();
    let missing: Vec<_> = ROOMS.iter().filter(|room| !map.contains(&format!("`{room}`"))).collect();
    assert!(missing.is_empty(), "src/lib.rs does not say what lives in {missing:?}");
    for path in files(&project().join("src")) {
        if let Some(room) = room(&path) {
            assert!(ROOMS.contains(&&*room) || room == "cli", "{} is on no map", path.display());
        }
    }
}
