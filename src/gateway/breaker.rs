//! The stop of all spending when the key is refused or the account cannot pay.

use std::sync::Mutex;
use std::time::Duration;

use units::Timestamp;

use crate::model::Trip;

/// Stops all requests after a refused key or exhausted credits; once a cool-down is over it lets
/// one single request through, and opens for all when that one is answered.
#[derive(Debug)]
pub struct Breaker {
    cooldown: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open {
        trip: Trip,
        until: Timestamp,
    },
    /// The single request is under way.
    Trying {
        trip: Trip,
    },
}

/// Whether requests may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// All may.
    All,
    /// One single request may, as a trial.
    Trial(Trip),
    /// None may before the given moment; `None` while a trial is under way.
    Nothing(Trip, Option<Timestamp>),
}

/// Permission to send one request. Must be returned with the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Pass {
    trial: bool,
}

impl Pass {
    /// Whether this is the single request after a cool-down. It is not to be retried.
    pub fn is_trial(self) -> bool {
        self.trial
    }
}

impl Breaker {
    /// A closed breaker, which cools down for `cooldown` after a trip.
    pub fn new(cooldown: Duration) -> Self {
        Self { cooldown, state: Mutex::new(State::Closed) }
    }

    /// What the breaker would let through at `now`.
    pub fn admission(&self, now: Timestamp) -> Admission {
        match *self.lock() {
            State::Closed => Admission::All,
            State::Open { trip, until } if self.has_cooled_down(until, now) => Admission::Trial(trip),
            State::Open { trip, until } => Admission::Nothing(trip, Some(until)),
            State::Trying { trip } => Admission::Nothing(trip, None),
        }
    }

    /// Requests a pass for one request.
    pub fn pass(&self, now: Timestamp) -> Result<Pass, Trip> {
        let mut state = self.lock();
        match *state {
            State::Closed => Ok(Pass { trial: false }),
            State::Open { trip, until } if self.has_cooled_down(until, now) => {
                *state = State::Trying { trip };
                Ok(Pass { trial: true })
            }
            State::Open { trip, .. } | State::Trying { trip } => Err(trip),
        }
    }

    /// The request was answered with a refusal of the key or of the account.
    pub fn tripped(&self, pass: Pass, trip: Trip, now: Timestamp) {
        let mut state = self.lock();
        // A late refusal of an older request does not disturb a running trial.
        if pass.trial || !matches!(*state, State::Trying { .. }) {
            *state = State::Open { trip, until: now + self.cooldown };
        }
    }

    /// The request was answered in a way that shows the key works.
    pub fn answered(&self, pass: Pass) {
        // Only the trial's answer counts: others may have been sent before the trip.
        if pass.trial {
            *self.lock() = State::Closed;
        }
    }

    /// The request ended without telling anything about the key: no answer, or an unreadable one.
    pub fn unclear(&self, pass: Pass, now: Timestamp) {
        let mut state = self.lock();
        if let (true, State::Trying { trip }) = (pass.trial, *state) {
            *state = State::Open { trip, until: now + self.cooldown };
        }
    }

    /// A clock that went back must not make the stop longer: then the trial comes early.
    fn has_cooled_down(&self, until: Timestamp, now: Timestamp) -> bool {
        now >= until || until > now + self.cooldown
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Every state is valid by itself, so a panic elsewhere leaves nothing half-done.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(900);
    const START: Timestamp = Timestamp::from_secs(1_000_000);

    fn tripped() -> Breaker {
        let breaker = Breaker::new(COOLDOWN);
        let pass = breaker.pass(START).unwrap();
        breaker.tripped(pass, Trip::Auth, START);
        breaker
    }

    #[test]
    fn nothing_passes_during_the_cooldown_and_one_request_after_it() {
        let breaker = tripped();
        let end = START + COOLDOWN;
        assert_eq!(breaker.pass(end - Duration::from_millis(1)), Err(Trip::Auth));
        assert_eq!(breaker.admission(end), Admission::Trial(Trip::Auth));
        assert!(breaker.pass(end).unwrap().is_trial());
        assert_eq!(breaker.pass(end), Err(Trip::Auth), "a second one waits for the trial");
    }

    #[test]
    fn a_clock_that_goes_back_does_not_lengthen_the_stop() {
        let breaker = tripped();
        let earlier = START - COOLDOWN * 100;
        assert_eq!(breaker.admission(earlier), Admission::Trial(Trip::Auth));
        assert!(breaker.pass(earlier).unwrap().is_trial());
    }

    #[test]
    fn a_good_trial_opens_the_way_and_a_bad_one_costs_another_cooldown() {
        let breaker = tripped();
        let end = START + COOLDOWN;
        let trial = breaker.pass(end).unwrap();
        breaker.tripped(trial, Trip::CreditsExhausted, end);
        assert_eq!(breaker.admission(end), Admission::Nothing(Trip::CreditsExhausted, Some(end + COOLDOWN)));

        let trial = breaker.pass(end + COOLDOWN).unwrap();
        breaker.unclear(trial, end + COOLDOWN);
        assert_eq!(breaker.pass(end + COOLDOWN), Err(Trip::CreditsExhausted));

        let trial = breaker.pass(end + COOLDOWN * 2).unwrap();
        breaker.answered(trial);
        assert_eq!(breaker.admission(end + COOLDOWN * 2), Admission::All);
    }

    #[test]
    fn an_answer_to_a_request_from_before_the_trip_changes_nothing() {
        let breaker = Breaker::new(COOLDOWN);
        let early = breaker.pass(START).unwrap();
        let refused = breaker.pass(START).unwrap();
        breaker.tripped(refused, Trip::Auth, START);
        breaker.answered(early);
        assert_eq!(breaker.pass(START), Err(Trip::Auth));
    }
}
