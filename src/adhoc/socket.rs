//! The way from a command to the desk of a running exporter: a Unix domain socket beside the store.
//!
//! A browser cannot reach it, and neither can another machine or another user: only the owner of the
//! socket and root are answered. Whoever asks writes one line of JSON and reads lines of JSON until
//! the answer; whoever hangs up before that is not answered any further.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Desk, Question, Quote, Reason, Refusal, Reply};
use crate::gateway::Bill;

/// Raised when the two sides would not understand each other any more.
const VERSION: u32 = 1;
/// Questions that are answered at the same time; those beyond wait.
const AT_ONCE: usize = 16;
/// A longer question is none.
const LONGEST_LINE: u64 = 16 << 10;
/// For a question to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How often the one who asks is told how far it is.
const NEWS_EVERY: Duration = Duration::from_millis(200);
/// The wait after an error of the listener itself.
const RECOVERY: Duration = Duration::from_secs(1);
/// Addresses of sockets are shorter than this on every system.
const LONGEST_PATH: usize = 100;

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    version: u32,
    /// The API that the one who asks has in mind; `None` is any.
    api: Option<String>,
    max_age_millis: u64,
    /// Whether only the cost is to be told.
    only_quote: bool,
    question: Question,
}

/// One line of what comes back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// So many requests have been answered.
    Answered(u64),
    Quote(Quote),
    Reply(Box<Reply>),
    /// The question is not taken.
    Refused(Refusal),
}

/// Where the socket of the store at `path` is.
pub fn path(store: &Path) -> PathBuf {
    // The same store by another name (a link) has the same socket.
    let mut path = store.canonicalize().unwrap_or_else(|_| store.to_owned()).into_os_string();
    path.push(".sock");
    path.into()
}

/// A socket that is listened on. Gone with its file when dropped.
pub struct Counter {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl Counter {
    /// Opens the socket of the store at `store`, which the caller must hold: one that is left over
    /// from a process that was killed is replaced.
    ///
    /// # Errors
    ///
    /// When it cannot be made: in a directory that cannot be written, or whose path is too long for
    /// a socket.
    pub fn open(store: &Path) -> io::Result<Self> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let path = path(store);
        if path.as_os_str().len() > LONGEST_PATH {
            return Err(io::Error::other(format!("its path is longer than {LONGEST_PATH} bytes")));
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let owner = std::fs::metadata(&path)?.uid();
        Ok(Self { listener, path, owner })
    }

    /// Answers until `stopping`.
    pub async fn serve(self, desk: Arc<Desk>, stopping: CancellationToken) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut answering = JoinSet::new();
        loop {
            let place = places.clone().acquire_owned();
            let stream = tokio::select! {
                () = stopping.cancelled() => break,
                Some(_) = answering.join_next() => continue,
                stream = async {
                    let place = place.await;
                    (self.listener.accept().await, place)
                } => stream,
            };
            match stream {
                (Ok((stream, _)), Ok(place)) if self.is_welcome(&stream) => {
                    let desk = desk.clone();
                    answering.spawn(async move {
                        if let Err(error) = serve_one(stream, &desk).await {
                            tracing::debug!(%error, "whoever asked by hand has gone");
                        }
                        drop(place);
                    });
                }
                (Ok(_), _) => tracing::warn!("another user has tried to ask by hand and was not answered"),
                (Err(error), _) => {
                    tracing::warn!(%error, "the socket for questions by hand cannot be accepted on");
                    sleep(RECOVERY).await;
                }
            }
        }
        // The gateway sends nothing more: whoever waits is told so.
        let _ = timeout(RECOVERY, async { while answering.join_next().await.is_some() {} }).await;
    }

    /// Between making the socket and closing it to others somebody may have slipped in.
    fn is_welcome(&self, stream: &UnixStream) -> bool {
        stream.peer_cred().is_ok_and(|peer| peer.uid() == self.owner || peer.uid() == 0)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        // Left over it does no harm: nobody listens, and the next one replaces it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Answers one question, as long as somebody waits for it.
async fn serve_one(stream: UnixStream, desk: &Desk) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(LONGEST_LINE));
    let mut line = String::new();
    match timeout(ARRIVAL, reader.read_line(&mut line)).await {
        Ok(read) => read?,
        Err(_) => return Ok(()),
    };
    let asked = match understand(&line, desk) {
        Ok(asked) => asked,
        Err(refusal) => return write(&mut writer, &Line::Refused(refusal)).await,
    };
    let max_age = Duration::from_millis(asked.max_age_millis);
    if asked.only_quote {
        let quote = desk.quote(&asked.question, max_age).await;
        return write(&mut writer, &Line::Quote(quote)).await;
    }
    let (bill, answer) = desk.answer(asked.question, max_age);
    tokio::pin!(answer);
    let mut news = interval(NEWS_EVERY);
    let mut told = 0;
    let mut rest = Vec::new();
    loop {
        tokio::select! {
            reply = &mut answer => return write(&mut writer, &Line::Reply(Box::new(reply))).await,
            // Nothing more is to come but the end: then nobody waits any longer.
            _ = reader.read_to_end(&mut rest) => return Ok(()),
            _ = news.tick() => {
                let answered = bill.answered();
                if answered > told {
                    told = answered;
                    write(&mut writer, &Line::Answered(answered)).await?;
                }
            }
        }
    }
}

fn understand(line: &str, desk: &Desk) -> Result<Asked, Refusal> {
    let settings = |reason: String| Refusal::new(Reason::Settings, reason);
    let asked: Asked = serde_json::from_str(line).map_err(|error| {
        settings(format!("the running exporter does not understand the question: {error}"))
    })?;
    if asked.version != VERSION {
        return Err(settings("the running exporter is of another version; restart it".to_owned()));
    }
    let api = desk.road().api;
    if asked.api.as_ref().is_some_and(|meant| meant != api.as_str()) {
        let reason = format!(
            "api.base_url: the exporter that holds the store asks {api} (stop it, or give this one its own store.path)"
        );
        return Err(settings(reason));
    }
    Ok(asked)
}

async fn write(writer: &mut (impl AsyncWriteExt + Unpin), line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    writer.write_all(&text).await
}

/// Brings questions to the exporter behind a socket.
#[derive(Debug, Clone)]
pub struct Caller {
    path: PathBuf,
    api: Option<Url>,
}

/// Why a question could not be brought.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The question is not taken.
    #[error("{}", .0.reason)]
    Refused(Refusal),
    /// The exporter has ended, or speaks another language.
    #[error("the running exporter did not answer: {0}")]
    Broken(#[from] io::Error),
}

impl Caller {
    /// Finds the exporter that holds the store at `store`, if there is one that listens. With `api` it
    /// is only to answer if it asks that one.
    pub async fn find(store: &Path, api: Option<Url>) -> Option<Self> {
        let path = path(store);
        UnixStream::connect(&path).await.ok()?;
        Some(Self { path, api })
    }

    /// What the answer would cost.
    ///
    /// # Errors
    ///
    /// When the question is not taken, or no answer comes.
    pub async fn quote(&self, question: &Question, max_age: Duration) -> Result<Quote, CallError> {
        match self.call(question, max_age, true, None).await? {
            Line::Quote(quote) => Ok(quote),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks; notes in `bill` how far it is.
    ///
    /// # Errors
    ///
    /// When the question is not taken, or no answer comes.
    pub async fn ask(&self, question: &Question, max_age: Duration, bill: &Bill) -> Result<Reply, CallError> {
        match self.call(question, max_age, false, Some(bill)).await? {
            Line::Reply(reply) => Ok(*reply),
            other => Err(unexpected(&other)),
        }
    }

    async fn call(
        &self,
        question: &Question,
        max_age: Duration,
        only_quote: bool,
        bill: Option<&Bill>,
    ) -> Result<Line, CallError> {
        let asked = Asked {
            version: VERSION,
            api: self.api.as_ref().map(Url::to_string),
            max_age_millis: u64::try_from(max_age.as_millis()).unwrap_or(u64::MAX),
            only_quote,
            question: question.clone(),
        };
        let (reader, mut writer) = UnixStream::connect(&self.path).await?.into_split();
        let mut text = serde_json::to_vec(&asked).map_err(io::Error::from)?;
        text.push(b'\n');
        writer.write_all(&text).await?;
        let mut lines = BufReader::new(reader).lines();
        while let Some(line) = lines.next_line().await? {
            match serde_json::from_str(&line).map_err(io::Error::from)? {
                Line::Answered(answered) => bill.into_iter().for_each(|bill| bill.has_answered(answered)),
                Line::Refused(refusal) => return Err(CallError::Refused(refusal)),
                last => return Ok(last),
            }
        }
        Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }
}

fn unexpected(line: &Line) -> CallError {
    io::Error::new(io::ErrorKind::InvalidData, format!("{line:?}").chars().take(80).collect::<String>())
        .into()
}
