//! Mounts as users write them: `-v`, `--mount`, `--tmpfs`.

use crate::container::{Mount, MountKind, name};
use crate::engine::{Error, Result};

const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];

/// A destination: absolute, without `..`, not the root itself.
fn destination(option: &str, text: &str) -> Result<String> {
    let path = std::path::Path::new(text);
    if !path.is_absolute() || text.contains('\0') {
        return Err(Error::invalid(format!("invalid {option}: the destination {text:?} is not an absolute path")));
    }
    let clean: std::path::PathBuf = path.components().filter(|c| !matches!(c, std::path::Component::CurDir)).collect();
    if clean.components().any(|c| matches!(c, std::path::Component::ParentDir)) {
        return Err(Error::invalid(format!("invalid {option}: the destination {text:?} holds \"..\"")));
    }
    if clean == std::path::Path::new("/") {
        return Err(Error::invalid(format!("invalid {option}: the destination cannot be \"/\"")));
    }
    Ok(clean.to_string_lossy().into_owned())
}

fn volume_or_bind(option: &str, source: &str) -> Result<(MountKind, Option<String>, String)> {
    if source.starts_with('/') {
        return Ok((MountKind::Bind, None, source.to_owned()));
    }
    if source.starts_with("./") || source.starts_with("../") || source == "." || source == ".." || source.starts_with('~') {
        let absolute = std::path::absolute(source).map_err(|e| Error::io(format_args!("invalid {option}: {source}"), &e))?;
        return Ok((MountKind::Bind, None, absolute.to_string_lossy().into_owned()));
    }
    name::check("volume", source).map_err(|why| Error::invalid(format!("{why}; for a folder of this machine give its absolute path")))?;
    Ok((MountKind::Volume, Some(source.to_owned()), String::new()))
}

/// `-v [SOURCE:]DEST[:OPTIONS]`. An anonymous volume has no name yet.
pub fn volume(text: &str) -> Result<Mount> {
    const OPTION: &str = "-v";
    let parts: Vec<&str> = text.split(':').collect();
    let (source, dest, options) = match parts[..] {
        [dest] => (None, dest, ""),
        [source, dest] => (Some(source), dest, ""),
        [source, dest, options] => (Some(source), dest, options),
        _ => return Err(Error::invalid(format!("invalid -v {text:?}: expected [SOURCE:]DEST[:OPTIONS]"))),
    };
    let (kind, name, source) = match source {
        None => (MountKind::Volume, None, String::new()),
        Some("") => return Err(Error::invalid(format!("invalid -v {text:?}: the source is empty"))),
        Some(source) => volume_or_bind(OPTION, source)?,
    };
    let anonymous = kind == MountKind::Volume && name.is_none();
    let mut mount = Mount { kind, name, source, destination: destination(OPTION, dest)?, read_only: false, propagation: None, options: Vec::new(), anonymous };
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option {
            "ro" => mount.read_only = true,
            // SELinux labels and consistency hints mean nothing here, as on Docker without SELinux.
            "rw" | "z" | "Z" | "consistent" | "cached" | "delegated" => {}
            "nocopy" => mount.options.push("nocopy".to_owned()),
            option if PROPAGATIONS.contains(&option) => mount.propagation = Some(option.to_owned()),
            other => return Err(Error::invalid(format!("invalid -v {text:?}: unknown option {other:?}"))),
        }
    }
    Ok(mount)
}

/// `--tmpfs DEST[:OPTIONS]`.
pub fn tmpfs(text: &str) -> Result<Mount> {
    const KNOWN: [&str; 17] =
        ["rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "size", "mode", "uid", "gid", "nr_inodes", "noatime", "relatime", "async", "sync"];
    let (dest, options) = text.split_once(':').unwrap_or((text, ""));
    let mut mount = Mount {
        kind: MountKind::Tmpfs,
        name: None,
        source: String::new(),
        destination: destination("--tmpfs", dest)?,
        read_only: false,
        propagation: None,
        options: Vec::new(),
        anonymous: false,
    };
    for option in options.split(',').filter(|o| !o.is_empty()) {
        let key = option.split_once('=').map_or(option, |(key, _)| key);
        if !KNOWN.contains(&key) {
            return Err(Error::invalid(format!("invalid --tmpfs {text:?}: unknown option {option:?}")));
        }
        if option == "ro" {
            mount.read_only = true;
        } else if option != "rw" {
            mount.options.push(option.to_owned());
        }
    }
    Ok(mount)
}

/// `--mount type=…,source=…,target=…`.
pub fn spelled(text: &str) -> Result<Mount> {
    let wrong = |why: &str| Error::invalid(format!("invalid --mount {text:?}: {why}"));
    let mut mount = Mount {
        kind: MountKind::Volume,
        name: None,
        source: String::new(),
        destination: String::new(),
        read_only: false,
        propagation: None,
        options: Vec::new(),
        anonymous: false,
    };
    let mut source = String::new();
    for field in text.split(',') {
        let (key, value) = field.split_once('=').unwrap_or((field, "true"));
        match key.to_ascii_lowercase().as_str() {
            "type" => {
                mount.kind = match value {
                    "bind" => MountKind::Bind,
                    "volume" => MountKind::Volume,
                    "tmpfs" => MountKind::Tmpfs,
                    other => return Err(wrong(&format!("unknown type {other:?}, expected bind, volume or tmpfs"))),
                }
            }
            "source" | "src" => value.clone_into(&mut source),
            "target" | "destination" | "dst" => mount.destination = destination("--mount", value)?,
            "readonly" | "ro" => mount.read_only = matches!(value, "true" | "1"),
            "bind-propagation" if PROPAGATIONS.contains(&value) => mount.propagation = Some(value.to_owned()),
            "volume-nocopy" => mount.options.push("nocopy".to_owned()),
            "tmpfs-size" => mount.options.push(format!("size={}", super::values::bytes("tmpfs-size", value)?)),
            "tmpfs-mode" if value.bytes().all(|b| (b'0'..b'8').contains(&b)) => mount.options.push(format!("mode={value}")),
            other => return Err(wrong(&format!("{other}={value} is not understood"))),
        }
    }
    if mount.destination.is_empty() {
        return Err(wrong("target is missing"));
    }
    match (mount.kind, source.is_empty()) {
        (MountKind::Bind, true) => return Err(wrong("a bind needs a source")),
        (MountKind::Bind, false) if !source.starts_with('/') => return Err(wrong("a bind's source is an absolute path")),
        (MountKind::Bind, false) => mount.source = source,
        (MountKind::Volume, false) => {
            name::check("volume", &source).map_err(|why| wrong(&why))?;
            mount.name = Some(source);
        }
        (MountKind::Volume, true) => mount.anonymous = true,
        (MountKind::Tmpfs, true) => {}
        (MountKind::Tmpfs, false) => return Err(wrong("a tmpfs has no source")),
    }
    Ok(mount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_form() {
        let bind = volume("/etc:/host/etc:ro,rslave").unwrap();
        assert_eq!((bind.kind, bind.read_only, bind.propagation.as_deref()), (MountKind::Bind, true, Some("rslave")));
        let named = volume("data:/data").unwrap();
        assert_eq!((named.kind, named.name.as_deref(), named.anonymous), (MountKind::Volume, Some("data"), false));
        assert!(volume("/data").unwrap().anonymous);
        for wrong in ["", "data", "a:b:c:d", "/x:/y:bogus", ":/x", "/x:relative", "/x:/", "/x:/a/../../b", "bad name:/x"] {
            assert!(volume(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn long_form() {
        assert_eq!(spelled("type=bind,src=/a,dst=/b,readonly").unwrap(), volume("/a:/b:ro").unwrap());
        assert_eq!(spelled("source=data,target=/d").unwrap(), volume("data:/d").unwrap());
        for wrong in ["", "type=bind,dst=/b", "type=nfs,dst=/b", "type=tmpfs,src=/a,dst=/b", "type=bind,src=a,dst=/b", "dst=/b,huh=1"] {
            assert!(spelled(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn memory() {
        assert_eq!(tmpfs("/run:size=64m,noexec,ro").unwrap().options, ["size=64m", "noexec"]);
        assert!(tmpfs("/run:bogus").is_err());
    }
}
