//! A real browser.

use std::process::Command;

/// The document at `url` as the browser holds it once it is loaded and its scripts have run.
pub async fn document(url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut chromium = Command::new("chromium");
    chromium
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        // They would take from the width of a page, on some systems only.
        .arg("--hide-scrollbars")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--dump-dom", url]);
    let output = tokio::task::spawn_blocking(move || chromium.output()).await.unwrap();
    let output = output.expect("chromium is needed (Debian package chromium)");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the browser failed: {complaints}");
    let document = String::from_utf8(output.stdout).unwrap();
    assert!(document.contains("</html>"), "no document came back: {document:?}; {complaints}");
    document
}
