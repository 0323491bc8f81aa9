//! Goals 1, 2, 3, 6, 7 and 9: scrapes of results that do not change.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::exporter::{Exporter, count_results};
use crate::goals::{Goals, mb, ms, note, short};
use crate::peers;
use crate::timing::{Cost, Ends, ROUNDS, Spread, by_turns, median, quantile, ratio, scraped_during};
use crate::world::hashtags_for;

/// Pages of every size.
pub fn measure(goals: &mut Goals) {
    small(goals);
    let fifteen = Exporter::idle(hashtags_for(15_000));
    let mut costs = vec![costs(&fifteen)];
    drop(fifteen);
    let middle = Exporter::idle(hashtags_for(150_000));
    against_nginx(goals, &middle);
    costs.push(against_gauge_vec(goals, &middle));
    throughput(goals, &middle);
    healthy(goals, &middle);
    drop(middle);
    costs.push(large(goals));
    for (kind, (ends, gzip)) in KINDS.into_iter().enumerate() {
        let per_byte = costs.iter().map(|cost| cost[kind].per_byte());
        let (least, most) =
            per_byte.fold((f64::MAX, 0.0), |(least, most), one| (one.min(least), one.max(most)));
        let each: Vec<String> = costs.iter().map(|cost| ms(cost[kind].cpu)).collect();
        let how = format!("CPU per scrape of 15 k, 150 k and 1.5 M samples: {}", each.join(", "));
        let goal = format!("3. CPU per body byte, {}, {ends}: most to least", form(gzip));
        goals.at_most(&goal, most / least, 2.0, &how);
    }
}

/// In which ways a scrape is made whose processor time is measured.
const KINDS: [(Ends, bool); 4] =
    [(Ends::Together, true), (Ends::Together, false), (Ends::Apart, true), (Ends::Apart, false)];

fn form(gzip: bool) -> &'static str {
    if gzip { "gzip" } else { "plain" }
}

/// Of each kind.
fn costs(exporter: &Exporter) -> [Cost; KINDS.len()] {
    KINDS.map(|(ends, gzip)| Cost::of(&exporter.program, ends, gzip))
}

fn small(goals: &mut Goals) {
    let hashtags = hashtags_for(1_500);
    let exporter = Exporter::idle(hashtags);
    let peer = peers::gauge_vec(hashtags, peers::FASTEST);
    let usual = peers::gauge_vec(hashtags, peers::USUAL);
    let (plain, gzip) = exporter.page();
    let (nginx, _files) = peers::nginx(&plain, &gzip);
    let programs = [&exporter.program, &nginx, &peer, &usual];
    for ends in Ends::BOTH {
        let several = programs.map(|program| Cost::of(program, ends, true).cpu);
        let one = programs.map(|program| Cost::of_one(program, ends, true, 100));
        let goal = format!("2. CPU per gzip scrape to GaugeVec's, 1,500 samples, {ends}");
        let how = format!("{} against {}", ms(several[0]), ms(several[2]));
        goals.at_most(&goal, ratio(several[0], several[2]), 0.01, &how);
        for (clients, [own, nginx, peer, usual]) in [("8 clients", several), ("one client", one)] {
            let ratios =
                [nginx, peer, usual].map(|other| format!("{} to {}", short(ratio(own, other)), ms(other)));
            let how = format!("{}: {}", ms(own), ratios.join(", "));
            note(&format!("with {clients}, to nginx, GaugeVec, GaugeVec with the usual compression"), &how);
        }
    }
    now_and_then(&exporter);
}

/// Scrapes that are far apart: whatever is kept for less than a second counts.
fn now_and_then(exporter: &Exporter) {
    let mut client = exporter.client();
    client.get("/metrics", true);
    let before = exporter.program.cpu();
    const SCRAPES: u32 = 10;
    for _ in 0..SCRAPES {
        std::thread::sleep(Duration::from_millis(1_100));
        client.get("/metrics", true);
    }
    let cpu = (exporter.program.cpu() - before) / SCRAPES;
    note(&format!("CPU of 1.1 s with one scrape, {} samples", exporter.samples()), &ms(cpu));
}

fn against_nginx(goals: &mut Goals, exporter: &Exporter) {
    let (plain, gzip) = exporter.page();
    assert_eq!(count_results(&crate::client::unpacked(&gzip)), exporter.samples());
    let how = format!("{} to {}", mb(plain.len() as f64), mb(gzip.len() as f64));
    goals.at_least("5. gzip ratio of the page", plain.len() as f64 / gzip.len() as f64, 7.5, &how);
    let (nginx, _files) = peers::nginx(&plain, &gzip);
    let servers = [exporter.program.address, nginx.address];
    for (gzip, scrapes) in [(true, 40), (false, 10)] {
        let [own, peer] = by_turns(servers, scrapes, gzip);
        let ratios = Spread::of_ratios(&own, &peer);
        let [own, peer] = [own, peer].map(|mut times| ms(median(&mut times)));
        let form = form(gzip);
        let goal = format!("1. {form} scrape, p50, to nginx's");
        goals.at_most(&goal, ratios.median(), 1.3, &format!("{own} against {peer}; {ratios}"));
        for ends in Ends::BOTH {
            let [own, peer] = [&exporter.program, &nginx].map(|program| Cost::of(program, ends, gzip));
            let how = format!("{}, {}", ms(own.cpu), ms(peer.cpu));
            note(&format!("CPU of a {form} scrape, and nginx's, {ends}"), &how);
        }
    }
}

fn against_gauge_vec(goals: &mut Goals, exporter: &Exporter) -> [Cost; KINDS.len()] {
    let peer = peers::gauge_vec(hashtags_for(exporter.samples()), peers::FASTEST);
    let own = costs(exporter);
    for (own, (ends, _)) in own.iter().zip(KINDS).filter(|(_, (_, gzip))| *gzip) {
        let cost = Cost::of(&peer, ends, true);
        let how = format!("{} against {}", ms(own.cpu), ms(cost.cpu));
        let goal = format!("2. CPU per gzip scrape to GaugeVec's, 150,000 samples, {ends}");
        goals.at_most(&goal, ratio(own.cpu, cost.cpu), 1.0 / 400.0, &how);
    }
    now_and_then(exporter);
    own
}

fn throughput(goals: &mut Goals, exporter: &Exporter) {
    let (bare, _files) = peers::bare(&exporter.page().1);
    let programs = [&exporter.program, &bare];
    let (mut scrapes, mut ratios) = ([0; 2], Vec::new());
    for _ in 0..ROUNDS {
        let round = programs.map(|program| {
            let work = || std::thread::sleep(Duration::from_millis(600));
            scraped_during(program, 8, true, work).0
        });
        scrapes = [scrapes[0] + round[0], scrapes[1] + round[1]];
        ratios.push(round[0] as f64 / round[1] as f64);
    }
    let ratios = Spread::of(ratios);
    let how = format!("{} scrapes against {} in the same time; {ratios}", scrapes[0], scrapes[1]);
    goals.at_least("7. throughput with 8 clients to a bare server's", ratios.median(), 0.7, &how);
}

fn healthy(goals: &mut Goals, exporter: &Exporter) {
    let (scrapes, mut times) = scraped_during(&exporter.program, 4, true, || {
        let mut client = exporter.client();
        let (begun, mut times) = (Instant::now(), Vec::new());
        while begun.elapsed() < Duration::from_secs(10) {
            times.push(client.get("/-/healthy", true).took);
            std::thread::sleep(Duration::from_millis(5));
        }
        times
    });
    let (middle, late) = (median(&mut times), quantile(&mut times, 0.99));
    let how = format!("{} requests beside {scrapes} scrapes; p50 {}", times.len(), ms(middle));
    goals.at_most("9. /-/healthy, p99, ms", late.as_secs_f64() * 1e3, 5.0, &how);
}

fn large(goals: &mut Goals) -> [Cost; KINDS.len()] {
    let hashtags = hashtags_for(1_500_000);
    let mut exporter = Exporter::idle(hashtags);
    let peer = peers::gauge_vec(hashtags, peers::FASTEST);
    Client::new(peer.address).get("/metrics", true);
    // As it is after one start in its life, with one scrape.
    exporter.restart();
    exporter.client().get("/metrics", true);
    let (before, own_peak) = (exporter.program.resident(), exporter.program.peak());
    for (name, own, peer) in [("resident", before, peer.resident()), ("peak", own_peak, peer.peak())] {
        let how = format!("{} against {}", mb(own), mb(peer));
        goals.at_most(&format!("6. {name} memory to GaugeVec's, 1.5 M samples"), own / peer, 0.05, &how);
    }
    drop(peer);
    scraped_during(&exporter.program, 8, true, || std::thread::sleep(Duration::from_secs(3)));
    let after = exporter.program.resident();
    let how = format!("{} to {}", mb(before), mb(after));
    goals.at_most("6. growth with 8 scrapers, %", (after / before - 1.0) * 100.0, 5.0, &how);
    let costs = costs(&exporter);
    note("resident after plain scrapes of 1.5 M samples", &mb(exporter.program.resident()));
    costs
}
