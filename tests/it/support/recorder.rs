//! A web server that takes every POST and keeps what was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

/// How long a request may be awaited. Generous: a slow machine is no failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came, in its order. The server ends with the test.
pub struct Recorder {
    pub url: String,
    requests: Receiver<(String, String)>,
}

impl Recorder {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                // A client that hangs up early has sent nothing.
                std::thread::spawn(move || take(stream, &sender));
            }
        });
        Self { url, requests }
    }

    /// The next request: its path and its body.
    pub fn next(&self) -> (String, String) {
        self.requests.recv_timeout(PATIENCE).expect("a request comes")
    }
}

/// Takes the requests of one connection.
fn take(stream: TcpStream, sender: &Sender<(String, String)>) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut first = String::new();
        lines.read_line(&mut first).ok().filter(|read| *read > 0)?;
        let path = first.split(' ').nth(1)?.to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            lines.read_line(&mut header).ok().filter(|read| *read > 0)?;
            if header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body).ok()?;
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").ok()?;
        sender.send((path, String::from_utf8(body).ok()?)).ok()?;
    }
}
