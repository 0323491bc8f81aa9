//! The one road to the upstream: how fast, how often and at whose expense it is gone.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tiktok_api::{
    Answer, BoxFuture, Dialect, Error, HttpSettings, HttpTransport, Query, RawAnswer, Transport,
    fake::{Body, Request, Settings, Simulator},
};
use tiktok_api::{ChallengeId, Flags, Hashtag, HashtagRecord, Totals};
use tiktok_exporter::gateway::{Failure, Gateway, Parts, RequestContext};
use tiktok_exporter::model::RecentValues;
use tiktok_exporter::state::{ApiState, HashtagState, Reading};
use tiktok_exporter::store::Store;
use tiktok_exporter::telemetry::Telemetry;
use tiktok_exporter::{
    credits::{Ledger, Limits},
    model::Purpose,
};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use units::{Credits, HOUR, SharedClock, SystemClock, TimerClock, Timestamp};

use crate::support::upstream::{Reply, Scripted, hashtag_json, well_behaved};

const EPOCH: Timestamp = Timestamp::from_secs(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);

struct Road {
    gateway: Arc<Gateway>,
    ledger: Arc<Ledger>,
    store: Arc<Store>,
    clock: SharedClock,
}

fn road(transport: Arc<dyn Transport>, limits: Limits) -> Road {
    let clock: SharedClock = Arc::new(TimerClock::starting_at(EPOCH));
    road_at(transport, limits, clock)
}

fn road_at(transport: Arc<dyn Transport>, limits: Limits, clock: SharedClock) -> Road {
    let store = Arc::new(Store::in_memory().unwrap());
    let ledger = Arc::new(Ledger::open(store.clone(), limits, clock.now()).unwrap());
    let parts = Parts {
        ledger: ledger.clone(),
        clock: clock.clone(),
        telemetry: Arc::new(Telemetry::new().unwrap()),
        api: ApiState::default(),
        stopping: CancellationToken::new(),
    };
    let gateway = Gateway::new(transport, parts, 200, HOUR);
    Road { gateway: Arc::new(gateway.keeping(store.clone())), ledger, store, clock }
}

impl Road {
    fn spent(&self) -> u64 {
        self.ledger.statement(self.clock.now()).settled.iter().map(|(_, _, credits)| credits.get()).sum()
    }

    /// The loop was told at `at` that #booktok has one post and two views.
    fn booktok_was_read(&self, at: Timestamp) {
        let reading = |value| Some(Reading { at, recent: RecentValues::from_newest_first([value]) });
        let known = HashtagState::unknown(Hashtag::parse("booktok").unwrap(), "default".into(), HOUR);
        let id = ChallengeId::parse("7").ok();
        let known = HashtagState { id, posts: reading(1), views: reading(2), ..known };
        self.store.save_hashtag(&known).unwrap();
    }
}

fn name(text: &str) -> Query {
    Query::HashtagByName(Hashtag::parse(text).unwrap())
}

fn context() -> RequestContext {
    RequestContext::new(Purpose::AdHoc, None)
}

/// The simulator without sockets, some way off.
struct Near {
    simulator: Simulator,
    clock: SharedClock,
}

impl Transport for Near {
    fn send<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<RawAnswer, Error>> {
        Box::pin(async move {
            let Query::HashtagByName(hashtag) = query else { panic!("{query:?}") };
            sleep(Duration::from_millis(fastrand::u64(20..120))).await;
            let text = format!("name={hashtag}");
            let request = Request { path: "/challenge-info-name/", query: &text, key: Some("k") };
            let reply = self.simulator.answer(request, self.clock.now());
            sleep(Duration::from_millis(fastrand::u64(300..1_200))).await;
            let Body::Whole(body) = reply.body else { panic!("{:?}", reply.body) };
            let (status, body) = (reply.status, body.into());
            Ok(RawAnswer { status, retry_after: None, location: None, simulated: true, body })
        })
    }

    fn dialect(&self) -> Dialect {
        Dialect::default()
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_full_load_meets_no_429_and_uses_95_percent_of_the_rate() {
    let clock: SharedClock = Arc::new(TimerClock::starting_at(EPOCH));
    let near = Arc::new(Near { simulator: Simulator::new(Settings::default()), clock: clock.clone() });
    let road = road_at(near.clone(), Limits::default(), clock);
    let started = Instant::now();
    let callers: Vec<_> = (0..16)
        .map(|caller| {
            let gateway = road.gateway.clone();
            tokio::spawn(async move {
                let mut asked = 0;
                while started.elapsed() < HOUR {
                    // Names that exist nowhere cost as much and are answered fastest.
                    let query = name(&format!("nosuch{caller}x{asked}"));
                    let answer = gateway.ask(&query, Duration::ZERO, &mut context()).await;
                    assert!(answer.is_err_and(|failure| matches!(failure, Failure::Upstream(_))));
                    asked += 1;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let bill = near.simulator.bill().total;
    let share = bill.requests as f64 / (200.0 * 60.0);
    println!(
        "{} requests in an hour, {:.1} % of the rate, {} throttled",
        bill.requests,
        share * 100.0,
        bill.throttled
    );
    assert_eq!(bill.throttled, 0);
    assert!(share >= 0.95, "{share}");
    assert_eq!(road.spent(), bill.requests);
}

#[tokio::test(start_paused = true)]
async fn every_send_is_booked_retries_too_and_a_shared_one_once() {
    let upstream = Scripted::new(SECOND, |query, number| match number {
        0 => Reply::Status(502),
        _ => well_behaved(query),
    });
    let road = road(upstream.clone(), Limits::default());
    let ask = || {
        let gateway = road.gateway.clone();
        async move { gateway.ask(&name("booktok"), HOUR, &mut context()).await.unwrap().cached }
    };
    let (first, second, third) = tokio::join!(ask(), ask(), ask());
    assert_eq!([first, second, third].into_iter().filter(|cached| !cached).count(), 1, "one pays for all");
    assert_eq!((upstream.count(), road.spent()), (2, 2));
    assert!(ask().await, "and is remembered");
    sleep(SECOND * 601).await;
    assert!(!ask().await, "for ten minutes");
    assert_eq!((upstream.count(), road.spent()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_is_not_sent_and_not_remembered() {
    let upstream = Scripted::new(SECOND, |query, _| well_behaved(query));
    let limits = Limits { per_day: Some(Credits::ONE), ..Limits::default() };
    let road = road(upstream.clone(), limits);
    road.gateway.ask(&name("a"), HOUR, &mut context()).await.unwrap();
    let failure = road.gateway.ask(&name("b"), HOUR, &mut context()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Denied(denial) if denial.reason() == "day"), "{failure}");
    assert_eq!(upstream.count(), 1);
    road.gateway.ask(&name("a"), HOUR, &mut context()).await.expect("what is remembered costs nothing");
    road.ledger.set_limits(Limits::default());
    road.gateway.ask(&name("b"), HOUR, &mut context()).await.expect("asked once it may be");
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_before_the_start_is_good_for_as_long_as_any_other() {
    let upstream = Scripted::new(SECOND, |query, _| well_behaved(query));
    let road = road(upstream.clone(), Limits::default());
    road.booktok_was_read(EPOCH - SECOND * 500);
    let record = HashtagRecord {
        id: ChallengeId::parse("7").unwrap(),
        hashtag: Hashtag::parse("booktok").unwrap(),
        totals: Totals { posts: Some(1), views: Some(2) },
        flags: Flags::default(),
        description: None,
    };
    for query in [Query::HashtagById(record.id.clone()), name("booktok")] {
        let answered = road.gateway.ask(&query, HOUR, &mut context()).await.unwrap();
        assert_eq!((answered.at, answered.answer), (EPOCH - SECOND * 500, Answer::Hashtag(record.clone())));
    }
    sleep(SECOND * 101).await;
    assert!(!road.gateway.ask(&name("booktok"), HOUR, &mut context()).await.unwrap().cached);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_the_future_is_of_unknown_age_and_asked_for_again() {
    let upstream = Scripted::new(SECOND, |query, _| well_behaved(query));
    let road = road(upstream.clone(), Limits::default());
    road.booktok_was_read(EPOCH + HOUR * 24);
    let answered = road.gateway.ask(&name("booktok"), HOUR, &mut context()).await.unwrap();
    assert_eq!((answered.cached, upstream.count()), (false, 1), "{answered:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_has_spent_all_the_same() {
    let upstream = Scripted::new(HOUR, |_, _| Reply::Json(hashtag_json("a", 1)));
    let road = road(upstream.clone(), Limits::default());
    let gateway = road.gateway.clone();
    let asking = tokio::spawn(async move { gateway.ask(&name("a"), HOUR, &mut context()).await.is_ok() });
    sleep(SECOND * 5).await;
    assert_eq!(upstream.count(), 1);
    asking.abort();
    assert!(asking.await.is_err());
    let statement = road.ledger.statement(road.clock.now());
    assert_eq!(statement.standing.spent[0].all, Credits::ONE);
}

/// What a transport to `address` says about a request.
async fn send(address: std::net::SocketAddr) -> Error {
    let settings = HttpSettings {
        base_url: format!("http://{address}/").parse().unwrap(),
        dialect: Dialect::default(),
        user_agent: "a test".to_owned(),
        key: Some(SecretString::from("k")),
        timeout: SECOND * 2,
        connect_timeout: SECOND,
        max_body_bytes: 1_000,
    };
    HttpTransport::new(settings, Arc::new(SystemClock)).unwrap().send(&name("a")).await.unwrap_err()
}

#[tokio::test]
async fn only_a_connection_that_never_stood_is_certain_to_have_cost_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        // Takes the request and hangs up; then takes one and says nothing.
        for answer in [false, true] {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = [0; 1_024];
            assert!(connection.read(&mut request).await.unwrap() > 0);
            if answer {
                sleep(SECOND * 10).await;
            }
        }
    });
    let hung_up = send(address).await;
    assert!(!hung_up.never_sent, "{hung_up}");
    let silent = send(address).await;
    assert!(!silent.never_sent, "{silent}");
    serving.abort();
    assert!(serving.await.is_err());
    let refused = send(address).await;
    assert!(refused.never_sent, "{refused}");
}
