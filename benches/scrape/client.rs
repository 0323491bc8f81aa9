//! A client that costs as little as it can: one kept connection, nothing unpacked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A kept connection.
pub struct Client {
    stream: TcpStream,
    /// The last answer: headers and body.
    buffer: Vec<u8>,
    filled: usize,
}

/// What came back.
pub struct Answer<'a> {
    /// The body as it was sent.
    pub body: &'a [u8],
    /// From sending the request to having the last byte.
    pub took: Duration,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; 1 << 20], filled: 0 }
    }

    /// The page at `path`, compressed or not.
    pub fn get(&mut self, path: &str, gzip: bool) -> Answer<'_> {
        let encoding = if gzip { "gzip" } else { "identity" };
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\n\r\n");
        self.send(&request, if path == "/metrics" && gzip { "gzip" } else { "" })
    }

    /// Reads the page and keeps nothing of it, as a client does that unpacks what comes in.
    pub fn pass(&mut self, gzip: bool) {
        const KEPT: usize = 256 << 10;
        let encoding = if gzip { "gzip" } else { "identity" };
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\n\r\n");
        self.stream.write_all(request.as_bytes()).unwrap();
        let (headers, length) = self.head(&request);
        let mut left = headers + length - self.filled;
        while left > 0 {
            let read = self.stream.read(&mut self.buffer[..KEPT]).unwrap();
            assert_ne!(read, 0, "the connection ended within an answer");
            left -= read;
        }
    }

    /// Posts nothing to `path`.
    pub fn post(&mut self, path: &str) -> Answer<'_> {
        self.send(&format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"), "")
    }

    fn send(&mut self, request: &str, encoding: &str) -> Answer<'_> {
        let begun = Instant::now();
        self.stream.write_all(request.as_bytes()).unwrap();
        let (headers, length) = self.head(request);
        let head = std::str::from_utf8(&self.buffer[..headers]).unwrap();
        assert_eq!(field(head, "content-encoding").unwrap_or_default(), encoding, "{head}");
        let whole = headers + length;
        if self.buffer.len() < whole {
            self.buffer.resize(whole, 0);
        }
        while self.filled < whole {
            self.read();
        }
        assert_eq!(self.filled, whole, "more than one answer");
        Answer { body: &self.buffer[headers..whole], took: begun.elapsed() }
    }

    /// Reads the headers and perhaps more; says how long they are, and how long the body.
    fn head(&mut self, request: &str) -> (usize, usize) {
        self.filled = 0;
        let headers = loop {
            self.read();
            if let Some(at) = self.buffer[..self.filled].windows(4).position(|end| end == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = std::str::from_utf8(&self.buffer[..headers]).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{request:?} is answered with {head}");
        let length = field(head, "content-length").expect("a body of known length").parse().unwrap();
        (headers, length)
    }

    fn read(&mut self) {
        let read = self.stream.read(&mut self.buffer[self.filled..]).unwrap();
        assert_ne!(read, 0, "the connection ended within an answer");
        self.filled += read;
    }
}

/// The value of a header.
fn field(head: &str, name: &str) -> Option<String> {
    let head = head.to_ascii_lowercase();
    Some(head.split_once(&format!("\r\n{name}: "))?.1.split_once('\r')?.0.to_owned())
}

/// The text of a compressed page. Checks its checksum.
pub fn unpacked(body: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = body;
    flate2::bufread::GzDecoder::new(&mut rest).read_to_string(&mut text).unwrap();
    assert!(rest.is_empty(), "bytes after the gzip member");
    text
}
