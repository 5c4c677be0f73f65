//! The delivery guarantees in simulation: the production handlers of dispatch, delivery, retries and
//! the sweeper, over queues that guarantee only what SQS does, a table with consistent reads,
//! endpoints that fail, hang or recover, and concurrent admin changes.
//!
//! A seed determines each run: the faults, the order in which processes take turns, and the clock,
//! which jumps to the next thing that happens. A seed that violates a guarantee is printed;
//! `SIMULATION_SEED=<seed> cargo test --test simulation` replays it.
//! `SIMULATION_DELIVERIES=100000 cargo simulate` runs more, with Tieline's crates optimized.

mod batch;
mod chance;
mod checker;
mod endpoint;
mod faults;
mod history;
mod operator;
mod plan;
mod system;

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use platform::{clock, random};

use self::{checker::Broken, faults::Faults, system::System};

/// Minimum number of deliveries in a run, unless `SIMULATION_DELIVERIES` says otherwise.
const DELIVERIES: usize = 10_000;
/// Number of seeds that run concurrently.
const THREADS: usize = 2;
/// Number of events published in a simulation.
const EVENTS: u64 = 30;

/// The result of a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Played {
    deliveries: usize,
    calls: usize,
    /// Fingerprint of the history.
    mark: u64,
}

/// Runs a seed.
fn play(seed: u64) -> Result<Played, Broken> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let begin = "2026-01-01T00:00:00Z".parse().expect("a time");
    runtime
        .expect("a runtime")
        .block_on(random::seeded(seed, clock::running(begin, simulation())))
}

async fn simulation() -> Result<Played, Broken> {
    let (hooks, faults) = (plan::hooks(), Faults::drawn());
    let mut system = System::new(&hooks, faults.clone()).await;
    system.run(plan::timeline(hooks.len(), EVENTS)).await?;
    system.settle().await?;
    let (deliveries, calls) = checker::check(&system, &hooks, &faults)?;
    Ok(Played {
        deliveries,
        calls,
        mark: system.mark(),
    })
}

/// Runs a seed, and panics with its number if a guarantee is violated.
fn tried(seed: u64) -> Played {
    match catch_unwind(AssertUnwindSafe(|| play(seed))) {
        Ok(Ok(played)) => played,
        Ok(Err(broken)) => panic!("SIMULATION_SEED={seed}: {broken}"),
        Err(panicked) => {
            eprintln!("SIMULATION_SEED={seed} has panicked");
            std::panic::resume_unwind(panicked)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what to play is no setting of the system's"
)]
fn asked_for<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    std::env::var(name)
        .ok()
        .map(|number| number.parse().expect("a number"))
}

#[test]
fn thousands_of_deliveries_keep_every_guarantee() {
    if let Some(seed) = asked_for("SIMULATION_SEED") {
        eprintln!("{:?}", tried(seed));
        return;
    }
    let most = asked_for("SIMULATION_DELIVERIES").unwrap_or(DELIVERIES);
    let (next, deliveries, calls) = (AtomicU64::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while deliveries.load(Ordering::Relaxed) < most {
                    let played = tried(next.fetch_add(1, Ordering::Relaxed));
                    deliveries.fetch_add(played.deliveries, Ordering::Relaxed);
                    calls.fetch_add(played.calls, Ordering::Relaxed);
                }
            });
        }
    });
    let (seeds, deliveries, calls) = (
        next.into_inner(),
        deliveries.into_inner(),
        calls.into_inner(),
    );
    eprintln!(
        "{seeds} simulations of {deliveries} deliveries and {calls} calls took {:?}",
        started.elapsed()
    );
}

#[test]
fn seed_is_reproducible() {
    for seed in [1, 2, 3] {
        assert_eq!(tried(seed), tried(seed), "{seed}");
    }
}
