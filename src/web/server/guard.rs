//! A connection that ends when its client dawdles: with its request, with reading the answer, or
//! with doing anything at all. So nobody holds a page, or a place, for longer than that.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// From the first byte of a request to the end of its headers; of the first, from the connection on.
pub(super) const REQUEST: Duration = Duration::from_secs(10);

/// For taking an answer, from when it is first waited for.
const ANSWER: Duration = Duration::from_secs(30);

/// Without a byte in either direction.
const IDLE: Duration = Duration::from_secs(180);

/// How much of a request is read at once, in bytes. Whoever fills what is read ahead is given twice as much
/// room, up to that of an answer, so nobody ever fills it.
const SIP: usize = 4 << 10;

/// A stream with time limits.
pub(super) struct Guarded<S> {
    stream: S,
    times: Arc<Mutex<Times>>,
    alarm: Pin<Box<Sleep>>,
}

/// Is told of the requests on a guarded stream.
#[derive(Clone)]
pub(super) struct Requests(Arc<Mutex<Times>>);

struct Times {
    /// When the last byte went in or out.
    moved: Instant,
    /// When the first byte of a request came that is not complete.
    begun: Option<Instant>,
    /// When the client was first waited for since the last request.
    waiting: Option<Instant>,
    /// Whether requests, answers and what keeps the connection going come mixed, as in HTTP/2. Bytes
    /// say nothing then, only requests that are complete.
    mixed: bool,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S) -> (Self, Requests) {
        let now = Instant::now();
        // Whoever connects has something to ask: the time of the first request runs from the start.
        let times = Times { moved: now, begun: Some(now), waiting: None, mixed: false };
        let times = Arc::new(Mutex::new(times));
        let alarm = Box::pin(sleep_until(Instant::now() + REQUEST.min(IDLE)));
        (Self { stream, times: times.clone(), alarm }, Requests(times))
    }

    /// Ready when a limit has passed; else the task is woken when that happens.
    fn poll_alarm(&mut self, writes: bool, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            if self.alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let limit = lock(&self.times).limit(writes);
            if limit <= Instant::now() {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the client took too long"));
            }
            self.alarm.as_mut().reset(limit);
        }
    }

    /// Notes how writing went.
    fn wrote(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            lock(&self.times).wrote(Instant::now());
        }
        self.unless_too_long(written, context)
    }

    /// Gives the client its time while it is waited for. What ends without waiting moves no byte by
    /// itself: the server flushes whenever it looks at the connection.
    fn unless_too_long<T>(
        &mut self,
        done: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            return done;
        }
        let limit = {
            let mut times = lock(&self.times);
            *times.waiting.get_or_insert_with(Instant::now) + ANSWER
        };
        if self.alarm.deadline() > limit {
            self.alarm.as_mut().reset(limit);
        }
        self.poll_alarm(true, context).map(Err)
    }
}

impl Requests {
    /// A request is complete, but for its body.
    pub(super) fn arrived(&self) {
        let mut times = lock(&self.0);
        times.begun = None;
        times.waiting = None;
        times.moved = Instant::now();
    }

    /// From now on requests come mixed with other things.
    pub(super) fn are_mixed(&self) {
        lock(&self.0).mixed = true;
    }
}

impl Times {
    fn read(&mut self, now: Instant) {
        // The time of the first request runs from the handshake on in either case.
        if !self.mixed {
            self.moved = now;
            self.begun.get_or_insert(now);
        }
    }

    fn wrote(&mut self, now: Instant) {
        if !self.mixed {
            self.moved = now;
        }
    }

    fn limit(&self, writes: bool) -> Instant {
        let request = self.begun.map(|at| at + REQUEST);
        let answer = self.waiting.filter(|_| writes).map(|at| at + ANSWER);
        request.into_iter().chain(answer).fold(self.moved + IDLE, Instant::min)
    }
}

fn lock(times: &Mutex<Times>) -> MutexGuard<'_, Times> {
    times.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let most = SIP.min(buffer.remaining());
        let mut sip = ReadBuf::new(buffer.initialize_unfilled_to(most));
        let read = Pin::new(&mut self.stream).poll_read(context, &mut sip);
        if read.is_pending() {
            return self.poll_alarm(false, context).map(Err);
        }
        let bytes = sip.filled().len();
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.unless_too_long(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.unless_too_long(shut, context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, sleep};

    use super::{ANSWER, Guarded, IDLE, REQUEST, SIP};

    /// How long `work` takes to fail, by the paused clock.
    async fn time_to_fail<T: std::fmt::Debug>(work: impl Future<Output = std::io::Result<T>>) -> Duration {
        let begun = Instant::now();
        let error = work.await.expect_err("the client is waited for for ever");
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        begun.elapsed()
    }

    fn is_about(took: Duration, limit: Duration) {
        let late = took.checked_sub(limit);
        assert!(late.is_some_and(|late| late < Duration::from_secs(1)), "{took:?} instead of {limit:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_nothing_is_left() {
        let (_client, server) = duplex(64);
        let (mut server, _) = Guarded::new(server);
        is_about(time_to_fail(server.read_u8()).await, REQUEST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_read_in_sips() {
        let (mut client, server) = duplex(1 << 20);
        let (mut server, _) = Guarded::new(server);
        client.write_all(&[b'x'; 3 * SIP]).await.unwrap();
        let mut read = vec![0; 1 << 20];
        for _ in 0..3 {
            assert_eq!(server.read(&mut read).await.unwrap(), SIP);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_asked_may_come_back_for_a_while() {
        let (mut client, server) = duplex(64);
        let (mut server, requests) = Guarded::new(server);
        client.write_all(b"G").await.unwrap();
        server.read_u8().await.unwrap();
        requests.arrived();
        is_about(time_to_fail(server.read_u8()).await, IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_looks_again_and_again_is_no_sign_of_life() {
        let (mut client, server) = duplex(64);
        let (mut server, requests) = Guarded::new(server);
        client.write_all(b"G").await.unwrap();
        server.read_u8().await.unwrap();
        requests.arrived();
        let looking = async {
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
        is_about(time_to_fail(looking).await, IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_drips_in_is_given_up_however_steadily() {
        let (mut client, server) = duplex(64);
        let (mut server, requests) = Guarded::new(server);
        // A first request that is complete, and then a long time of nothing.
        client.write_all(b"G").await.unwrap();
        server.read_u8().await.unwrap();
        requests.arrived();
        sleep(REQUEST * 3).await;
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
        is_about(time_to_fail(reading).await, REQUEST);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_drop_by_drop_is_given_up() {
        let (mut client, server) = duplex(64);
        let (mut server, requests) = Guarded::new(server);
        requests.arrived();
        tokio::spawn(async move {
            while client.read_u8().await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        is_about(time_to_fail(server.write_all(&[0; 4096])).await, ANSWER);
    }

    #[tokio::test(start_paused = true)]
    async fn every_answer_has_its_own_time() {
        let (mut client, server) = duplex(64);
        let (mut server, requests) = Guarded::new(server);
        tokio::spawn(async move {
            let mut taken = [0; 1024];
            while client.read_exact(&mut taken).await.is_ok() {
                sleep(ANSWER / 2).await;
            }
        });
        for _ in 0..5 {
            requests.arrived();
            server.write_all(&[0; 1024]).await.unwrap();
        }
    }

    /// Feeds a connection on which requests come mixed with other things.
    async fn mixed(every: Duration, arrives: impl Fn(u32) -> bool) -> Duration {
        let (mut client, server) = duplex(64);
        let (mut server, requests) = Guarded::new(server);
        client.write_all(b"G").await.unwrap();
        server.read_u8().await.unwrap();
        requests.are_mixed();
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
                if arrives(bytes) {
                    requests.arrived();
                }
            }
            #[allow(unreachable_code)]
            Ok(())
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_are_no_requests_keep_a_mixed_connection_only_so_long() {
        let second = Duration::from_secs(1);
        is_about(mixed(second, |_| false).await, REQUEST);
        is_about(mixed(second, |bytes| bytes == 1).await, IDLE);
        // As long as requests come, whatever comes between them.
        let last = mixed(second, |bytes| bytes == 1 || (bytes % 100 == 0 && bytes <= 1_000)).await;
        assert!(last >= second * 900 && last < second * 1_000 + IDLE * 2, "{last:?}");
    }
}
