//! The real web server on a port of its own, over results made by hand.

#![allow(dead_code, reason = "no test needs all of it")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exporter_web::Access;
use tiktok_api::Dialect;
use tiktok_exporter::brief::{BestPosts, BriefService};
use tiktok_exporter::config::PrometheusConfig;
use tiktok_exporter::credits::{Ledger, Limits};
use tiktok_exporter::page::{Exposition, MetricsPage};
use tiktok_exporter::state::State;
use tiktok_exporter::store::Store;
use tiktok_exporter::telemetry::Telemetry;
use tiktok_exporter::web::{self, App, Readiness, ReloadRequest};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::snapshot::{NOW, SetClock};

/// A running server and what its pages are made from.
pub struct Site {
    pub state: State,
    pub telemetry: Arc<Telemetry>,
    pub store: Arc<Store>,
    pub readiness: Readiness,
    pub stopping: CancellationToken,
    pub serving: JoinHandle<()>,
    pub address: SocketAddr,
    client: reqwest::Client,
}

fn best_posts(store: Arc<Store>) -> BestPosts {
    Arc::new(move |hashtag, region| store.best_posts(hashtag, region))
}

impl Site {
    /// Serves an empty watchlist; `reload` is who reloads, if that is allowed.
    pub async fn start(reload: Option<mpsc::Sender<ReloadRequest>>) -> Self {
        Self::with_prometheus(reload, &PrometheusConfig::default()).await
    }

    /// The same, whose briefs ask this Prometheus.
    pub async fn with_prometheus(
        reload: Option<mpsc::Sender<ReloadRequest>>,
        prometheus: &PrometheusConfig,
    ) -> Self {
        Self::open(reload, prometheus, None).await
    }

    /// Serves an empty watchlist to whom this web configuration file lets in.
    pub async fn guarded(web_config: &Path) -> Self {
        Self::open(None, &PrometheusConfig::default(), Some(web_config.to_owned())).await
    }

    async fn open(
        reload: Option<mpsc::Sender<ReloadRequest>>,
        prometheus: &PrometheusConfig,
        web_config: Option<PathBuf>,
    ) -> Self {
        let (state, clock) = (State::default(), SetClock::at(NOW));
        let telemetry = Arc::new(Telemetry::new().unwrap());
        let store = Arc::new(Store::in_memory().unwrap());
        let ledger = Arc::new(Ledger::open(store.clone(), Limits::default(), NOW).unwrap());
        let exposition = Exposition::new(state.clone(), ledger, clock.clone(), telemetry.clone());
        let readiness = Readiness::default();
        let stopping = CancellationToken::new();
        let page = MetricsPage::new(exposition).unwrap();
        tokio::spawn(page.clone().keep_rendering(stopping.clone()));
        let access = Access::from_file(web_config, telemetry.clone()).unwrap();
        let app = App {
            page,
            state: state.clone(),
            brief: BriefService::new(prometheus, best_posts(store.clone())).unwrap(),
            clock,
            readiness: readiness.clone(),
            reload,
            provider: watch::channel(Dialect::default().provider()).1,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving =
            tokio::spawn(web::server(app, access).serve([listener], stopping.clone().cancelled_owned()));
        // Fails when a provider is installed already, which is as good. None is used: no TLS here.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A page that never comes is to fail its test, not to hang it.
        let client = reqwest::Client::builder()
            .no_proxy()
            .no_gzip()
            .tls_certs_only([])
            .timeout(Duration::from_secs(30));
        let client = client.build().unwrap();
        Self { state, telemetry, store, readiness, stopping, serving, address, client }
    }

    /// The address of a page.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a request without a body.
    pub async fn request(&self, method: reqwest::Method, path: &str) -> reqwest::Response {
        self.send(method, path, &[]).await
    }

    /// Sends a request with these headers. Nothing is unpacked.
    pub async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> reqwest::Response {
        let mut request = self.client.request(method, self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// Waits until the metrics tell of these results: they are printed in the background.
    pub async fn prints(&self, is_printed: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let page = self.page("/metrics").await;
            if is_printed(&page) {
                return page;
            }
            assert!(Instant::now() < deadline, "the results are never printed: {page}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The text of a page that is there.
    pub async fn page(&self, path: &str) -> String {
        let response = self.request(reqwest::Method::GET, path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }
}
