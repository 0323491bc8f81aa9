//! Any text as a web configuration: refused, or as closed as it says.

#![no_main]

#[allow(dead_code, reason = "the fuzzer does its own damage")]
#[path = "../../it/wild_input/mutate.rs"]
mod mutate;
#[allow(dead_code, reason = "the test's own cases are not used here")]
#[path = "../../it/wild_input/web_config.rs"]
mod web_config;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(config) = web_config::parse(text) {
        web_config::is_as_closed_as_it_says(&config, text);
    }
});
