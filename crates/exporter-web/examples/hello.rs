//! Serves `/metrics`, with the web configuration file that the first argument names.

use std::sync::Arc;

use axum::{Router, routing::get};
use exporter_web::{Access, Server, bind};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config_file = std::env::args().nth(1).map(Into::into); // --web.config.file
    let access = Access::from_file(config_file, Arc::new(()))?;
    let listeners = bind(&[":9100".parse()?]).await?; // --web.listen-address
    let router = Router::new().route("/metrics", get(|| async { "up 1\n" }));
    let shutdown = async { _ = tokio::signal::ctrl_c().await };
    Server::new(router, access).serve(listeners, shutdown).await;
    Ok(())
}
