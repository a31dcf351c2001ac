//! `port --publish` and `--unpublish`: the ports of a container changed while it runs, or for its next start.

use crate::container::{Container, PortBinding, Published};
use crate::engine::{Engine, Error, Job, JobContext, Result};

/// Change what a container publishes
#[derive(Clone, Debug)]
pub struct Publish {
    /// Container.
    pub container: String,
    /// What is to be published, as `-p` says it.
    pub publish: Vec<String>,
    /// What is to be no longer, likewise; what it leaves out is any.
    pub unpublish: Vec<String>,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Changed {
    /// What is published now and was not before.
    pub published: Vec<Published>,
    /// What will be, once the container starts.
    pub later: Vec<PortBinding>,
    /// What could not be done.
    pub failed: Vec<Error>,
}

impl Job for Publish {
    type Output = Changed;
    const VERB: &'static str = "port";

    fn title(&self) -> String {
        let option = |name: &'static str| move |spec: &String| format!(" --{name} {spec}");
        let options = self.publish.iter().map(option("publish")).chain(self.unpublish.iter().map(option("unpublish")));
        format!("port {}{}", self.container, options.collect::<String>())
    }

    /// What is no longer to be published goes first: its ports may be wanted.
    async fn run(self, context: JobContext) -> Result<Changed> {
        let engine = &context.engine;
        let read = |specs: &[String]| specs.iter().map(|spec| PortBinding::parse(spec)).collect::<std::result::Result<Vec<_>, _>>();
        let out = read(&self.unpublish).map_err(Error::invalid)?.concat();
        let new = read(&self.publish).map_err(Error::invalid)?.concat();
        let mut container = engine.container(&self.container)?;
        let mut changed = Changed::default();
        for (wish, add) in out.into_iter().map(|wish| (wish, false)).chain(new.into_iter().map(|wish| (wish, true))) {
            context.check()?;
            if let Err(error) = one(engine, &mut container, &wish, add, &mut changed).await {
                changed.failed.push(error);
            }
        }
        Ok(changed)
    }
}

async fn one(engine: &Engine, container: &mut Container, wish: &PortBinding, add: bool, changed: &mut Changed) -> Result<()> {
    let before = engine.published_by(container)?;
    engine.publish_port(container, wish.clone(), add).await?;
    *container = engine.container_by_id(&container.id)?;
    let after = engine.published_by(container)?;
    changed.published.extend(after.into_iter().filter(|port| !before.contains(port)));
    if add && !container.state.status.is_alive() {
        changed.later.push(wish.clone());
    }
    Ok(())
}
