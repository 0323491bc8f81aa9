//! A web configuration with users, spoilt. What is accepted must close the door as an independent
//! reader of YAML would have it closed.

use std::path::Path;

use exporter_web::AccessConfig;
use fastrand::Rng;
use serde_norway::Value;

use crate::wild_input::mutate::mutate;

const CASES: usize = 10_000;

const GOOD: &str = "\
# Who may come in.
http_server_config:
  http2: true
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=600
basic_auth_users:
  alice: $2y$05$aaaaaaaaaaaaaaaaaaaaaOUbWaPNO2qDB5LGFNmbGb21QtxtRoCCq
  bob: '$2b$06$aaaaaaaaaaaaaaaaaaaaaOUbWaPNO2qDB5LGFNmbGb21QtxtRoCCq'
rate_limit:
  interval: 1s
  burst: 20
";

/// Most of a hash. Pieces of one may be taken for keys by the damage, and named.
const SECRET: &str = "aaaaaaaaaaOUbWaPNO2qDB5LGFNmbGb21QtxtR";

pub fn parse(text: &str) -> Result<AccessConfig, String> {
    AccessConfig::parse("web.yml", text, Path::new("/nonexistent")).map_err(|problems| problems.to_string())
}

/// Checks the configuration against what another reader of YAML makes of the text.
pub fn is_as_closed_as_it_says(config: &AccessConfig, text: &str) {
    let tree = serde_norway::from_str::<Value>(text).ok();
    let users = tree.as_ref().and_then(|tree| tree.get("basic_auth_users")?.as_mapping());
    if let Some(users) = users {
        assert_eq!(config.is_open(), users.is_empty(), "{} users: {text}", users.len());
    }
}

#[test]
fn a_spoilt_web_configuration_is_refused_or_as_closed_as_it_says() {
    assert!(!parse(GOOD).unwrap().is_open());
    let mut random = Rng::with_seed(8);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..CASES {
        let text = String::from_utf8_lossy(&mutate(GOOD.as_bytes(), &mut random)).into_owned();
        match parse(&text) {
            Ok(config) => {
                is_as_closed_as_it_says(&config, &text);
                accepted += 1;
            }
            Err(problems) => {
                assert!(!problems.contains(SECRET), "a hash is quoted: {problems}");
                refused += 1;
            }
        }
    }
    assert!(accepted > CASES / 20 && refused > CASES / 20, "{accepted} were accepted, {refused} refused");
}

#[test]
fn a_file_that_swells_in_memory_is_refused_before_it_does() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let last = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb += &format!("a{level}: &a{level} [{last}]\n");
    }
    for text in [bomb, "[".repeat(100_000), "{a: ".repeat(50_000), "- ".repeat(100_000)] {
        let start: String = text.chars().take(20).collect();
        assert!(parse(&text).is_err(), "{start}… is accepted");
    }
}
