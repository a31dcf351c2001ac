//! Networks and ports shown: lists, a container's ports, and who reaches them.

use super::face::Face;
use super::perform::{failures, read_moments, run, several};
use super::verb::{Listing, NetworkVerb, Showing};
use super::{inspect, text, when, width};
use crate::container::Published;
use crate::engine::network::{Answer, Berths, Explanation, Reached, reach};
use crate::engine::{Engine, Result};
use crate::job;
use crate::job::volume::Pruned;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// The columns of `network ls`.
const NETWORKS: &[(&str, &str)] = &[("NETWORK ID", "ID"), ("NAME", "Name"), ("DRIVER", "Driver"), ("SCOPE", "Scope")];

/// The verbs behind `network`.
pub async fn network(verb: NetworkVerb, engine: &Engine, face: &mut Face) -> Result<i32> {
    match verb {
        NetworkVerb::Create(job) => {
            let network = run(job, engine, face).await?;
            face.say(network.id.as_str())?;
            face.give(json!(network.id));
            Ok(0)
        }
        NetworkVerb::Ls(Listing { job, shape }) => {
            let rows = run(job, engine, face).await?.iter().map(|berths| row(berths, shape.no_trunc)).collect();
            face.list(&shape, rows, NETWORKS, "ID")?;
            Ok(0)
        }
        NetworkVerb::Inspect(Showing { job, format }) => {
            let (found, failed) = run(job, engine, face).await?;
            inspect::show(found.iter().map(Berths::inspect).collect(), format.format.as_deref(), face)?;
            failures(face, failed)
        }
        NetworkVerb::Rm(job) => several(run(job, engine, face).await?, face),
        NetworkVerb::Connect(job) => run(job, engine, face).await.map(|()| 0),
        NetworkVerb::Disconnect(job) => run(job, engine, face).await.map(|()| 0),
        NetworkVerb::Prune(mut job) => {
            read_moments(&mut job.filter)?;
            if !job.force && !face.confirm("This will remove all custom networks not used by at least one running container.")? {
                return Ok(1);
            }
            pruned(&run(job, engine, face).await?, face)
        }
        NetworkVerb::Explain(Showing { job, format }) => {
            let explanation = run(job, engine, face).await?;
            let value = explanation.value();
            match format.format.as_deref() {
                Some(format) => face.formatted(format, std::slice::from_ref(&value), &[])?,
                None => face.print(&told(&explanation))?,
            }
            face.give(value);
            Ok(0)
        }
    }
}

fn row(berths: &Berths, whole: bool) -> Value {
    let network = &berths.network;
    let labels: Vec<String> = network.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    json!({
        "ID": if whole { network.id.as_str() } else { network.id.short() },
        "Name": network.name,
        "Driver": network.driver,
        "Scope": "local",
        "IPv4": network.subnet(false).is_some().to_string(),
        "IPv6": network.subnet(true).is_some().to_string(),
        "Internal": network.internal.to_string(),
        "Labels": labels.join(","),
        "CreatedAt": when::at(network.created),
    })
}

/// A network takes no space that could be told.
fn pruned(pruned: &Pruned, face: &mut Face) -> Result<i32> {
    if !pruned.removed.is_empty() {
        face.say("Deleted Networks:")?;
        pruned.removed.iter().try_for_each(|name| face.say(&text::clean(name)))?;
    }
    face.give(json!(pruned.removed));
    Ok(0)
}

/// `port`: the ports of a container listed, or changed.
pub async fn port(job: job::port::Port, engine: &Engine, face: &mut Face) -> Result<i32> {
    if let Some(change) = job.change() {
        let changed = run(change, engine, face).await?;
        for port in &changed.published {
            face.say(&published(port))?;
        }
        for wish in &changed.later {
            face.note(&format!("{wish} is published at the next start"))?;
        }
        face.give(json!(changed.published.iter().map(published).collect::<Vec<_>>()));
        return failures(face, changed.failed);
    }
    let only = job.port.is_some();
    let ports = run(job, engine, face).await?;
    let lines: Vec<String> = ports.iter().map(|port| if only { place(port) } else { published(port) }).collect();
    lines.iter().try_for_each(|line| face.say(line))?;
    face.give(json!(lines));
    Ok(0)
}

fn place(port: &Published) -> String {
    SocketAddr::new(port.address, port.port).to_string()
}

/// `80/tcp -> 0.0.0.0:8080`, as docker has it.
fn published(port: &Published) -> String {
    format!("{}/{} -> {}", port.inside, port.protocol.as_str(), place(port))
}

/// Who reaches a container's ports, for people: a block a port.
fn told(explanation: &Explanation) -> String {
    let mut blocks: Vec<String> = explanation.ports.iter().map(|reached| block(reached, &explanation.container)).collect();
    if !explanation.notes.is_empty() {
        blocks.push(clean(&explanation.notes));
    }
    if !explanation.obstacles.is_empty() {
        let mut lines = vec!["other firewalls of this machine, which kapal never touches:".to_owned()];
        for obstacle in &explanation.obstacles {
            lines.push(format!("  {}", obstacle.what()));
            lines.extend(obstacle.ways().iter().map(|way| format!("    to let it through: {way}")));
        }
        blocks.push(clean(&lines));
    }
    blocks.join("\n")
}

/// A port: yes or no first, who asks and where, then the rules on the way.
fn block(reached: &Reached, container: &str) -> String {
    const ASKER: usize = 9;
    let port = &reached.forward.port;
    let target = SocketAddr::new(reached.forward.target, port.inside);
    let mut lines = vec![format!("{} -> {container} {target}/{}, on network {}", place(port), port.protocol.as_str(), reached.network)];
    let who = |answer: &Answer| answer.asker.to_string();
    let wide = reached.answers.iter().map(|answer| width::of(&who(answer))).max().unwrap_or(0);
    for answer in &reached.answers {
        let asker = who(answer);
        let space = " ".repeat(wide - width::of(&asker));
        let place = answer.place.map_or_else(String::new, |place| format!("{space}  at {place}"));
        lines.push(format!("  {:<width$}{asker}{place}", reach(answer.reach), width = ASKER));
        lines.extend(answer.steps.iter().map(|step| format!("  {:ASKER$}  {step}", "")));
    }
    clean(&lines)
}

/// Lines made harmless, each ended.
fn clean(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [text::clean(line), "\n".into()]).collect()
}
