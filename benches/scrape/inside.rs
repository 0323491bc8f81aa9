//! Goals 4 and 5: what a new page costs, measured within this process.

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use tiktok_exporter::budget::Limits;
use tiktok_exporter::clock::{Clock, SystemClock};
use tiktok_exporter::exposition::{COMPRESSION_LEVEL, Exposition, Telemetry};
use tiktok_exporter::ledger::Ledger;
use tiktok_exporter::state::State;
use tiktok_exporter::store::Store;
use tiktok_exporter::web::MetricsPage;

use crate::goals::{Goals, ms, note};
use crate::peers;
use crate::timing::{cpu_of, ratio};
use crate::world;

fn exposition(state: &State) -> Exposition {
    let telemetry = Telemetry::new().unwrap();
    let store = Arc::new(Store::in_memory().unwrap());
    let ledger = Arc::new(Ledger::open(store, Limits::default(), SystemClock.now()).unwrap());
    Exposition::new(state.clone(), ledger, Arc::new(SystemClock), &telemetry).unwrap()
}

/// Room for a page that no page has been in: so large an allocation is never memory that was given
/// back before.
fn new_memory() -> String {
    String::with_capacity(64 << 20)
}

/// As a print does it, and nothing else.
fn deflated(text: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(COMPRESSION_LEVEL));
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

pub fn measure(goals: &mut Goals) {
    let hashtags = world::hashtags_for(150_000);
    let state = State::default();
    state.publish(world::snapshot(hashtags, SystemClock.now()));
    let shown = exposition(&state);

    let rendered = || {
        let mut text = new_memory();
        shown.render(|part| text.push_str(part));
        text
    };
    let text = rendered();
    let copied = || {
        let mut copy = new_memory();
        copy.push_str(&text);
        copy
    };
    let (render, memcpy) = (cpu_of(15, rendered), cpu_of(15, copied));
    let how = format!("{} against {}", ms(render), ms(memcpy));
    goals.at_most("4. render to memcpy of the page", ratio(render, memcpy), 3.0, &how);

    // As a print takes it, piece by piece.
    let render = cpu_of(15, || shown.render(|part| _ = black_box(part)));
    let registry = peers::registry(hashtags, SystemClock.now());
    let encode = cpu_of(5, || peers::encoded(&registry));
    let how = format!("{} against {}", ms(render), ms(encode));
    goals.at_most("4. render to gather + encode", ratio(render, encode), 1.0 / 40.0, &how);
    drop(registry);

    let compress = cpu_of(9, || deflated(&text));
    let mut ready: Vec<Exposition> = (0..9).map(|_| exposition(&state)).collect();
    let refresh = cpu_of(9, || ready.pop().map(MetricsPage::new));
    let how = format!("{} against {}", ms(refresh), ms(compress));
    goals.at_most("5. refresh to compressing alone", ratio(refresh, compress), 1.4, &how);

    let print = shown.print().unwrap();
    let figures = cpu_of(31, || (shown.mark(&print), shown.process_figures()));
    note("CPU of what is read for every scrape", &ms(figures));
    note("CPU of the own figures, made when one has changed", &ms(cpu_of(31, || shown.own_figures(&print))));
}
