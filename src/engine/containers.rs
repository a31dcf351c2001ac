//! Containers in the store: found by name or identity, read and written whole.

use super::{Engine, Error, Event, Kind, Result};
use crate::container::{Container, Status};
use crate::graphdb::{ContainerRow, EventRow, GraphDb};
use crate::id::ContainerId;
use serde_json::{Map, Value, json};

/// A container read from its row.
///
/// # Errors
/// The row does not hold a container: someone else wrote it.
pub fn from_row(row: &ContainerRow) -> Result<Container> {
    let damaged = |error: &dyn std::fmt::Display| {
        Error::new(Kind::Corrupt, format!("container {} ({}) is damaged in the store: {error}", row.name, row.id))
            .hint("`kapal system check --repair` mends the store")
    };
    let mut container: Container = serde_json::from_str(&row.json).map_err(|e| damaged(&e))?;
    // The document is as the container was made; name and state are those of the row.
    container.name.clone_from(&row.name);
    container.state = serde_json::from_str(&row.state).map_err(|e| damaged(&e))?;
    Ok(container)
}

/// A container as the row that keeps it.
pub fn to_row(container: &Container) -> Result<ContainerRow> {
    let failed = |error: serde_json::Error| Error::new(Kind::Failed, format!("container {}: {error}", container.id));
    Ok(ContainerRow {
        id: container.id.to_string(),
        name: container.name.clone(),
        status: container.state.status.as_str().to_owned(),
        driver: container.driver.clone(),
        image: container.image_id.as_ref().map(ToString::to_string),
        created: container.created.as_millisecond(),
        json: serde_json::to_string(container).map_err(failed)?,
        state: serde_json::to_string(&container.state).map_err(failed)?,
    })
}

/// Enters an event about a container.
pub fn record_event(db: &GraphDb, container: &Container, action: &str, more: &[(&str, String)]) {
    // Events tell of changes; one that cannot be told must not undo the change.
    let _ = db.insert_event(&event_row(container, action, more));
}

/// An event about a container, now.
pub fn event_row(container: &Container, action: &str, more: &[(&str, String)]) -> EventRow {
    let mut attributes: Map<String, Value> = container.config.labels.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    attributes.insert("image".to_owned(), json!(container.image));
    attributes.insert("name".to_owned(), json!(container.name));
    attributes.extend(more.iter().map(|(k, v)| ((*k).to_owned(), json!(v))));
    EventRow {
        id: 0,
        time: jiff::Timestamp::now().as_nanosecond() as i64,
        kind: "container".to_owned(),
        action: action.to_owned(),
        actor: container.id.to_string(),
        attributes: Value::Object(attributes).to_string(),
    }
}

impl Engine {
    /// The container that `text` means: a name, a whole identity, or the beginning of just one.
    pub fn container(&self, text: &str) -> Result<Container> {
        let name = text.strip_prefix('/').unwrap_or(text);
        let rows = self.db().containers_like(name)?;
        match rows.as_slice() {
            [row] => self.settled(from_row(row)?),
            [] => Err(Error::not_found(format!("no such container: {}", shown(text))).hint("`kapal ps -a` lists them all")),
            _ => Err(Error::invalid(format!("{} is the beginning of more than one container's id: give more digits", shown(text)))),
        }
    }

    /// The container with this identity.
    pub fn container_by_id(&self, id: &ContainerId) -> Result<Container> {
        match self.db().container(id.as_str())? {
            Some(row) => from_row(&row),
            None => Err(Error::not_found(format!("no such container: {id}"))),
        }
    }

    /// All containers, newest first, each as it really is.
    pub fn containers(&self) -> Result<Vec<Container>> {
        self.db().containers()?.iter().map(|row| self.settled(from_row(row)?)).collect()
    }

    /// All containers that can be read, newest first, each as it really is, and what is wrong with the others.
    pub fn sound_containers(&self) -> Result<(Vec<Container>, Vec<Error>)> {
        let (mut containers, mut damaged) = (Vec::new(), Vec::new());
        for row in self.db().containers()? {
            match from_row(&row).and_then(|container| self.settled(container)) {
                Ok(container) => containers.push(container),
                Err(error) => damaged.push(error),
            }
        }
        Ok((containers, damaged))
    }

    /// Enters a new container with the layers and volumes it holds; `Some` holder of its name if that is taken.
    pub fn enter_container(&self, container: &Container, layers: &[String], volumes: &[String]) -> Result<Option<String>> {
        let own = container.host_config.mounts.iter().filter(|mount| mount.anonymous).filter_map(|mount| mount.name.clone()).collect::<Vec<_>>();
        match self.db().insert_container(&to_row(container)?, layers, volumes, &own) {
            Err(crate::graphdb::Error::Taken { by, .. }) => Ok(Some(by)),
            other => Ok(other.map(|()| None)?),
        }
    }

    /// Writes a container's new state over the status `from`.
    pub fn write_state(&self, container: &Container, from: Status) -> Result<()> {
        let row = to_row(container)?;
        self.db().set_state(&row.id, from.as_str(), &row.status, &row.state, !container.state.status.is_alive(), None)?;
        self.changed(Event::ContainerChanged(container.id.clone()));
        Ok(())
    }

    /// Enters an event about a container and tells everybody.
    pub fn tell(&self, container: &Container, action: &str, more: &[(&str, String)]) {
        record_event(self.db(), container, action, more);
        self.changed(Event::ContainerChanged(container.id.clone()));
    }

    /// Enters an event about an image or a volume.
    pub fn tell_of(&self, kind: &str, action: &str, actor: &str, name: &str) {
        let row = EventRow {
            id: 0,
            time: jiff::Timestamp::now().as_nanosecond() as i64,
            kind: kind.to_owned(),
            action: action.to_owned(),
            actor: actor.to_owned(),
            attributes: json!({ "name": name }).to_string(),
        };
        let _ = self.db().insert_event(&row);
        self.changed(if kind == "image" { Event::ImagesChanged } else { Event::VolumesChanged });
    }
}

/// What a user typed, safe to print and not endless.
pub fn shown(text: &str) -> String {
    text.chars().take(128).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
