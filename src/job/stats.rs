//! `stats`: what containers use, as they use it.

use crate::container::Container;
use crate::engine::stats::{Detail, Rate, Sample, Sampler};
use crate::engine::{Engine, Error, Job, JobContext, Kind, Result};
use crate::id::ContainerId;
use clap::Args;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// Between two samples.
const PAUSE: Duration = Duration::from_secs(1);

/// Show what containers use, as they use it
#[derive(Args, Clone, Debug, Default)]
pub struct Stats {
    /// Those that do not run, too
    #[arg(short, long)]
    pub all: bool,
    /// Only once: over one second
    #[arg(long)]
    pub no_stream: bool,
    /// Containers; all that run if none is named, also those that start later
    #[arg(value_name = "CONTAINER")]
    pub containers: Vec<String>,
    /// The first sample is wanted too, which has no rates yet; set by the front-end.
    #[arg(skip)]
    pub at_once: bool,
}

/// One container's figures at one moment.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The container.
    pub container: Container,
    /// As the user named it; its identity if it was not named.
    pub asked: String,
    /// What it uses; `None` if it does not run.
    pub sample: Option<Sample>,
    /// What happened since the sample before; `None` if there was none.
    pub rate: Option<Rate>,
}

/// Figures of all that is shown, at one moment.
pub type Block = Vec<Figures>;

impl Job for Stats {
    /// A block a second; it ends with the named containers, or when the job is called off.
    type Output = mpsc::Receiver<Result<Block>>;
    const VERB: &'static str = "stats";
    const KEPT: bool = false;

    fn title(&self) -> String {
        std::iter::once("stats").chain(self.containers.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }

    async fn run(self, context: JobContext) -> Result<mpsc::Receiver<Result<Block>>> {
        let named = self.containers.iter().map(|name| context.engine.container(name).map(|container| (container.id, name.clone()))).collect::<Result<_>>()?;
        let (sender, receiver) = mpsc::channel(1);
        let mut watch = Watch { sampler: context.engine.sampler(Detail::Full), engine: context.engine.clone(), named, all: self.all, over: false };
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(PAUSE);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for count in 0_u64.. {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = sender.closed() => return,
                    () = context.cancelled() => return,
                }
                let looked = tokio::task::spawn_blocking(move || {
                    let block = watch.look();
                    (watch, block)
                });
                let Ok((back, block)) = looked.await else {
                    let _ = sender.send(Err(Error::new(Kind::Failed, "the sampling broke down"))).await;
                    return;
                };
                watch = back;
                let over = block.is_err() || watch.over || (self.no_stream && count > 0);
                if (count > 0 || self.at_once || over) && sender.send(block).await.is_err() || over {
                    return;
                }
            }
        });
        Ok(receiver)
    }
}

/// What is looked at, and what was seen last.
struct Watch {
    engine: Engine,
    sampler: Sampler,
    /// Those that were named, as long as they are there.
    named: Vec<(ContainerId, String)>,
    all: bool,
    /// All that were named are gone.
    over: bool,
}

impl Watch {
    fn look(&mut self) -> Result<Block> {
        let asked = if self.named.is_empty() && !self.over { self.everyone()? } else { self.those_named()? };
        let containers: Vec<Container> = asked.iter().map(|(container, _)| container.clone()).collect();
        self.sampler.sample(&containers)?;
        let figures = |(container, asked): (Container, String)| {
            let (sample, rate) = (self.sampler.of(&container.id).cloned(), self.sampler.rate(&container.id));
            Figures { container, asked, sample, rate }
        };
        Ok(asked.into_iter().map(figures).collect())
    }

    /// Those that run now, or all that there are now; who cannot be read is told by `ps` and `system check`.
    fn everyone(&self) -> Result<Vec<(Container, String)>> {
        let mut containers = self.engine.sound_containers()?.0;
        containers.retain(|container| self.all || container.state.status.is_alive());
        Ok(containers.into_iter().map(|container| (container.id.to_string(), container)).map(|(asked, container)| (container, asked)).collect())
    }

    fn those_named(&mut self) -> Result<Vec<(Container, String)>> {
        let mut found = Vec::new();
        let mut there = Vec::new();
        for (id, asked) in self.named.drain(..) {
            match self.engine.container_by_id(&id).and_then(|container| self.engine.settled(container)) {
                Ok(container) => {
                    found.push((container, asked.clone()));
                    there.push((id, asked));
                }
                // Removed meanwhile.
                Err(error) if error.kind == Kind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        self.named = there;
        self.over = self.named.is_empty();
        Ok(found)
    }
}
