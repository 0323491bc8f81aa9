//! A connection that is closed when its client is slow to send a request, slow to read a response, or
//! idle. No client occupies a connection for longer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// From the first byte of a request to the end of its headers. For the first request, from the connection.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// For reading a response, from when the server first waits for the client.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Without a byte in either direction.
const IDLE_TIMEOUT: Duration = Duration::from_secs(180);

/// How much of a request is read at once, in bytes. hyper doubles its buffer when a read fills it, up to the
/// size of a response; with this limit no read fills it.
const READ_MAX: usize = 4 << 10;

/// A stream with time limits.
pub(super) struct TimedStream<S> {
    stream: S,
    times: Arc<Mutex<Times>>,
    alarm: Pin<Box<Sleep>>,
}

/// Tells a timed stream about its requests.
#[derive(Clone)]
pub(super) struct RequestTimer(Arc<Mutex<Times>>);

struct Times {
    /// When the last byte was read or written.
    active_at: Instant,
    /// When the first byte of an incomplete request was read.
    request_since: Option<Instant>,
    /// When the server first waited for the client to read, since the last request.
    waiting_since: Option<Instant>,
    /// Whether requests, responses and keep-alive frames are interleaved, as in HTTP/2. Then only complete
    /// requests count, not bytes.
    multiplexed: bool,
}

impl<S> TimedStream<S> {
    pub(super) fn new(stream: S) -> (Self, RequestTimer) {
        let now = Instant::now();
        // The time of the first request runs from the connection.
        let times =
            Times { active_at: now, request_since: Some(now), waiting_since: None, multiplexed: false };
        let times = Arc::new(Mutex::new(times));
        let alarm = Box::pin(sleep_until(now + REQUEST_TIMEOUT.min(IDLE_TIMEOUT)));
        (Self { stream, times: times.clone(), alarm }, RequestTimer(times))
    }

    /// Ready when a limit is exceeded. Otherwise the task is woken when that happens.
    fn poll_alarm(&mut self, writes: bool, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            if self.alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let limit = lock(&self.times).limit(writes);
            if limit <= Instant::now() {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the client is too slow"));
            }
            self.alarm.as_mut().reset(limit);
        }
    }

    /// Records the result of a write.
    fn record_write(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            lock(&self.times).wrote(Instant::now());
        }
        self.or_timeout(written, context)
    }

    /// Limits the wait for the client. An operation that completes without waiting is no activity of the
    /// client: hyper flushes whenever it polls the connection.
    fn or_timeout<T>(&mut self, done: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            return done;
        }
        let limit = {
            let mut times = lock(&self.times);
            *times.waiting_since.get_or_insert_with(Instant::now) + RESPONSE_TIMEOUT
        };
        if self.alarm.deadline() > limit {
            self.alarm.as_mut().reset(limit);
        }
        self.poll_alarm(true, context).map(Err)
    }
}

impl RequestTimer {
    /// The headers of a request are complete.
    pub(super) fn request_received(&self) {
        let mut times = lock(&self.0);
        times.request_since = None;
        times.waiting_since = None;
        times.active_at = Instant::now();
    }

    /// From now on requests are interleaved with other frames.
    pub(super) fn multiplexed(&self) {
        lock(&self.0).multiplexed = true;
    }
}

impl Times {
    fn read(&mut self, now: Instant) {
        if !self.multiplexed {
            self.active_at = now;
            self.request_since.get_or_insert(now);
        }
    }

    fn wrote(&mut self, now: Instant) {
        if !self.multiplexed {
            self.active_at = now;
        }
    }

    fn limit(&self, writes: bool) -> Instant {
        let request = self.request_since.map(|at| at + REQUEST_TIMEOUT);
        let response = self.waiting_since.filter(|_| writes).map(|at| at + RESPONSE_TIMEOUT);
        request.into_iter().chain(response).fold(self.active_at + IDLE_TIMEOUT, Instant::min)
    }
}

fn lock(times: &Mutex<Times>) -> MutexGuard<'_, Times> {
    times.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let max = READ_MAX.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(max));
        let read = Pin::new(&mut self.stream).poll_read(context, &mut part);
        if read.is_pending() {
            return self.poll_alarm(false, context).map(Err);
        }
        let bytes = part.filled().len();
        buffer.advance(bytes);
        if bytes > 0 {
            let now = Instant::now();
            let limit = {
                let mut times = lock(&self.times);
                times.read(now);
                times.limit(false)
            };
            if self.alarm.deadline() > limit {
                self.alarm.as_mut().reset(limit);
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.record_write(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.record_write(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.or_timeout(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.or_timeout(shut, context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, sleep};

    use super::{IDLE_TIMEOUT, READ_MAX, REQUEST_TIMEOUT, RESPONSE_TIMEOUT, TimedStream};

    /// How long `work` takes to time out, by the paused clock.
    async fn time_to_fail<T: std::fmt::Debug>(work: impl Future<Output = std::io::Result<T>>) -> Duration {
        let started = Instant::now();
        let error = work.await.expect_err("the client has no time limit");
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        started.elapsed()
    }

    fn is_about(took: Duration, limit: Duration) {
        let late = took.checked_sub(limit);
        assert!(late.is_some_and(|late| late < Duration::from_secs(1)), "{took:?} instead of {limit:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_times_out() {
        let (_client, server) = duplex(64);
        let (mut server, _) = TimedStream::new(server);
        is_about(time_to_fail(server.read_u8()).await, REQUEST_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn large_input_is_read_in_small_parts() {
        let (mut client, server) = duplex(1 << 20);
        let (mut server, _) = TimedStream::new(server);
        client.write_all(&[b'x'; 3 * READ_MAX]).await.unwrap();
        let mut read = vec![0; 1 << 20];
        for _ in 0..3 {
            assert_eq!(server.read(&mut read).await.unwrap(), READ_MAX);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_may_be_idle_after_a_request_for_a_while() {
        let (mut client, server) = duplex(64);
        let (mut server, timer) = TimedStream::new(server);
        client.write_all(b"G").await.unwrap();
        server.read_u8().await.unwrap();
        timer.request_received();
        is_about(time_to_fail(server.read_u8()).await, IDLE_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn polling_by_the_server_is_no_activity() {
        let (mut client, server) = duplex(64);
        let (mut server, timer) = TimedStream::new(server);
        client.write_all(b"G").await.unwrap();
        server.read_u8().await.unwrap();
        timer.request_received();
        let polling = async {
            loop {
                tokio::select! {
                    read = server.read_u8() => { read?; }
                    () = sleep(Duration::from_secs(7)) => {}
                }
                server.flush().await?;
            }
            #[allow(unreachable_code)]
            Ok(())
        };
        is_about(time_to_fail(polling).await, IDLE_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_request_times_out_even_if_bytes_keep_coming() {
        let (mut client, server) = duplex(64);
        let (mut server, timer) = TimedStream::new(server);
        // A complete first request, then a long pause.
        client.write_all(b"G").await.unwrap();
        server.read_u8().await.unwrap();
        timer.request_received();
        sleep(REQUEST_TIMEOUT * 3).await;
        tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        let reading = async {
            loop {
                server.read_u8().await?;
            }
            #[allow(unreachable_code)]
            Ok(())
        };
        is_about(time_to_fail(reading).await, REQUEST_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_read_slowly_times_out() {
        let (mut client, server) = duplex(64);
        let (mut server, timer) = TimedStream::new(server);
        timer.request_received();
        tokio::spawn(async move {
            while client.read_u8().await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        is_about(time_to_fail(server.write_all(&[0; 4096])).await, RESPONSE_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn every_response_has_its_own_time_limit() {
        let (mut client, server) = duplex(64);
        let (mut server, timer) = TimedStream::new(server);
        tokio::spawn(async move {
            let mut read = [0; 1024];
            while client.read_exact(&mut read).await.is_ok() {
                sleep(RESPONSE_TIMEOUT / 2).await;
            }
        });
        for _ in 0..5 {
            timer.request_received();
            server.write_all(&[0; 1024]).await.unwrap();
        }
    }

    /// Sends bytes on a multiplexed connection; `is_request` says which of them complete a request.
    async fn multiplexed(every: Duration, is_request: impl Fn(u32) -> bool) -> Duration {
        let (mut client, server) = duplex(64);
        let (mut server, timer) = TimedStream::new(server);
        client.write_all(b"G").await.unwrap();
        server.read_u8().await.unwrap();
        timer.multiplexed();
        tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                sleep(every).await;
            }
        });
        let mut bytes = 0;
        time_to_fail(async {
            loop {
                server.read_u8().await?;
                bytes += 1;
                if is_request(bytes) {
                    timer.request_received();
                }
            }
            #[allow(unreachable_code)]
            Ok(())
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_without_requests_do_not_keep_a_multiplexed_connection() {
        let second = Duration::from_secs(1);
        is_about(multiplexed(second, |_| false).await, REQUEST_TIMEOUT);
        is_about(multiplexed(second, |bytes| bytes == 1).await, IDLE_TIMEOUT);
        // Requests keep it open, whatever comes between them.
        let last = multiplexed(second, |bytes| bytes == 1 || (bytes % 100 == 0 && bytes <= 1_000)).await;
        assert!(last >= second * 900 && last < second * 1_000 + IDLE_TIMEOUT * 2, "{last:?}");
    }
}
