//! Goals 4 and 5: what a new page costs, measured within this process.

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use metrics_page::{COMPRESSION_LEVEL, PageSource};
use tiktok_exporter::credits::{Ledger, Limits};
use tiktok_exporter::page::{Exposition, MetricsPage};
use tiktok_exporter::state::State;
use tiktok_exporter::store::Store;
use tiktok_exporter::telemetry::Telemetry;
use units::{Clock, SystemClock};

use crate::goals::{Goals, ms, note};
use crate::peers;
use crate::timing::{ROUNDS, Spread, cpu_of, median};
use crate::world;

fn exposition(state: &State) -> Exposition {
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let store = Arc::new(Store::in_memory().unwrap());
    let ledger = Arc::new(Ledger::open(store, Limits::default(), SystemClock.now()).unwrap());
    Exposition::new(state.clone(), ledger, Arc::new(SystemClock), telemetry)
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

/// The processor time of `one` to that of `other`, by turns, each so many times in a round. And where it
/// is from.
fn by_turns<T, O>(
    mut one: impl FnMut() -> T,
    times: usize,
    mut other: impl FnMut() -> O,
    others: usize,
) -> (Spread, String) {
    let mut took: [Vec<_>; 2] = Default::default();
    for _ in 0..ROUNDS {
        took[0].push(cpu_of(times, &mut one));
        took[1].push(cpu_of(others, &mut other));
    }
    let ratios = Spread::of_ratios(&took[0], &took[1]);
    let [one, other] = took.map(|mut took| ms(median(&mut took)));
    let how = format!("{one} against {other}; {ratios}");
    (ratios, how)
}

pub fn measure(goals: &mut Goals) {
    let hashtags = world::hashtags_for(150_000);
    let state = State::default();
    state.publish(world::snapshot(hashtags, SystemClock.now()));
    let shown = exposition(&state);

    let rendered = || {
        let mut text = new_memory();
        shown.write_results(|part| text.push_str(part));
        text
    };
    let text = rendered();
    let copied = || {
        let mut copy = new_memory();
        copy.push_str(&text);
        copy
    };
    let how = by_turns(rendered, 3, copied, 3);
    goals.at_most("4. render to memcpy of the page", how.0.median(), 3.0, &how.1);

    // Piece by piece, as it is compressed.
    let registry = peers::registry(hashtags, SystemClock.now());
    let how =
        by_turns(|| shown.write_results(|part| _ = black_box(part)), 9, || peers::encoded(&registry), 1);
    goals.at_most("4. render to gather + encode", how.0.median(), 1.0 / 40.0, &how.1);
    drop(registry);

    let mut ready: Vec<Exposition> = (0..3 * ROUNDS).map(|_| exposition(&state)).collect();
    let how = by_turns(|| ready.pop().map(MetricsPage::new), 3, || deflated(&text), 3);
    goals.at_most("5. refresh to compressing alone", how.0.median(), 1.4, &how.1);

    let page = shown.render().unwrap().extra;
    let figures = cpu_of(31, || (shown.mark(&page), shown.live_figures()));
    note("CPU of what is read for every scrape", &ms(figures));
    note("CPU of the own figures, made when one has changed", &ms(cpu_of(31, || shown.own_figures(&page))));
}
