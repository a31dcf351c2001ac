//! Things as rows: the columns and words that users of docker know.

use super::{size, text, when};
use crate::container::{Container, Status};
use crate::engine::images::{Image, Step};
use crate::engine::volumes::Volume;
use crate::job::df::{ImageSpace, Space};
use crate::job::jobs;
use crate::job::ps::Listed;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The columns of `ps`.
pub const CONTAINERS: &[(&str, &str)] = &[
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("CREATED", "CreatedSince"),
    ("STATUS", "Status"),
    ("PORTS", "Ports"),
    ("NAMES", "Names"),
];
/// The columns of `images`.
pub const IMAGES: &[(&str, &str)] = &[("REPOSITORY", "Repository"), ("TAG", "Tag"), ("IMAGE ID", "ID"), ("CREATED", "CreatedSince"), ("SIZE", "Size")];
/// The columns of `images --digests`.
pub const IMAGES_WITH_DIGESTS: &[(&str, &str)] =
    &[("REPOSITORY", "Repository"), ("TAG", "Tag"), ("DIGEST", "Digest"), ("IMAGE ID", "ID"), ("CREATED", "CreatedSince"), ("SIZE", "Size")];
/// The columns of `history`.
pub const STEPS: &[(&str, &str)] = &[("IMAGE", "ID"), ("CREATED", "CreatedSince"), ("CREATED BY", "CreatedBy"), ("SIZE", "Size"), ("COMMENT", "Comment")];
/// The columns of `volume ls`.
pub const VOLUMES: &[(&str, &str)] = &[("DRIVER", "Driver"), ("VOLUME NAME", "Name")];
/// The columns of `jobs`.
pub const JOBS: &[(&str, &str)] =
    &[("JOB ID", "ID"), ("COMMAND", "Command"), ("STATE", "State"), ("STARTED", "StartedSince"), ("TOOK", "Took"), ("ERROR", "Error")];
/// The columns of images in `system df -v`.
pub const IMAGE_SPACES: &[(&str, &str)] = &[
    ("REPOSITORY", "Repository"),
    ("TAG", "Tag"),
    ("IMAGE ID", "ID"),
    ("CREATED", "CreatedSince"),
    ("SIZE", "Size"),
    ("SHARED SIZE", "SharedSize"),
    ("UNIQUE SIZE", "UniqueSize"),
    ("CONTAINERS", "Containers"),
];
/// The columns of containers in `system df -v`.
pub const CONTAINER_SPACES: &[(&str, &str)] = &[
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("LOCAL VOLUMES", "LocalVolumes"),
    ("SIZE", "OwnSize"),
    ("CREATED", "CreatedSince"),
    ("STATUS", "Status"),
    ("NAMES", "Names"),
];
/// The columns of volumes in `system df -v`.
pub const VOLUME_SPACES: &[(&str, &str)] = &[("VOLUME NAME", "Name"), ("LINKS", "Links"), ("SIZE", "Size")];
/// The columns of `system df`.
pub const SPACES: &[(&str, &str)] = &[("TYPE", "Type"), ("TOTAL", "TotalCount"), ("ACTIVE", "Active"), ("SIZE", "Size"), ("RECLAIMABLE", "Reclaimable")];

/// Text cut to `columns` unless everything is wanted.
fn cut(words: &str, columns: usize, whole: bool) -> String {
    if whole { words.to_owned() } else { text::truncate(words, columns).into_owned() }
}

/// A command as docker lists it: a word with a space in quotes.
fn command(words: &[String]) -> String {
    let words = words.iter().enumerate().map(|(at, word)| if at > 0 && word.contains(' ') { format!("'{word}'") } else { word.clone() });
    words.collect::<Vec<_>>().join(" ")
}

/// In double quotes, with those inside escaped.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `Up 3 minutes`, `Exited (0) 2 hours ago`, `Created` …
pub fn status(container: &Container, now: Timestamp) -> String {
    match container.state.status {
        Status::Removing => "Removal In Progress".to_owned(),
        _ => when::status(&container.state, now),
    }
}

/// Its ports, while they can be asked for.
fn ports(listed: &Listed) -> String {
    let c = &listed.container;
    let exposes = c.state.status.is_alive() && !c.host_config.networks.is_empty();
    text::ports::listed(&listed.ports, c.config.exposed_ports.iter().filter(|_| exposes))
}

/// The names of its networks, or what it has in their place.
fn networks(container: &Container) -> String {
    let host = &container.host_config;
    let names: Vec<&str> = host.networks.iter().map(|attachment| attachment.network.as_str()).collect();
    if names.is_empty() { host.network_mode.name() } else { names.join(",") }
}

/// A row of `ps`.
pub fn container(listed: &Listed, whole: bool, now: Timestamp) -> Value {
    let c = &listed.container;
    let command = command(&c.command());
    let mounts: Vec<&str> = c.host_config.mounts.iter().map(|m| m.name.as_deref().unwrap_or(&m.source)).filter(|m| !m.is_empty()).collect();
    let labels: Vec<String> = c.config.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let size = match (listed.size, listed.image_size) {
        (Some(own), Some(image)) => format!("{} (virtual {})", size::decimal(own), size::decimal(own + image)),
        _ => "0B".to_owned(),
    };
    json!({
        "ID": if whole { c.id.as_str() } else { c.id.short() },
        "Image": c.image,
        "Command": quoted(&cut(&command, 20, whole)),
        "CreatedSince": when::ago(c.created, now),
        "CreatedAt": when::at(c.created),
        "RunningFor": when::ago(c.created, now),
        "Status": status(c, now),
        "State": c.state.status.as_str(),
        "Ports": ports(listed),
        "Names": c.name,
        "Labels": labels.join(","),
        "Mounts": mounts.join(","),
        "LocalVolumes": c.host_config.mounts.iter().filter(|m| m.name.is_some()).count().to_string(),
        "Networks": networks(c),
        "Size": size,
    })
}

/// The rows of an image: one for each of its names (with `digests`, for each digest of such), or one without.
pub fn image(image: &Image, digests: bool, whole: bool, now: Timestamp) -> Vec<Value> {
    let row = |repository: &str, tag: &str, digest: &str| {
        json!({
            "Repository": repository,
            "Tag": tag,
            "Digest": digest,
            "ID": if whole { image.id.as_str() } else { image.id.short() },
            "CreatedSince": image.created.map_or_else(|| "N/A".to_owned(), |created| when::ago(created, now)),
            "CreatedAt": image.created.map_or_else(|| "N/A".to_owned(), when::at),
            "Size": size::decimal(image.size),
        })
    };
    let mut known: Vec<(&str, &str)> = image.digests.iter().filter_map(|digest| digest.split_once('@')).collect();
    let mut rows = Vec::new();
    for name in &image.tags {
        let (repository, tag) = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).unwrap_or((name, "<none>"));
        let mut own = known.iter().filter(|(of, _)| *of == repository).map(|(_, digest)| *digest);
        rows.push(row(repository, tag, own.next().unwrap_or("<none>")));
        rows.extend(own.filter(|_| digests).map(|digest| row(repository, tag, digest)));
    }
    // Repositories in which it has a digest and no tag.
    known.retain(|(of, _)| !image.tags.iter().any(|tag| tag.rsplit_once(':').is_some_and(|(repository, _)| repository == *of)));
    known.dedup_by(|a, b| !digests && a.0 == b.0);
    rows.extend(known.iter().map(|(repository, digest)| row(repository, "<none>", digest)));
    if rows.is_empty() {
        rows.push(row("<none>", "<none>", "<none>"));
    }
    rows
}

/// A row of `history`.
pub fn step(step: &Step, whole: bool, now: Timestamp) -> Value {
    json!({
        "ID": step.image.as_ref().map_or("<missing>", |id| if whole { id.as_str() } else { id.short() }),
        "CreatedSince": step.created.map_or_else(|| "N/A".to_owned(), |created| when::ago(created, now)),
        "CreatedAt": step.created.map(|created| created.to_string()).unwrap_or_default(),
        "CreatedBy": cut(&step.created_by, 45, whole),
        "Size": size::decimal(step.size),
        "Comment": step.comment,
    })
}

/// A row of `volume ls`.
pub fn volume(volume: &Volume) -> Value {
    let labels: Vec<String> = volume.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    json!({ "Driver": volume.driver, "Name": volume.name, "Mountpoint": volume.mountpoint, "Labels": labels.join(","), "Scope": volume.scope, "Links": volume.users.to_string() })
}

/// A row of `jobs`.
pub fn job(job: &jobs::Listed, whole: bool, now: Timestamp) -> Value {
    let took = job.finished.unwrap_or(now).duration_since(job.started);
    json!({
        "ID": job.id.to_string(),
        "Verb": job.verb,
        "Command": cut(&job.command, 40, whole),
        "State": job.state,
        "StartedSince": when::ago(job.started, now),
        "Started": job.started.to_string(),
        "Finished": job.finished.map(|t| t.to_string()).unwrap_or_default(),
        "Took": format!("{:.3}s", took.as_secs_f64().max(0.0)),
        "Error": cut(&job.error, 60, whole),
        "PID": job.pid.to_string(),
    })
}

/// A row of `system df`.
pub fn space(space: &Space) -> Value {
    let percent = (space.reclaimable * 100).checked_div(space.size).unwrap_or(0);
    json!({
        "Type": space.kind,
        "TotalCount": space.total_count.to_string(),
        "Active": space.active.to_string(),
        "Size": size::decimal(space.size),
        "Reclaimable": format!("{} ({percent}%)", size::decimal(space.reclaimable)),
    })
}

/// An image's row of `system df -v`, under its first name.
pub fn image_space(space: &ImageSpace, now: Timestamp) -> Value {
    let mut row = image(&space.image, false, false, now).swap_remove(0);
    row["SharedSize"] = json!(size::decimal(space.shared));
    row["UniqueSize"] = json!(size::decimal(space.unique));
    row["Containers"] = json!(space.containers.to_string());
    row
}

/// A container's row of `system df -v`.
pub fn container_space(listed: &Listed, now: Timestamp) -> Value {
    let mut row = container(listed, false, now);
    row["OwnSize"] = json!(size::decimal(listed.size.unwrap_or(0)));
    row
}

/// A volume's row of `system df -v`.
pub fn volume_space(known: &Volume, bytes: u64) -> Value {
    let mut row = volume(known);
    row["Size"] = json!(size::decimal(bytes));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_quoted_as_docker_quotes_them() {
        let words = ["sh", "-c", "echo \"a b\" \\n"].map(str::to_owned);
        assert_eq!(command(&words), "sh -c 'echo \"a b\" \\n'");
        assert_eq!(quoted("say \"x\" \\n"), "\"say \\\"x\\\" \\\\n\"");
    }
}
