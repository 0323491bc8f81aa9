//! What the exporter is compared with: the usual way to write one, the least that a server can do,
//! and nginx.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;

use prometheus::{GaugeVec, Opts, Registry, TextEncoder};
use tempfile::TempDir;
use tiktok_exporter::page::result_families;
use tiktok_exporter::state::Snapshot;
use units::Timestamp;

use crate::process::{Program, directory, free_address, role};
use crate::world;

/// A registry with a `GaugeVec` for each family, and all of so many hashtags set.
pub fn registry(hashtags: usize, now: Timestamp) -> Registry {
    let registry = Registry::new();
    let mut vectors: Vec<(String, GaugeVec)> = Vec::new();
    for state in world::states(hashtags, now) {
        // One by one: what is needed to fill the vectors is not to count as theirs.
        for family in
            result_families(&Snapshot { hashtags: vec![Arc::new(state)], ..Snapshot::default() }, now)
        {
            let vector = vectors.iter().position(|(name, _)| name == family.name()).unwrap_or_else(|| {
                let labels: Vec<&str> =
                    family.get_metric()[0].get_label().iter().map(|pair| pair.name()).collect();
                let vector = GaugeVec::new(Opts::new(family.name(), family.help()), &labels).unwrap();
                registry.register(Box::new(vector.clone())).unwrap();
                vectors.push((family.name().to_owned(), vector));
                vectors.len() - 1
            });
            for metric in family.get_metric() {
                let values: Vec<&str> = metric.get_label().iter().map(|pair| pair.value()).collect();
                vectors[vector].1.with_label_values(&values).set(metric.get_gauge().get_value());
            }
        }
    }
    registry
}

/// Gathers and encodes.
pub fn encoded(registry: &Registry) -> Vec<u8> {
    TextEncoder::new().encode_to_string(&registry.gather()).unwrap().into_bytes()
}

fn compressed(text: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The program that gathers, encodes and compresses for every scrape.
pub fn gauge_vec_program(hashtags: usize, level: u32, address: SocketAddr) {
    let registry = registry(hashtags, Timestamp::from_secs(1_800_000_000));
    serve(address, move |request| {
        let text = encoded(&registry);
        if request.contains("gzip") { answer(&compressed(&text, level), true) } else { answer(&text, false) }
    });
}

/// The server that has its answer ready, whatever is asked.
pub fn bare_program(file: &str, address: SocketAddr) {
    let ready: Arc<[u8]> = answer(&fs::read(file).unwrap(), true).into();
    serve(address, move |_| ready.clone());
}

fn answer(body: &[u8], gzip: bool) -> Vec<u8> {
    let encoding = if gzip { "Content-Encoding: gzip\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n{encoding}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// One thread for each connection.
fn serve<A: AsRef<[u8]> + 'static>(address: SocketAddr, answer: impl Fn(&str) -> A + Send + Sync + 'static) {
    let answer = Arc::new(answer);
    for stream in TcpListener::bind(address).unwrap().incoming() {
        let (mut stream, answer) = (stream.unwrap(), answer.clone());
        std::thread::spawn(move || {
            stream.set_nodelay(true).unwrap();
            while let Some(request) = request(&mut stream) {
                if stream.write_all(answer(&request).as_ref()).is_err() {
                    return;
                }
            }
        });
    }
}

fn request(stream: &mut TcpStream) -> Option<String> {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
    String::from_utf8(request).ok()
}

/// The level of the fastest compression that there is.
pub const FASTEST: u32 = 1;

/// The level that compressors take when nobody says anything, as most programs leave it.
pub const USUAL: u32 = 6;

/// Starts the program of `GaugeVec`s.
pub fn gauge_vec(hashtags: usize, level: u32) -> Program {
    let address = free_address();
    let arguments = [hashtags.to_string(), level.to_string(), address.to_string()];
    Program::start(role("gauge-vec").args(arguments), address)
}

/// Starts the bare server with a compressed page.
pub fn bare(page: &[u8]) -> (Program, TempDir) {
    let (directory, address) = (directory(), free_address());
    let file = directory.path().join("page");
    fs::write(&file, page).unwrap();
    (Program::start(role("bare").arg(file).arg(address.to_string()), address), directory)
}

/// Starts nginx with a page in both forms, at `/metrics`.
pub fn nginx(plain: &[u8], gzip: &[u8]) -> (Program, TempDir) {
    let (directory, address) = (directory(), free_address());
    let path = directory.path();
    fs::write(path.join("metrics"), plain).unwrap();
    fs::write(path.join("metrics.gz"), gzip).unwrap();
    let configuration = format!(
        "daemon off; pid {root}/pid; error_log stderr; worker_processes auto;
         events {{}}
         http {{
             access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
             open_file_cache max=10; default_type 'text/plain; version=0.0.4';
             client_body_temp_path {root}/a; proxy_temp_path {root}/b; fastcgi_temp_path {root}/c;
             uwsgi_temp_path {root}/d; scgi_temp_path {root}/e;
             server {{ listen {address}; root {root}; gzip_static on; }}
         }}",
        root = path.display()
    );
    let file = path.join("nginx.conf");
    fs::write(&file, configuration).unwrap();
    // Its workers are another user when it is started by root.
    let _ = Command::new("chmod").args(["-R", "a+rX"]).arg(path).status();
    (Program::start(Command::new("nginx").arg("-c").arg(&file), address), directory)
}
