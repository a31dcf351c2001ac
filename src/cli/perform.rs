//! A verb done: its job run by the engine, its result printed by the face.

use super::face::Face;
use super::verb::{ContainerVerb, HealthcheckVerb, ImageVerb, Listing, Showing, SystemVerb, Verb, VolumeVerb};
use super::{inspect, processes, rows, size, terminal, text, transfer, when};
use crate::engine::{Engine, Error, Job, Kind, Result};
use crate::job;
use crate::job::prune::PruneFilter;
use crate::job::rm::Several;
use crate::job::volume::Pruned;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// Does a verb and returns its exit status.
pub async fn perform(verb: Verb, engine: &Engine, face: &mut Face) -> Result<i32> {
    match verb {
        Verb::Run(job) => processes::run(*job, engine, face).await,
        Verb::Exec(job) => processes::exec(job, engine, face).await,
        Verb::Start(job) => processes::start(job, engine, face).await,
        Verb::Attach(job) => processes::attach(job, engine, face).await,
        Verb::Logs(job) => processes::logs(job, engine, face).await,
        Verb::Wait(job) => wait(job, engine, face).await,
        Verb::Healthcheck(HealthcheckVerb::Run(job)) => run(job, engine, face).await.map(|()| 0),
        Verb::Create(job) => create(*job, engine, face).await,
        Verb::Pull(job) => transfer::pull(job, engine, face).await,
        Verb::Push(job) => transfer::push(job, engine, face).await,
        Verb::Login(job) => transfer::login(job, engine, face).await,
        Verb::Logout(job) => transfer::logout(job, engine, face).await,
        Verb::Save(job) => transfer::save(job, engine, face).await,
        Verb::Load(job) => transfer::load(job, engine, face).await,
        Verb::Cp(job) => transfer::copy(job, engine, face).await,
        Verb::Export(job) => transfer::export(job, engine, face).await,
        Verb::Container(ContainerVerb::Other(verb)) => Box::pin(perform(verb.into(), engine, face)).await,
        Verb::Container(ContainerVerb::Ls(job)) | Verb::Ps(job) => ps(job, engine, face).await,
        Verb::Images(job) => images(job, engine, face).await,
        Verb::Image(verb) => image(verb, engine, face).await,
        Verb::Network(verb) => super::networks::network(verb, engine, face).await,
        Verb::Volume(verb) => volume(verb, engine, face).await,
        Verb::System(verb) => system(verb, engine, face).await,
        Verb::Container(ContainerVerb::Prune(mut job)) => {
            read_moments(&mut job.job.filter)?;
            if !job.force && !face.confirm("This will remove all stopped containers.")? {
                return Ok(1);
            }
            pruned("Deleted Containers:", run(job.job, engine, face).await?, face)
        }
        Verb::Metrics(verb) => super::metrics::metrics(verb, engine, face).await,
        Verb::Demo => super::demo::demo(engine, face).await,
        other => simple(other, engine, face).await,
    }
}

/// The verbs whose result is a few lines.
async fn simple(verb: Verb, engine: &Engine, face: &mut Face) -> Result<i32> {
    match verb {
        Verb::Stop(job) => several(run(job, engine, face).await?, face),
        Verb::Restart(job) => several(run(job, engine, face).await?, face),
        Verb::Kill(job) => several(run(job, engine, face).await?, face),
        Verb::Pause(job) => several(run(job, engine, face).await?, face),
        Verb::Unpause(job) => several(run(job, engine, face).await?, face),
        Verb::Rm(job) => several(run(job, engine, face).await?, face),
        Verb::Rename(job) => run(job, engine, face).await.map(|()| 0),
        Verb::Tag(job) => run(job, engine, face).await.map(|()| 0),
        Verb::Port(job) => super::networks::port(job, engine, face).await,
        Verb::Top(job) => inspect::top(&run(job, engine, face).await?, face),
        Verb::Stats(job) => super::stats::stats(job, engine, face).await,
        Verb::Update(job) => several(run(*job, engine, face).await?, face),
        Verb::Diff(job) => super::differences::diff(job, engine, face).await,
        Verb::Commit(job) => made(&run(job, engine, face).await?, face),
        Verb::Import(job) => made(&run(job, engine, face).await?, face),
        Verb::Rmi(job) => {
            let outcome = run(job, engine, face).await?;
            let lines: Vec<String> = outcome.removed.iter().map(ToString::to_string).collect();
            lines.iter().try_for_each(|line| face.say(&text::clean(line)))?;
            face.give(json!(lines));
            failures(face, outcome.failed)
        }
        Verb::History(job) => {
            let now = Timestamp::now();
            let rows = run(job.job, engine, face).await?.iter().map(|step| rows::step(step, job.shape.no_trunc, now)).collect();
            face.list(&job.shape, rows, rows::STEPS, "ID")?;
            Ok(0)
        }
        Verb::Graph(job) => super::graph::graph(job, engine, face).await,
        Verb::Jobs(job) => {
            let now = Timestamp::now();
            let rows = run(job.job, engine, face).await?.iter().map(|one| rows::job(one, job.shape.no_trunc, now)).collect();
            face.list(&job.shape, rows, rows::JOBS, "ID")?;
            Ok(0)
        }
        Verb::Inspect(job) => {
            let format = job.format.format.clone();
            let (found, failed) = run(job.job, engine, face).await?;
            inspect::inspect(&found, engine, format.as_deref(), face)?;
            failures(face, failed)
        }
        Verb::Info(job) => inspect::info(&run(job.job, engine, face).await?, job.format.format.as_deref(), face),
        Verb::Version(job) => inspect::version(job.format.format.as_deref(), face),
        Verb::Events(job) => inspect::events(job, engine, face).await,
        other => Err(Error::new(Kind::Unsupported, format!("{other:?} is not a verb of its own"))),
    }
}

/// Runs a job; Ctrl-C or SIGTERM calls it off, and it cleans up before it ends.
pub async fn run<J: Job>(job: J, engine: &Engine, face: &Face) -> Result<J::Output> {
    let called_off = terminal::called_off();
    let handle = engine.submit(job)?;
    face.submitted(handle.id);
    let cancel = handle.canceller();
    let mut result = Box::pin(handle.result());
    let off = tokio::select! {
        done = &mut result => return done,
        off = called_off => off,
    };
    cancel();
    cleaned_up(result, off).await
}

/// How long a job that was called off may clean up; what it leaves is swept by the next engine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until a job that was called off has cleaned up; it may be stuck where nothing wakes it, in a pipe that nobody
/// reads. A second word ends the waiting.
pub async fn cleaned_up<T>(result: impl Future<Output = Result<T>>, off: Kind) -> Result<T> {
    let ended = tokio::select! {
        done = result => done,
        _ = terminal::called_off() => Err(Error::new(off, "cancelled")),
        () = tokio::time::sleep(PATIENCE) => Err(Error::new(off, "cancelled")),
    };
    ended.map_err(|error| if error.kind == Kind::Cancelled { Error { kind: off, ..error } } else { error })
}

/// Says what the user should know.
pub fn cautions(warnings: &[String], face: &mut Face) -> Result<()> {
    warnings.iter().try_for_each(|warning| face.note(&format!("WARNING: {warning}")))
}

/// Prints what the user should know, the names of those done, then the failures; 1 if there are any.
pub fn several(several: Several, face: &mut Face) -> Result<i32> {
    cautions(&several.warnings, face)?;
    several.done.iter().try_for_each(|name| face.say(&text::clean(name)))?;
    face.give(json!(several.done));
    failures(face, several.failed)
}

/// Prints the identity of an image that was made.
fn made(id: &crate::id::ImageId, face: &mut Face) -> Result<i32> {
    face.give(json!(id));
    face.say(id.as_str())?;
    Ok(0)
}

/// Each failure as a line of its own; the last one is the verb's.
pub fn failures(face: &mut Face, mut failed: Vec<Error>) -> Result<i32> {
    let Some(last) = failed.pop() else { return Ok(0) };
    for error in failed {
        face.note(&super::sentence(&error))?;
    }
    Err(last)
}

/// Reads the moments that a prune is limited to, before anybody is asked.
pub fn read_moments(filter: &mut PruneFilter) -> Result<()> {
    let now = Timestamp::now();
    filter.until = filter.moments().map(|text| when::moment(text, now)).collect::<std::result::Result<_, _>>().map_err(Error::invalid)?;
    Ok(())
}

/// A line for each thing that is left out of a list.
pub fn warn(face: &mut Face, damaged: &[Error]) -> Result<()> {
    damaged.iter().try_for_each(|error| face.note(&format!("WARNING: {}", error.sentence())))
}

fn pruned(title: &str, pruned: Pruned, face: &mut Face) -> Result<i32> {
    if !pruned.removed.is_empty() {
        face.say(title)?;
        pruned.removed.iter().try_for_each(|line| face.say(&text::clean(line)))?;
        face.say("")?;
    }
    face.say(&format!("Total reclaimed space: {}", size::decimal(pruned.space_reclaimed)))?;
    face.give(serde_json::to_value(pruned).unwrap_or_default());
    Ok(0)
}

async fn wait(job: job::wait::Wait, engine: &Engine, face: &mut Face) -> Result<i32> {
    let statuses = run(job, engine, face).await?;
    statuses.iter().try_for_each(|status| face.say(&status.to_string()))?;
    face.give(json!(statuses));
    Ok(0)
}

async fn create(job: job::create::Create, engine: &Engine, face: &mut Face) -> Result<i32> {
    let quiet = job.options.quiet;
    let created = transfer::with_progress(job, engine, face, quiet).await?;
    cautions(&created.warnings, face)?;
    face.say(created.id.as_str())?;
    face.give(serde_json::to_value(created).unwrap_or_default());
    Ok(0)
}

async fn ps(job: Listing<job::ps::Ps>, engine: &Engine, face: &mut Face) -> Result<i32> {
    let now = Timestamp::now();
    let sized = job.job.size;
    let (containers, damaged) = run(job.job, engine, face).await?;
    warn(face, &damaged)?;
    let rows: Vec<Value> = containers.iter().map(|listed| rows::container(listed, job.shape.no_trunc, now)).collect();
    let mut columns = rows::CONTAINERS.to_vec();
    if sized {
        columns.push(("SIZE", "Size"));
    }
    face.list(&job.shape, rows, &columns, "ID")?;
    Ok(0)
}

async fn images(job: Listing<job::images::Images>, engine: &Engine, face: &mut Face) -> Result<i32> {
    let now = Timestamp::now();
    let columns = if job.job.digests { rows::IMAGES_WITH_DIGESTS } else { rows::IMAGES };
    let digests = job.job.digests || job.shape.format.as_deref().is_some_and(|format| format.contains(".Digest"));
    let (images, damaged) = run(job.job, engine, face).await?;
    warn(face, &damaged)?;
    let mut rows: Vec<Value> = images.iter().flat_map(|image| rows::image(image, digests, job.shape.no_trunc, now)).collect();
    if job.shape.quiet {
        rows.dedup_by(|a, b| a.get("ID") == b.get("ID"));
    }
    face.list(&job.shape, rows, columns, "ID")?;
    Ok(0)
}

async fn image(verb: ImageVerb, engine: &Engine, face: &mut Face) -> Result<i32> {
    if let ImageVerb::Extract(job) = verb {
        return transfer::extract(job, engine, face).await;
    }
    if let ImageVerb::Prune(mut job) = verb {
        read_moments(&mut job.filter)?;
        let what = if job.all { "This will remove all images that no container uses." } else { "This will remove all images without a name." };
        if !job.force && !face.confirm(what)? {
            return Ok(1);
        }
        return pruned("Deleted Images:", run(job, engine, face).await?, face);
    }
    match Option::<Verb>::from(verb) {
        Some(verb) => Box::pin(perform(verb, engine, face)).await,
        None => Ok(0),
    }
}

async fn volume(verb: VolumeVerb, engine: &Engine, face: &mut Face) -> Result<i32> {
    match verb {
        VolumeVerb::Create(job) => {
            let volume = run(job, engine, face).await?;
            face.say(&text::clean(&volume.name))?;
            face.give(serde_json::to_value(volume).unwrap_or_default());
            Ok(0)
        }
        VolumeVerb::Ls(job) => {
            let rows = run(job.job, engine, face).await?.iter().map(rows::volume).collect();
            face.list(&job.shape, rows, rows::VOLUMES, "Name")?;
            Ok(0)
        }
        VolumeVerb::Inspect(Showing { job, format }) => {
            let (volumes, failed) = run(job, engine, face).await?;
            let values = volumes.iter().map(|v| serde_json::to_value(v).unwrap_or_default()).collect();
            inspect::show(values, format.format.as_deref(), face)?;
            failures(face, failed)
        }
        VolumeVerb::Rm(job) => several(run(job, engine, face).await?, face),
        VolumeVerb::Prune(job) => {
            let what =
                if job.all { "This will remove all volumes that no container holds." } else { "This will remove anonymous volumes that no container holds." };
            if !job.force && !face.confirm(what)? {
                return Ok(1);
            }
            pruned("Deleted Volumes:", run(job, engine, face).await?, face)
        }
    }
}

async fn system(verb: SystemVerb, engine: &Engine, face: &mut Face) -> Result<i32> {
    match verb {
        SystemVerb::Df(job) => super::space::df(job, engine, face).await,
        SystemVerb::Prune(mut job) => {
            read_moments(&mut job.filter)?;
            if !job.force
                && !face.confirm("This will remove all stopped containers, unused networks and unused images, and with --volumes anonymous volumes.")?
            {
                return Ok(1);
            }
            pruned("Deleted:", run(job, engine, face).await?, face)
        }
        SystemVerb::Check(job) => {
            let report = run(job, engine, face).await?;
            report.mended.iter().try_for_each(|line| face.say(&text::clean(&format!("mended: {line}"))))?;
            report.faults.iter().try_for_each(|line| face.say(&text::clean(line)))?;
            if report.faults.is_empty() {
                face.say("The store is consistent.")?;
            }
            let status = i32::from(!report.faults.is_empty());
            face.give(serde_json::to_value(report).unwrap_or_default());
            Ok(status)
        }
        SystemVerb::Info(job) => Box::pin(perform(Verb::Info(job), engine, face)).await,
        SystemVerb::Events(job) => Box::pin(perform(Verb::Events(job), engine, face)).await,
    }
}
