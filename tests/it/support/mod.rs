//! What several domains of tests share: the real programs, the scripted API, known snapshots.

pub mod alertmanager;
pub mod browser;
pub mod bursts;
pub mod certificates;
pub mod history;
pub mod impostor;
pub mod landing;
pub mod looped;
pub mod notified;
pub mod posts;
pub mod process;
pub mod prometheus;
pub mod promtool;
pub mod recorder;
pub mod reference;
pub mod site;
pub mod snapshot;
pub mod text_format;
pub mod upstream;
pub mod webdriver;
pub mod world;
