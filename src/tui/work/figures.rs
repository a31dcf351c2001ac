//! What running containers take, and the whole machine, sampled each second.

use crate::container::past::Moment;
use crate::engine::stats::{self, Detail, MachineSampler, Sample, Sampler};
use crate::engine::{Engine, Error, Kind, Result, Snapshot};
use crate::id::ContainerId;
use crate::tui::effect::Ticket;
use crate::tui::msg::{Answer, Msg, News};
use crate::tui::world::{Figure, Rate};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

/// The time between two samples.
const EVERY: Duration = Duration::from_secs(1);

/// The last look at the store, for whoever wants to know who runs.
pub type Seen = watch::Receiver<Option<Arc<Snapshot>>>;

/// Samples until nobody listens.
pub async fn sample(engine: Engine, mut seen: Seen, news: mpsc::Sender<Msg>) {
    let mut sampler = engine.sampler(Detail::Outline);
    let mut told = String::new();
    loop {
        if seen.wait_for(|snapshot| snapshot.as_ref().is_some_and(|snapshot| runs(snapshot))).await.is_err() {
            return;
        }
        let mut clock = tokio::time::interval(EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            let Some(snapshot) = seen.borrow_and_update().clone() else { break };
            // The last of them has ended: one empty list takes its figures off the screen.
            let over = !runs(&snapshot);
            let taken = match take(sampler, snapshot).await {
                Some((back, taken)) => {
                    sampler = back;
                    taken
                }
                None => return,
            };
            let figures = match taken {
                Ok(figures) => {
                    told.clear();
                    figures
                }
                Err(sentence) => {
                    // What does not change need not be said each second.
                    if told != sentence {
                        told.clone_from(&sentence);
                        if news.send(Msg::News(News::Notice(Err(sentence)))).await.is_err() {
                            return;
                        }
                    }
                    Vec::new()
                }
            };
            if news.send(Msg::News(News::Figures(figures))).await.is_err() {
                return;
            }
            if over {
                break;
            }
        }
    }
}

/// Samples the whole machine each second until nobody listens: its past begins with the session, whatever runs.
pub async fn machine(news: mpsc::Sender<Msg>) {
    let mut sampler = MachineSampler::open();
    let mut clock = tokio::time::interval(EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last: Option<Sample> = None;
    loop {
        clock.tick().await;
        let work = move || {
            let machine = sampler.sample();
            (sampler, machine.sample)
        };
        let Ok((back, sample)) = tokio::task::spawn_blocking(work).await else { return };
        sampler = back;
        if let Some(moment) = last.as_ref().and_then(|before| moment(before, &sample))
            && news.send(Msg::News(News::Machine(moment))).await.is_err()
        {
            return;
        }
        last = Some(sample);
    }
}

/// What happened between two samples, as of now.
fn moment(before: &Sample, now: &Sample) -> Option<Moment> {
    let rate = now.rate(before)?;
    let usage = &now.usage;
    let narrow = |figure: Option<f64>| figure.map(|figure| figure as f32);
    Some(Moment {
        at: jiff::Timestamp::now().as_second(),
        cpu: narrow(rate.cpu),
        cpu_limit: usage.cpu.limit.map(|nanos| nanos as f32 / 1e9),
        throttled: narrow(rate.throttled),
        memory: usage.memory.working_set,
        memory_limit: usage.memory.limit,
        processes: usage.processes.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
        read: narrow(rate.read),
        written: narrow(rate.written),
        received: narrow(rate.received),
        sent: narrow(rate.sent),
        cpu_pressure: narrow(rate.cpu_pressure.some),
        memory_pressure: narrow(rate.memory_pressure.some),
        io_pressure: narrow(rate.io_pressure.some),
    })
}

fn runs(snapshot: &Snapshot) -> bool {
    snapshot.containers.iter().any(|container| container.state.status.is_alive())
}

type Taken = (Sampler, std::result::Result<Vec<Figure>, String>);

/// A sample, taken where waiting holds nobody up, and what it says beside the one before; `None` as everything ends.
async fn take(mut sampler: Sampler, snapshot: Arc<Snapshot>) -> Option<Taken> {
    let work = move || {
        let at = jiff::Timestamp::now().as_second();
        let taken = sampler.sample(&snapshot.containers).map_err(|error| error.message);
        let figures = taken.map(|_| {
            snapshot
                .containers
                .iter()
                .filter_map(|container| {
                    let sample = sampler.of(&container.id)?;
                    Some(figure(container.id.clone(), at, sample, sampler.rate(&container.id)))
                })
                .collect()
        });
        (sampler, figures)
    };
    tokio::task::spawn_blocking(work).await.ok()
}

/// What a sample says of a container.
fn figure(container: ContainerId, at: i64, sample: &Sample, rate: Option<stats::Rate>) -> Figure {
    let usage = &sample.usage;
    Figure {
        container,
        at,
        cpu_limit: usage.cpu.limit.map(|nanos| nanos as f64 / 1e7),
        throttled: rate.and_then(|rate| rate.throttled),
        memory_pressure: rate.and_then(|rate| rate.memory_pressure.some),
        cpu: rate.and_then(|rate| rate.cpu).map(|busy| busy * 100.0),
        memory: usage.memory.working_set,
        memory_limit: usage.memory.limit,
        pids: usage.processes,
    }
}

/// What links have carried: bytes and packets received, then sent, by their names.
type Carried = HashMap<String, [u64; 4]>;

/// Tells what links carry, each second until nobody listens; the first time it only looks.
pub async fn links(engine: &Engine, news: &mpsc::Sender<Msg>, ticket: Ticket) -> Result<Option<Answer>> {
    let mut clock = tokio::time::interval(EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last: Option<(Instant, Carried)> = None;
    loop {
        clock.tick().await;
        let asking = engine.clone();
        let looking = tokio::task::spawn_blocking(move || asking.link_traffic().map(|carried| (Instant::now(), carried)));
        let (at, carried) = looking.await.map_err(|error| Error::new(Kind::Cancelled, format!("looking was cut short: {error}")))??;
        if let Some((before, old)) = &last {
            let rates = rates(old, &carried, at.duration_since(*before));
            if news.send(Msg::News(News::Answer(ticket, Answer::Rates(rates)))).await.is_err() {
                return Ok(None);
            }
        }
        last = Some((at, carried));
    }
}

/// What was carried between two looks. A link whose numbers went back is another one of the same name.
fn rates(before: &Carried, now: &Carried, over: Duration) -> HashMap<String, Rate> {
    let rate = |(name, carried): (&String, &[u64; 4])| {
        let old = before.get(name)?;
        let bytes = |at: usize| Some(carried[at].checked_sub(old[at])? as f64 / over.as_secs_f64());
        let rate = Rate { received: bytes(2)?, sent: bytes(0)? };
        (rate.received.is_finite() && rate.sent.is_finite()).then(|| (name.clone(), rate))
    };
    now.iter().filter_map(rate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_link_sends_is_received_behind_it() {
        let carried = |name: &str, received, sent| (name.to_owned(), [received, 1, sent, 1]);
        let before = Carried::from([carried("kv1", 1000, 50), carried("kv2", 9, 9)]);
        let now = Carried::from([carried("kv1", 3000, 50), carried("kv2", 8, 9), carried("kv3", 5, 5)]);
        let told = rates(&before, &now, Duration::from_secs(2));
        assert_eq!(told, HashMap::from([("kv1".to_owned(), Rate { received: 0.0, sent: 1000.0 })]));
        assert!(rates(&before, &before, Duration::ZERO).is_empty(), "no time, no rate");
    }
    use crate::engine::Usage;

    #[test]
    fn processor_time_is_told_of_one_processor_and_not_before_the_second_sample() {
        let id: ContainerId = "a".repeat(64).parse().unwrap();
        let at = Instant::now();
        let sample = |seconds, nanos| {
            let mut usage = Usage::default();
            (usage.cpu.total, usage.memory.working_set) = (Some(nanos), Some(7));
            Sample { at: at + Duration::from_secs(seconds), usage }
        };
        let (first, second) = (sample(0, 0), sample(2, 3_000_000_000));
        let told = figure(id.clone(), 0, &first, None);
        assert_eq!((told.cpu, told.memory), (None, Some(7)));
        let told = figure(id, 2, &second, second.rate(&first));
        assert!(told.cpu.is_some_and(|cpu| (cpu - 150.0).abs() < 1e-6), "{told:?}");
    }
}
