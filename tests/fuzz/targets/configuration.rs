//! Any text as a configuration: refused, or within its ranges.

#![no_main]

#[allow(dead_code, reason = "the test's own cases are not used here")]
#[path = "../../it/wild_input/configuration.rs"]
mod configuration;
#[allow(dead_code, reason = "the fuzzer does its own damage")]
#[path = "../../it/wild_input/mutate.rs"]
mod mutate;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(loaded) = tiktok_exporter::config::load_str(text, []) {
        configuration::is_within_its_ranges(&loaded.config);
    }
});
