//! Limits, user, groups, capabilities and the working folder of a process.

use super::child::step;
use crate::execdriver::StartError;
use crate::execdriver::spec::ALL_CAPABILITIES;
use oci_spec::runtime::{Capabilities, Process};
use rustix::fs::{Gid, Mode, Uid};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::path::Path;

/// Sets the resource limits, never above what this process itself may set, and the OOM score.
pub fn limits(process: &Process) -> Result<(), StartError> {
    if let Some(shift) = process.oom_score_adj() {
        // Lowering it needs a capability that this machine may not give; a higher score is always allowed.
        if let Err(error) = std::fs::write("/proc/self/oom_score_adj", shift.to_string())
            && shift > 0
        {
            return Err(StartError::Failed(format!("cannot set the OOM score: {error}")));
        }
    }
    crate::sys::fd::usual_limit();
    for limit in process.rlimits().iter().flatten() {
        let name = limit.typ().to_string();
        let Some(resource) = resource(&name) else { return Err(StartError::Failed(format!("unknown resource limit {name}"))) };
        let value = |number: u64| if number == u64::MAX { None } else { Some(number) };
        let wanted = Rlimit { current: value(limit.soft()), maximum: value(limit.hard()) };
        match setrlimit(resource, wanted) {
            Ok(()) => {}
            Err(rustix::io::Errno::PERM) => {
                let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
                let clamp = |number: u64| value(number.min(most));
                setrlimit(resource, Rlimit { current: clamp(limit.soft()), maximum: clamp(limit.hard()) })
                    .map_err(step(format_args!("cannot set the limit {name}")))?;
            }
            Err(error) => return Err(step(format_args!("cannot set the limit {name}"))(error)),
        }
    }
    Ok(())
}

fn resource(name: &str) -> Option<Resource> {
    let plain = name.strip_prefix("RLIMIT_").unwrap_or(name).to_ascii_uppercase();
    Some(match plain.as_str() {
        "AS" => Resource::As,
        "CORE" => Resource::Core,
        "CPU" => Resource::Cpu,
        "DATA" => Resource::Data,
        "FSIZE" => Resource::Fsize,
        "LOCKS" => Resource::Locks,
        "MEMLOCK" => Resource::Memlock,
        "MSGQUEUE" => Resource::Msgqueue,
        "NICE" => Resource::Nice,
        "NOFILE" => Resource::Nofile,
        "NPROC" => Resource::Nproc,
        "RSS" => Resource::Rss,
        "RTPRIO" => Resource::Rtprio,
        "RTTIME" => Resource::Rttime,
        "SIGPENDING" => Resource::Sigpending,
        "STACK" => Resource::Stack,
        _ => return None,
    })
}

/// The set that a list of names makes; names this kernel does not know are in no set.
fn set(names: Option<&Capabilities>) -> CapabilitySet {
    let mut bits = 0u64;
    for name in names.into_iter().flatten() {
        let name = name.to_string();
        let plain = name.strip_prefix("CAP_").unwrap_or(&name);
        if let Some(number) = ALL_CAPABILITIES.iter().position(|known| *known == plain) {
            bits |= 1 << number;
        }
    }
    CapabilitySet::from_bits_retain(bits)
}

/// Becomes the user, with the capabilities that are left, in the working folder.
pub fn take(process: &Process) -> Result<(), StartError> {
    let user = process.user();
    let cwd = process.cwd();
    rustix::process::umask(Mode::from_raw_mode(user.umask().unwrap_or(0o022)));
    // As root first: a folder the user may not enter by name can still be stood in, as runc has it.
    let stood = rustix::process::chdir(cwd);
    let capabilities = process.capabilities().as_ref();
    let own = rustix::thread::capabilities(None).map_err(step("cannot read capabilities"))?;
    let bounding = set(capabilities.and_then(|c| c.bounding().as_ref()));
    drop_bounding(bounding)?;
    rustix::thread::set_keep_capabilities(true).map_err(step("cannot keep capabilities"))?;
    let groups: Vec<Gid> = user.additional_gids().iter().flatten().map(|gid| Gid::from_raw(*gid)).collect();
    rustix::thread::set_thread_groups(&groups).map_err(step("cannot set groups"))?;
    let (uid, gid) = (Uid::from_raw(user.uid()), Gid::from_raw(user.gid()));
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(step("cannot become the group"))?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(step("cannot become the user"))?;
    // What the machine itself withholds from us nobody gets.
    let have = |names: CapabilitySet| names & own.permitted;
    let sets = CapabilitySets {
        effective: have(set(capabilities.and_then(|c| c.effective().as_ref()))),
        permitted: have(set(capabilities.and_then(|c| c.permitted().as_ref()))),
        inheritable: have(set(capabilities.and_then(|c| c.inheritable().as_ref()))),
    };
    if rustix::process::chdir(cwd).is_err() {
        stood.map_err(step(format_args!("cannot enter the working folder {}", cwd.display())))?;
    }
    rustix::thread::set_capabilities(None, sets).map_err(step("cannot set capabilities"))?;
    rustix::thread::set_keep_capabilities(false).map_err(step("cannot let go of capabilities"))?;
    if process.no_new_privileges() == Some(true) {
        rustix::thread::set_no_new_privs(true).map_err(step("cannot forbid new privileges"))?;
    }
    // The change of user made it forget that it ends with its monitor.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).map_err(step("cannot tie the process to its monitor"))
}

fn drop_bounding(keep: CapabilitySet) -> Result<(), StartError> {
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        match rustix::thread::capability_is_in_bounding_set(one) {
            Ok(true) if !keep.contains(one) => rustix::thread::remove_capability_from_bounding_set(one).map_err(step("cannot drop capabilities"))?,
            Ok(_) => {}
            // Beyond the last one this kernel knows.
            Err(_) => break,
        }
    }
    Ok(())
}

/// Makes the working folder of a container's first process; a process beside it has to find its own there.
pub fn make_folder(path: &Path) -> Result<(), StartError> {
    if !path.is_absolute() {
        return Err(StartError::Failed(format!("the working folder {} is not an absolute path", path.display())));
    }
    match std::fs::create_dir_all(path) {
        Ok(()) => Ok(()),
        // What is there already may also be a folder of a file system that cannot be written.
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(StartError::Failed(format!("cannot make the working folder {}: {error}", path.display()))),
    }
}
