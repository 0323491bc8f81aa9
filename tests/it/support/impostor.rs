//! Servers that stand where a Prometheus should, and are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What a server does with every connection once it has read a request.
#[derive(Debug, Clone, Copy)]
pub enum Behaviour {
    /// Says nothing and keeps the connection.
    Hang,
    /// Closes it.
    HangUp,
    /// Says this and keeps the connection.
    Say(&'static str),
    /// Says this again and again.
    GoOn(&'static str),
}

/// A running one.
pub struct Impostor {
    /// Without a slash at the end.
    pub url: String,
    connections: Arc<AtomicUsize>,
}

impl Impostor {
    /// Starts one on a port of its own.
    pub async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                match behaviour {
                    Behaviour::Hang => held.push(stream),
                    Behaviour::HangUp => {}
                    Behaviour::Say(answer) => {
                        let _ = stream.write_all(answer.as_bytes()).await;
                        held.push(stream);
                    }
                    Behaviour::GoOn(answer) => {
                        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
                        let _ = stream.write_all(head.as_bytes()).await;
                        while stream.write_all(answer.as_bytes()).await.is_ok() {}
                    }
                }
            }
        });
        Self { url, connections }
    }

    /// How often somebody has connected.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
