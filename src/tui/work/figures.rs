//! What running containers take, sampled each second; while none runs, nothing is sampled and nobody wakes.

use crate::engine::stats::{Sample, Sampler};
use crate::engine::{Engine, Snapshot};
use crate::id::ContainerId;
use crate::tui::msg::{Msg, News};
use crate::tui::world::Figure;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

/// The time between two samples.
const EVERY: Duration = Duration::from_secs(1);

/// The last look at the store, for whoever wants to know who runs.
pub type Seen = watch::Receiver<Option<Arc<Snapshot>>>;

/// Samples until nobody listens.
pub async fn sample(engine: Engine, mut seen: Seen, news: mpsc::Sender<Msg>) {
    let mut sampler = engine.sampler();
    let mut last: HashMap<ContainerId, Sample> = HashMap::new();
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
            let figures = match take(sampler, snapshot).await {
                Some((back, Ok(samples))) => {
                    sampler = back;
                    told.clear();
                    figures(samples, &mut last)
                }
                Some((back, Err(sentence))) => {
                    sampler = back;
                    // What does not change need not be said each second.
                    if told != sentence {
                        told.clone_from(&sentence);
                        if news.send(Msg::News(News::Notice(Err(sentence)))).await.is_err() {
                            return;
                        }
                    }
                    Vec::new()
                }
                None => return,
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

fn runs(snapshot: &Snapshot) -> bool {
    snapshot.containers.iter().any(|container| container.state.status.is_alive())
}

type Taken = (Sampler, Result<Vec<(ContainerId, Sample)>, String>);

/// A sample, taken where waiting holds nobody up; `None` as everything ends.
async fn take(mut sampler: Sampler, snapshot: Arc<Snapshot>) -> Option<Taken> {
    let work = move || {
        let samples = sampler.sample(&snapshot.containers).map_err(|error| error.message);
        (sampler, samples)
    };
    tokio::task::spawn_blocking(work).await.ok()
}

/// What the samples say, beside those before them.
fn figures(samples: Vec<(ContainerId, Sample)>, last: &mut HashMap<ContainerId, Sample>) -> Vec<Figure> {
    let figures = samples
        .iter()
        .map(|(id, sample)| {
            let rate = last.get(id).and_then(|before| sample.rate(before));
            Figure {
                container: id.clone(),
                cpu: rate.and_then(|rate| rate.cpu).map(|busy| busy * 100.0),
                memory: sample.usage.memory,
                memory_limit: sample.usage.memory_limit,
                pids: sample.usage.processes,
            }
        })
        .collect();
    *last = samples.into_iter().collect();
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Usage;
    use std::time::Instant;

    #[test]
    fn processor_time_is_told_of_one_processor_and_not_before_the_second_sample() {
        let id: ContainerId = "a".repeat(64).parse().unwrap();
        let at = Instant::now();
        let sample = |seconds, nanos| Sample { at: at + Duration::from_secs(seconds), usage: Usage { cpu: Some(nanos), memory: Some(7), ..Usage::default() } };
        let mut last = HashMap::new();
        let first = figures(vec![(id.clone(), sample(0, 0))], &mut last);
        assert_eq!((first[0].cpu, first[0].memory), (None, Some(7)));
        let second = figures(vec![(id.clone(), sample(2, 3_000_000_000))], &mut last);
        assert!(second[0].cpu.is_some_and(|cpu| (cpu - 150.0).abs() < 1e-6), "{second:?}");
        assert!(figures(Vec::new(), &mut last).is_empty() && last.is_empty());
    }
}
