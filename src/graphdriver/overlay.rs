//! The overlay driver: layers as folders laid on top of each other by the kernel.
//!
//! ```text
//!  ROOT/overlay/layers/HEX/diff          a committed layer, in diff form
//!  ROOT/overlay/containers/ID/{diff,work} a container's writable layer
//!  ROOT/overlay/staging/PID.N            a layer being extracted, its folder locked
//!  ROOT/overlay/trash/…                  being removed
//!  ROOT/overlay/empty                    below an image without layers
//! ```
//!
//! A mount is made by the kernel's new mount interface, one `lowerdir+` a layer, so that its number of layers is the
//! kernel's limit (500) and not a page of options. Kernels before 6.5 get a legacy mount with short relative names, in
//! a private mount namespace, and a detached copy of it.

use super::merge::{self, Trees};
use super::{Base, Change, Form, GraphDriver, Staging, Unsaid, host, legacy, place};
use crate::id::{ContainerId, Digest, LayerId};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The driver.
#[derive(Debug)]
struct Overlay {
    root: PathBuf,
}

/// Opens the driver below `root`, trying a real mount there the first time since boot.
pub fn open(root: &Path) -> io::Result<Box<dyn GraphDriver>> {
    let root = root.join("overlay");
    for name in ["layers", "containers", "staging", "trash", "empty"] {
        place::make_folder(&root.join(name))?;
    }
    let driver = Overlay { root };
    driver.probe()?;
    Ok(Box::new(driver))
}

/// What an overlay is made of.
#[derive(Debug)]
pub(super) struct Stack<'a> {
    /// Topmost first.
    pub lowers: &'a [PathBuf],
    /// Upper and work folder.
    pub upper: Option<(PathBuf, PathBuf)>,
    /// Cannot be written.
    pub read_only: bool,
}

impl Stack<'_> {
    /// Every path in it.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.lowers.iter().cloned().chain(self.upper.iter().flat_map(|(upper, work)| [upper.clone(), work.clone()])).collect()
    }
}

/// Mounts a stack, detached.
pub(super) fn mount(stack: &Stack<'_>) -> io::Result<OwnedFd> {
    match modern(stack) {
        // `lowerdir+` came with Linux 6.5.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => legacy::mount(stack),
        other => Ok(other?),
    }
}

pub(super) fn modern(stack: &Stack<'_>) -> rustix::io::Result<OwnedFd> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", "overlay")?;
    for lower in stack.lowers {
        fsconfig_set_string(&context, "lowerdir+", lower)?;
    }
    if let Some((upper, work)) = &stack.upper {
        fsconfig_set_string(&context, "upperdir", upper)?;
        fsconfig_set_string(&context, "workdir", work)?;
    } else {
        fsconfig_set_flag(&context, "ro")?;
    }
    // Renamed folders and half-copied files are written as plain ones: what is in a diff is all of it.
    for (key, value) in [("redirect_dir", "off"), ("metacopy", "off"), ("index", "off"), ("xino", "auto")] {
        match fsconfig_set_string(&context, key, value) {
            // A kernel built without that feature has it off.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(error) => return Err(error),
        }
    }
    fsconfig_create(&context)?;
    let attributes = if stack.read_only { MountAttrFlags::MOUNT_ATTR_RDONLY } else { MountAttrFlags::empty() };
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

impl Overlay {
    fn layer(&self, id: &LayerId) -> PathBuf {
        self.root.join("layers").join(id.hex()).join("diff")
    }

    fn container(&self, id: &ContainerId) -> PathBuf {
        self.root.join("containers").join(id.as_str())
    }

    /// Tries a real mount; a success is remembered until the next boot.
    fn probe(&self) -> io::Result<()> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let mark = self.root.join("probed");
        if !boot.is_empty() && std::fs::read_to_string(&mark).is_ok_and(|seen| seen == boot) {
            return Ok(());
        }
        let folder = place::staging(&self.root.join("staging"))?;
        for name in ["lower", "upper", "work"] {
            place::make_folder(&folder.path.join(name))?;
        }
        let lowers = [folder.path.join("lower")];
        let stack = Stack { lowers: &lowers, upper: Some((folder.path.join("upper"), folder.path.join("work"))), read_only: false };
        let merged = mount(&stack).map_err(|error| io::Error::new(error.kind(), why(&error)))?;
        // A file system that mounts and then refuses to keep whiteouts or attributes is no use either.
        rustix::fs::mkdirat(&merged, "tried", Mode::from_raw_mode(0o700))?;
        rustix::fs::unlinkat(&merged, "tried", rustix::fs::AtFlags::REMOVEDIR)?;
        std::fs::write(folder.path.join("upper/attribute"), "")?;
        rustix::fs::lsetxattr(folder.path.join("upper/attribute"), "trusted.overlay.opaque", b"y", rustix::fs::XattrFlags::empty())
            .map_err(|error| io::Error::other(format!("the file system keeps no trusted attributes: {error}")))?;
        // Best effort: without the mark the next start tries again.
        let _ = std::fs::write(mark, boot);
        Ok(())
    }

    fn lowers(&self, layers: &[LayerId]) -> Vec<PathBuf> {
        if layers.is_empty() { vec![self.root.join("empty")] } else { layers.iter().rev().map(|id| self.layer(id)).collect() }
    }

    fn trees(&self, layers: &[LayerId]) -> io::Result<Trees> {
        let folders = layers.iter().rev().map(|id| place::open_folder(&self.layer(id))).collect::<io::Result<Vec<_>>>()?;
        Ok(Trees::new(folders))
    }
}

/// The kernel's answer to a first mount, in words.
fn why(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENODEV) => "this kernel has no overlay file system (load the module: modprobe overlay)".to_owned(),
        Some(libc::EPERM) => "this process may not mount (CAP_SYS_ADMIN is missing: run as root)".to_owned(),
        Some(libc::EINVAL) => "the file system of the store cannot carry an upper layer (it is an overlay itself, or lacks d_type or attributes)".to_owned(),
        _ => format!("a mount was tried and failed: {error}"),
    }
}

impl GraphDriver for Overlay {
    fn name(&self) -> &'static str {
        "overlay"
    }

    fn stage(&self) -> io::Result<Staging> {
        place::staging(&self.root.join("staging"))
    }

    fn commit(&self, staging: Staging, id: &LayerId, parents: &[LayerId], unsaid: &Unsaid) -> io::Result<()> {
        let folder = self.root.join("layers").join(id.hex());
        if folder.exists() {
            return Ok(());
        }
        merge::complete(&place::open_folder(&staging.path)?, &self.trees(parents)?, unsaid)?;
        // The layer appears whole or not at all: its folder is made aside and renamed.
        let aside = place::staging(&self.root.join("staging"))?;
        rustix::fs::rename(&staging.path, aside.path.join("diff"))?;
        rustix::fs::chmod(&aside.path, Mode::from_raw_mode(0o755))?;
        match rustix::fs::renameat_with(CWD, &aside.path, CWD, &folder, rustix::fs::RenameFlags::NOREPLACE) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn has(&self, id: &LayerId) -> io::Result<bool> {
        Ok(self.layer(id).is_dir())
    }

    fn layers(&self) -> io::Result<Vec<LayerId>> {
        place::names(&self.root.join("layers"), |name| format!("sha256:{name}").parse::<Digest>().ok())
    }

    fn containers(&self) -> io::Result<Vec<ContainerId>> {
        place::names(&self.root.join("containers"), |name| name.parse().ok())
    }

    fn look_into(&self, id: &LayerId) -> io::Result<(OwnedFd, Form)> {
        Ok((place::open_folder(&self.layer(id))?, Form::Diff))
    }

    fn remove_layer(&self, id: &LayerId) -> io::Result<()> {
        place::discard(&self.root.join("layers").join(id.hex()), &self.root.join("trash"))
    }

    fn sweep(&self) -> io::Result<()> {
        place::sweep(&self.root.join("staging"), &self.root.join("trash"))
    }

    fn create(&self, container: &ContainerId, base: Base<'_>) -> io::Result<()> {
        let folder = self.container(container);
        place::make_folder(&folder.join("diff"))?;
        place::make_folder(&folder.join("work"))?;
        // The root's own attributes are those of the topmost layer.
        if let Base::Layers([.., top]) = base {
            merge::copy_attributes(&place::open_folder(&self.layer(top))?, &place::open_folder(&folder.join("diff"))?)?;
        }
        Ok(())
    }

    fn mount(&self, container: &ContainerId, base: Base<'_>, read_only: bool) -> io::Result<OwnedFd> {
        let folder = self.container(container);
        let (diff, work) = (folder.join("diff"), folder.join("work"));
        if let Base::Host { hidden } = base {
            return host::mount(hidden, &diff, &work, read_only);
        }
        let Base::Layers(layers) = base else { return Err(io::Error::other("no base")) };
        let mut lowers = self.lowers(layers);
        if read_only {
            // Upper and work folder belong to the mount of the running container; a reader lays the upper on top as
            // one more lower layer.
            lowers.insert(0, diff);
            return mount(&Stack { lowers: &lowers, upper: None, read_only: true });
        }
        mount(&Stack { lowers: &lowers, upper: Some((diff, work)), read_only: false })
    }

    fn mount_image(&self, layers: &[LayerId]) -> io::Result<OwnedFd> {
        let mut lowers = self.lowers(layers);
        if lowers.len() == 1 {
            // Without an upper folder the kernel wants two.
            lowers.push(self.root.join("empty"));
        }
        mount(&Stack { lowers: &lowers, upper: None, read_only: true })
    }

    fn changes(&self, container: &ContainerId, base: Base<'_>) -> io::Result<Vec<Change>> {
        let upper = place::open_folder(&self.container(container).join("diff"))?;
        match base {
            Base::Layers(layers) => merge::changes(&upper, &self.trees(layers)?),
            Base::Host { .. } => {
                merge::changes(&upper, &Trees::new(vec![rustix::fs::open("/", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?]))
            }
        }
    }

    fn size(&self, container: &ContainerId) -> io::Result<u64> {
        place::tree_size(&self.container(container).join("diff"))
    }

    fn remove(&self, container: &ContainerId) -> io::Result<()> {
        place::discard(&self.container(container), &self.root.join("trash"))
    }
}
