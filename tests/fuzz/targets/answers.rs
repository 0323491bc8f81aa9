//! Any bytes as an answer to any question: what is read must stand in them.

#![no_main]

#[allow(dead_code, reason = "the test's own cases are not used here")]
#[path = "../../it/wild_input/answers.rs"]
mod answers;
#[allow(dead_code, reason = "the fuzzer does its own damage")]
#[path = "../../it/wild_input/mutate.rs"]
mod mutate;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tiktok_api::{Dialect, Query};

static QUERIES: LazyLock<Vec<Query>> = LazyLock::new(answers::queries);

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else { return };
    let query = &QUERIES[usize::from(*choice) % QUERIES.len()];
    if let Ok(answer) = Dialect::default().read(query, &answers::answer(200, body.to_vec())) {
        answers::is_said(query, body, &answer);
    }
});
