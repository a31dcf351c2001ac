//! `create`: a container made from an image, not started.

use super::options::ContainerOptions;
use super::pull::Pull;
use super::{attachments, settle};
use crate::container::{Config, Container, HOST_IMAGE, HostConfig, MountKind, State, name};
use crate::engine::check;
use crate::engine::images::Image;
use crate::engine::{Base, Error, Job, JobContext, Kind, Result};
use crate::id::{ContainerId, ImageId, LayerId};
use crate::registry::Platform;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;

/// Make a container without starting it
#[derive(Args, Clone, Debug)]
pub struct Create {
    /// How.
    #[command(flatten)]
    pub options: ContainerOptions,
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Created {
    /// The container.
    pub id: ContainerId,
    /// Its name.
    pub name: String,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Job for Create {
    type Output = Created;
    const VERB: &'static str = "create";

    fn title(&self) -> String {
        format!("create {}", self.options.words.join(" "))
    }

    async fn run(self, context: JobContext) -> Result<Created> {
        create(self.options, &context).await
    }
}

/// What a container's files come from.
struct Source {
    name: String,
    image: Option<ImageId>,
    layers: Vec<LayerId>,
    config: Config,
}

/// Makes the container; a missing image is pulled first, as `--pull` says.
pub async fn create(mut options: ContainerOptions, context: &JobContext) -> Result<Created> {
    // An empty name is none: scripts give one that they do not have.
    options.name = options.name.filter(|name| !name.is_empty());
    let (name, _) = settle::image_and_command(&options)?;
    let name = name.to_owned();
    if let Some(name) = &options.name {
        name::check("container", name.trim_start_matches('/')).map_err(Error::invalid)?;
    }
    // What is wrong with the options is said before anything is pulled.
    let host = settle::host_config(&options)?;
    if let Some(file) = options.cidfile.as_ref().filter(|file| file.symlink_metadata().is_ok()) {
        return Err(Error::conflict(format!("--cidfile {} is there already: another container may be using it", file.display())));
    }
    let source = if name == HOST_IMAGE {
        Source {
            name,
            image: None,
            layers: Vec::new(),
            config: Config { env: vec![format!("PATH={DEFAULT_PATH}")], cmd: vec!["/bin/sh".to_owned()], ..Config::default() },
        }
    } else {
        let image = image(&name, &options, context).await?;
        let config = image.config.clone();
        Source { name, image: Some(image.id.clone()), layers: image.layers.clone(), config }
    };
    context.check()?;
    context.blocking(move |context| make(&options, host, source, context)).await
}

/// The search path of containers whose image names none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The image at hand, if it is for the platform that is asked for.
fn at_hand(name: &str, platform: Option<&Platform>, context: &JobContext) -> Result<Image> {
    let image = context.engine.image(name)?;
    let own = Platform::new(&image.document.os, &image.document.architecture, Some(&image.document.variant));
    match platform {
        Some(wanted) if !wanted.takes(&own) => {
            Err(Error::not_found(format!("image {} is for {own}, not for {wanted}", crate::engine::containers::shown(name))))
        }
        _ => Ok(image),
    }
}

async fn image(name: &str, options: &ContainerOptions, context: &JobContext) -> Result<Image> {
    let platform =
        options.platform.as_deref().map(|text| text.parse::<Platform>().map_err(|error| Error::invalid(format!("--platform: {error}")))).transpose()?;
    let pull = || Pull { reference: name.to_owned(), platform: options.platform.clone(), all_tags: false, quiet: options.quiet, insecure: false };
    match options.pull.as_str() {
        "always" => {
            context.engine.run_within(pull(), context).await?;
        }
        "missing" | "never" => {}
        other => return Err(Error::invalid(format!("--pull {other:?}: expected always, missing or never"))),
    }
    match at_hand(name, platform.as_ref(), context) {
        Err(error) if error.kind == Kind::NotFound && options.pull == "missing" && !crate::engine::images::is_identity(name) => {
            context.say(format!("Unable to find image '{}' locally", crate::engine::containers::shown(name)));
            context.engine.run_within(pull(), context).await?;
            at_hand(name, platform.as_ref(), context)
        }
        Err(error) if error.kind == Kind::NotFound && options.pull == "never" => Err(error.hint(format!("pull it first: `kapal pull {name}`"))),
        found => found,
    }
}

fn make(options: &ContainerOptions, mut host: HostConfig, source: Source, context: &JobContext) -> Result<Created> {
    let engine = &context.engine;
    let config = settle::config(options, source.config)?;
    let mut warnings = attachments::resolve(&mut host, &config, engine)?;
    warnings.extend(options.health.unheeded(&config)?);
    settle::image_volumes(&config, &mut host);
    volumes_from(options, &mut host, context)?;
    for (path, _, _) in &host.devices {
        if !std::path::Path::new(path).exists() {
            return Err(Error::not_found(format!("--device: {path} does not exist on this machine")));
        }
    }
    let driver = engine.graph()?;
    let id = ContainerId::random().map_err(|e| Error::io("no random numbers", &e))?;
    let mut container = Container {
        id: id.clone(),
        name: String::new(),
        created: jiff::Timestamp::now(),
        image: source.name,
        image_id: source.image,
        layers: source.layers,
        driver: driver.name().to_owned(),
        config,
        host_config: host,
        state: State::default(),
    };
    let _operation = engine.operation()?;
    let volumes = volumes(&mut container, context)?;
    let hidden = engine.hidden_paths();
    let base = if container.is_host_image() { Base::Host { hidden: &hidden } } else { Base::Layers(&container.layers) };
    driver.create(&id, base).map_err(|e| Error::io("cannot make the container's writable layer", &e))?;
    let entered = enter(options, &mut container, &volumes, context);
    if let Err(error) = entered {
        // The name comes last; without it nothing of the container may stay.
        let _ = driver.remove(&id);
        for volume in container.host_config.mounts.iter().filter(|m| m.anonymous).filter_map(|m| m.name.as_deref()) {
            let _ = std::fs::remove_dir_all(engine.place().volumes().join(volume));
        }
        return Err(error);
    }
    if let Some(file) = &options.cidfile {
        cidfile(file, &id)?;
    }
    engine.tell(&container, "create", &[]);
    warnings.extend(check::unheeded(&container.host_config.resources));
    Ok(Created { id, name: container.name, warnings })
}

fn cidfile(file: &std::path::Path, id: &ContainerId) -> Result<()> {
    use std::io::Write;
    let failed = |e: std::io::Error| Error::io(format_args!("--cidfile {}", file.display()), &e);
    std::fs::File::create_new(file).map_err(failed)?.write_all(id.as_str().as_bytes()).map_err(failed)
}

/// Enters the container under the name asked for, or under one made up.
fn enter(options: &ContainerOptions, container: &mut Container, volumes: &[String], context: &JobContext) -> Result<()> {
    let layers: Vec<String> = container.layers.iter().map(ToString::to_string).collect();
    for attempt in 0..20 {
        container.name = if let Some(name) = &options.name {
            name.trim_start_matches('/').to_owned()
        } else {
            let random = u64::from_str_radix(&container.id.as_str()[attempt..attempt + 16], 16).unwrap_or(0);
            name::made_up(random, attempt as u32)
        };
        match context.engine.enter_container(container, &layers, volumes)? {
            None => return Ok(()),
            Some(_) if options.name.is_none() => {}
            Some(holder) => {
                return Err(Error::conflict(format!("the name {:?} is already in use by {holder}", container.name))
                    .hint("choose another --name, or remove or rename the holder"));
            }
        }
    }
    Err(Error::conflict("no free name was found in twenty tries").hint("give one with --name"))
}

/// Makes the volumes it mounts, and returns the names of all it holds.
fn volumes(container: &mut Container, context: &JobContext) -> Result<Vec<String>> {
    let engine = &context.engine;
    let mut held = Vec::new();
    for mount in &mut container.host_config.mounts {
        match mount.kind {
            // Another container's: it is there already.
            MountKind::Volume if !mount.source.is_empty() => held.extend(mount.name.clone()),
            MountKind::Volume => {
                let (name, source) = match mount.name.as_deref() {
                    Some(name) => {
                        let volume = engine.create_volume(name, &BTreeMap::new())?;
                        (volume.name, volume.mountpoint)
                    }
                    None => engine.anonymous_volume()?,
                };
                mount.source = source;
                mount.name = Some(name.clone());
                held.push(name);
            }
            MountKind::Bind => bind_source(&mount.source)?,
            MountKind::Tmpfs => {}
        }
    }
    Ok(held)
}

/// Docker makes the missing source of `-v`; a folder that appears by a typing error is nobody's friend, but scripts
/// rely on it.
fn bind_source(source: &str) -> Result<()> {
    match std::fs::symlink_metadata(source) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(source).map_err(|e| Error::io(format_args!("-v: {source} does not exist and cannot be made"), &e))
        }
        Err(error) => Err(Error::io(format_args!("-v: {source}"), &error)),
    }
}

fn volumes_from(options: &ContainerOptions, host: &mut HostConfig, context: &JobContext) -> Result<()> {
    for text in &options.volumes_from {
        let (name, mode) = text.split_once(':').unwrap_or((text, "rw"));
        if !matches!(mode, "ro" | "rw") {
            return Err(Error::invalid(format!("invalid --volumes-from {text:?}: expected CONTAINER[:ro|rw]")));
        }
        let other = context.engine.container(name)?;
        for mount in other.host_config.mounts.iter().filter(|mount| mount.kind != MountKind::Tmpfs) {
            if host.mounts.iter().any(|own| own.destination == mount.destination && !own.anonymous) {
                continue;
            }
            host.mounts.retain(|own| own.destination != mount.destination);
            let mut mount = mount.clone();
            mount.read_only |= mode == "ro";
            mount.anonymous = false;
            host.mounts.push(mount);
        }
    }
    Ok(())
}
