//! `check` as an operator meets it: the real program, its exit codes and its two outputs.

use std::io::Write;
use std::process::{Command, Output};

const KEY: &str = "s3cr3tk3y";

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"));
    command.args(arguments).env_clear();
    command
}

fn check(toml: &str, variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let output = program(&["check", "--config.file", path]).envs(variables.iter().copied()).output().unwrap();
    texts(&output)
}

fn texts(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_good_configuration_is_summed_up() {
    let toml = "[[watch]]\nhashtags = [\"a\", \"b\"]\nregions = [\"US\", \"GB\"]\n\
        [[watch]]\nhashtags = [\"c\"]\ngroup = \"g\"\npages_max = 1\n";
    let (code, out, err) = check(toml, &[("TIKLIVE_API_KEY", KEY)]);
    assert_eq!((code, err.as_str()), (0, ""));
    let facts: Vec<&str> = out.lines().skip(2).collect();
    assert_eq!(
        facts,
        [
            "shard                none: one exporter watches everything",
            "hashtags             3",
            "regions              3 (any, GB, US)",
            "pairs                5",
            "groups               2: default (2 hashtags, 4 pairs), g (1 hashtag, 1 pair)",
            "totals every         6h",
            "posts every          1d",
            "pages per sample     at most 1, 3 of 35 posts",
            "values shown for     2d",
            "discovery            none",
            "credits per day      at most 25 when nothing fails (12 for totals, 13 for posts)",
            "credits per 30 days  at most 750 when nothing fails (360 for totals, 390 for posts)",
            "rate limit           200 requests per minute, 0.01 % of it needed",
            "API                  https://api.tikliveapi.com/",
            "API key              from TIKLIVE_API_KEY",
            "store                tiktok-exporter.sqlite",
            "listens on           127.0.0.1:10110",
        ]
    );
}

#[test]
fn a_missing_key_is_only_a_warning() {
    let (code, out, err) = check("[[watch]]\nhashtags = [\"a\", \"a\"]", &[]);
    assert_eq!(code, 0);
    assert!(out.contains("API key              missing"), "{out}");
    let warnings = "warning: watch[0].hashtags[1]: #a is already listed in this block\n\
        warning: TIKLIVE_API_KEY: no API key is set; it is needed to serve\n";
    assert_eq!(err, warnings);
}

#[test]
fn a_bad_configuration_exits_with_78_and_every_problem() {
    let (code, out, err) = check("[posts]\npage_size = 36\n", &[("TIKTOK_EXPORTER__API__KEY", KEY)]);
    assert_eq!((code, out.as_str()), (78, ""));
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines.len(), 4, "{err}");
    assert_eq!(lines[1], "posts.page_size: 36 is out of range (1 to 35)");
    assert_eq!(lines[3], "3 problems in the configuration");
    assert!(!err.contains(KEY), "{err}");
}

#[test]
fn a_bad_key_or_a_missing_file_exits_with_78() {
    let (code, _, err) = check("[[watch]]\nhashtags = [\"a\"]", &[("TIKLIVE_API_KEY", "a b")]);
    assert_eq!(code, 78);
    assert!(err.starts_with("TIKLIVE_API_KEY: contains a space"), "{err}");

    let output = program(&["check", "--config.file", "/nowhere/at/all.toml"]).output().unwrap();
    let (code, _, err) = texts(&output);
    assert_eq!(
        (code, err.as_str()),
        (78, "/nowhere/at/all.toml: does not exist\n1 problem in the configuration\n")
    );
}

#[test]
fn a_bad_command_line_exits_with_64() {
    for arguments in [&["check"][..], &["chek"], &["check", "--config.file"], &["check", "--nope"], &[]] {
        assert_eq!(program(arguments).output().unwrap().status.code(), Some(64), "{arguments:?}");
    }
    let (code, out, _) = texts(&program(&["--version"]).output().unwrap());
    assert_eq!((code, out), (0, format!("tiktok-exporter {}\n", env!("CARGO_PKG_VERSION"))));
}
