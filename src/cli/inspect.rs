//! Things shown in full: inspect, info, version, top, diff, events.

use super::face::Face;
use super::table::Table;
use super::verb::Streaming;
use super::{text, when};
use crate::engine::{Change, ChangeKind, Engine, Error, Kind, Result};
use crate::job;
use crate::job::info::Infos;
use crate::job::inspect::Found;
use crate::job::top::Processes;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Values as an indented JSON list, or each through a template.
pub fn show(values: Vec<Value>, format: Option<&str>, face: &mut Face) -> Result<()> {
    if let Some(format) = format {
        face.formatted(format, &values, &[])?;
    } else {
        let pretty = serde_json::to_string_pretty(&values).map_err(|e| Error::new(Kind::Failed, e.to_string()))?;
        face.say(&text::clean_json(&pretty))?;
    }
    face.give(Value::Array(values));
    Ok(())
}

/// What `inspect` found.
pub fn inspect(found: &[Found], engine: &Engine, format: Option<&str>, face: &mut Face) -> Result<()> {
    let values = found
        .iter()
        .map(|found| match found {
            Found::Container(container, size) => engine.inspect_container(container, *size),
            Found::Image(image) => image.inspect(),
            Found::Network(berths) => berths.inspect(),
            Found::Volume(volume) => serde_json::to_value(volume).unwrap_or_default(),
        })
        .collect();
    show(values, format, face)
}

/// The processes of a container.
pub fn top(processes: &Processes, face: &mut Face) -> Result<i32> {
    let mut table = Table::new(&processes.titles);
    processes.processes.iter().for_each(|row| table.push(row));
    face.print(&table.render())?;
    face.give(serde_json::to_value(processes).unwrap_or_default());
    Ok(0)
}

/// Changed paths, `A`, `C` or `D` before each.
pub fn diff(changes: &[Change], face: &mut Face) -> Result<i32> {
    use std::os::unix::ffi::OsStrExt;
    let mut values = Vec::with_capacity(changes.len());
    for change in changes {
        let letter = match change.kind {
            ChangeKind::Changed => "C",
            ChangeKind::Added => "A",
            ChangeKind::Deleted => "D",
        };
        let path = format!("/{}", text::clean_bytes(change.path.as_os_str().as_bytes()));
        face.say(&format!("{letter} {path}"))?;
        values.push(json!({ "Kind": letter, "Path": path }));
    }
    face.give(Value::Array(values));
    Ok(0)
}

/// This machine and this store.
pub fn info(infos: &Infos, format: Option<&str>, face: &mut Face) -> Result<i32> {
    let value = serde_json::to_value(infos).unwrap_or_default();
    if let Some(format) = format {
        face.formatted(format, std::slice::from_ref(&value), &[])?;
        face.give(value);
        return Ok(0);
    }
    let mut lines = vec![
        format!("Containers: {}", infos.containers),
        format!(" Running: {}", infos.containers_running),
        format!(" Paused: {}", infos.containers_paused),
        format!(" Stopped: {}", infos.containers_stopped),
        format!("Images: {}", infos.images),
        format!("Version: {}", infos.server_version),
        format!("Storage Driver: {}", infos.driver),
    ];
    lines.extend(infos.driver_passed_over.iter().map(|why| format!(" Passed over: {why}")));
    lines.extend([
        format!("Network Drivers: {}", infos.network_drivers.join(" ")),
        format!("Exec Driver: {}", infos.exec_driver),
        format!("Cgroup Version: {}", infos.cgroup_version),
        format!("Kernel Version: {}", infos.kernel_version),
        format!("Operating System: {}", infos.operating_system),
        format!("Architecture: {}", infos.architecture),
        format!("CPUs: {}", infos.cpus),
        format!("Total Memory: {}", super::size::binary(infos.mem_total)),
        format!("Name: {}", infos.name),
        format!("Root Dir: {}", infos.root),
        format!("Run Root Dir: {}", infos.run_root),
    ]);
    lines.extend(infos.warnings.iter().map(|warning| format!("WARNING: {warning}")));
    lines.iter().try_for_each(|line| face.say(&text::clean(line)))?;
    face.give(value);
    Ok(0)
}

/// The version; needs no engine.
pub fn version(format: Option<&str>, face: &mut Face) -> Result<i32> {
    let versions = job::version::versions();
    let value = serde_json::to_value(&versions).unwrap_or_default();
    if let Some(format) = format {
        face.formatted(format, std::slice::from_ref(&value), &[])?;
    } else {
        face.say(&format!("kapal {}", versions.version))?;
        face.say(&format!(" OS/Arch:       {}", versions.platform))?;
        face.say(&format!(" Kernel:        {}", text::clean(&versions.kernel)))?;
        face.say(&format!(" Store schema:  {}", versions.schema))?;
    }
    face.give(value);
    Ok(0)
}

/// An event under the names that docker's has: small letters in JSON, capitals for templates.
///
/// Source: Docker Engine API, EventMessage, with the fields of before version 1.22 that its clients still print.
fn event(happening: &job::events::Happening, json: bool) -> Value {
    let mut value = serde_json::to_value(happening).unwrap_or_default();
    let from = happening.actor.attributes.get("image").cloned().unwrap_or(json!(""));
    let fields = [
        ("status", "Status", json!(happening.action)),
        ("id", "ID", json!(happening.actor.id)),
        ("from", "From", from),
        ("scope", "Scope", json!("local")),
        ("time", "Time", json!(happening.time_nano.div_euclid(1_000_000_000))),
        ("timeNano", "TimeNano", json!(happening.time_nano)),
    ];
    if let Value::Object(event) = &mut value {
        event.remove("TimeNano");
        event.extend(fields.into_iter().map(|(small, capital, field)| (if json { small } else { capital }.to_owned(), field)));
    }
    value
}

/// What happens, a line each, until the time is over or Ctrl-C.
pub async fn events(verb: Streaming<job::events::Events>, engine: &Engine, face: &mut Face) -> Result<i32> {
    let Streaming { mut job, format } = verb;
    let now = Timestamp::now();
    let moment = |text: Option<&String>| text.map(|text| when::moment(text, now)).transpose().map_err(Error::invalid);
    job.span = (moment(job.since.as_ref())?.map(|t| t.as_nanosecond() as i64), moment(job.until.as_ref())?.map(|t| t.as_nanosecond() as i64));
    let mut happenings = engine.run(job).await?;
    let mut called_off = Box::pin(face.left());
    loop {
        let happening = tokio::select! {
            happening = happenings.recv() => happening,
            off = &mut called_off => return Ok(super::exit_status(&Error::new(off, "cancelled"), 1)),
        };
        let Some(happening) = happening else { return Ok(0) };
        if let Some(format) = &format {
            face.formatted(format, &[event(&happening, format == "json")], &[])?;
            continue;
        }
        let attributes: Vec<String> = happening.actor.attributes.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
        let time = Timestamp::from_nanosecond(i128::from(happening.time_nano)).unwrap_or_default();
        face.say(&text::clean(&format!("{time:.9} {} {} {} ({})", happening.kind, happening.action, happening.actor.id, attributes.join(", "))))?;
    }
}
