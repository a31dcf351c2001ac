//! Applets for what is around the files: mount, df, ip, ss.

use super::call::Call;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// A line of `/proc/self/mountinfo`. Source: proc_pid_mountinfo(5).
struct Mount {
    source: Vec<u8>,
    place: Vec<u8>,
    kind: Vec<u8>,
    options: Vec<u8>,
}

/// Undoes `\040` and its like.
fn plain(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| byte == b'\\').and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 8).ok());
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    bytes
}

fn mount_of(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let dash = fields.iter().position(|field| *field == b"-")?;
    let at = |number: usize| fields.get(number).map(|field| plain(field));
    Some(Mount { source: at(dash + 2)?, place: at(4)?, kind: at(dash + 1)?, options: at(5)? })
}

fn mounts(call: &mut Call<'_>) -> Vec<Mount> {
    match std::fs::read("/proc/self/mountinfo") {
        Ok(text) => text.split(|byte| *byte == b'\n').filter_map(mount_of).collect(),
        Err(error) => {
            call.fail("/proc/self/mountinfo", &error);
            Vec::new()
        }
    }
}

/// `mount`
pub fn mount(call: &mut Call<'_>) -> io::Result<()> {
    if !call.arguments.is_empty() {
        call.refuse("it lists mounts and makes none");
        return Ok(());
    }
    for mount in mounts(call) {
        call.out.write_all(&[&mount.source[..], b" on ", &mount.place, b" type ", &mount.kind, b" (", &mount.options, b")\n"].concat())?;
    }
    Ok(())
}

/// Which mount holds a path: the last one of the deepest, which covers the others.
fn holder(call: &mut Call<'_>, all: &[Mount], path: &OsStr) -> Option<usize> {
    match std::fs::canonicalize(path) {
        Ok(whole) => (0..all.len()).filter(|at| whole.starts_with(OsStr::from_bytes(&all[*at].place))).max_by_key(|at| all[*at].place.len()),
        Err(error) => {
            call.fail(path, &error);
            None
        }
    }
}

/// `df`: of all mounts that have a size, or of those that hold the paths.
pub fn df(call: &mut Call<'_>) -> io::Result<()> {
    let Some(options) = call.options("h") else { return Ok(()) };
    let mut all = mounts(call);
    if !call.arguments.is_empty() {
        let holders: Vec<usize> = call.arguments.clone().iter().filter_map(|path| holder(call, &all, path)).collect();
        let numbered = all.into_iter().enumerate().filter(|(at, _)| holders.contains(at));
        all = numbered.map(|(_, mount)| mount).collect();
    }
    writeln!(
        call.out,
        "{:<20} {:>10} {:>10} {:>10} {:>4} Mounted on",
        "Filesystem",
        if options.has(b'h') { "Size" } else { "1K-blocks" },
        "Used",
        "Available",
        "Use%"
    )?;
    for mount in all {
        let Ok(stat) = rustix::fs::statvfs(Path::new(OsStr::from_bytes(&mount.place))) else { continue };
        if stat.f_blocks == 0 {
            continue;
        }
        let (used, free) = (stat.f_blocks.saturating_sub(stat.f_bfree), stat.f_bavail);
        let size = |blocks: u64| sized(blocks.saturating_mul(stat.f_frsize), options.has(b'h'));
        let share = (used * 100).div_ceil((used + free).max(1));
        let numbers = format!(" {:>10} {:>10} {:>10} {share:>3}% ", size(stat.f_blocks), size(used), size(free));
        let source = [&mount.source[..], &vec![b' '; 20usize.saturating_sub(mount.source.len())]].concat();
        call.out.write_all(&[&source, numbers.as_bytes(), &mount.place, b"\n"].concat())?;
    }
    Ok(())
}

/// KiB, or the largest unit that leaves a number before the point.
fn sized(bytes: u64, human: bool) -> String {
    let mut number = bytes as f64 / 1024.0;
    if !human {
        return bytes.div_ceil(1024).to_string();
    }
    for unit in ["K", "M", "G"] {
        if number < 1024.0 {
            return format!("{number:.1}{unit}");
        }
        number /= 1024.0;
    }
    format!("{number:.1}T")
}

/// `ip`: the links with their addresses, or the routes.
pub fn ip(call: &mut Call<'_>) -> io::Result<()> {
    match call.arguments.first().and_then(|what| what.to_str()) {
        None | Some("a" | "addr" | "address" | "link") => links(call),
        Some("r" | "route") => routes(call),
        Some(_) => {
            call.refuse("expected addr or route");
            Ok(())
        }
    }
}

fn links(call: &mut Call<'_>) -> io::Result<()> {
    let mut links: BTreeMap<String, (InterfaceFlags, Vec<String>)> = BTreeMap::new();
    for link in getifaddrs()? {
        let (_, addresses) = links.entry(link.interface_name).or_insert((link.flags, Vec::new()));
        addresses.extend(link.address.and_then(|address| shown(&address, link.netmask.as_ref())));
    }
    for (name, (flags, addresses)) in links {
        let known =
            |what: &str| std::fs::read_to_string(format!("/sys/class/net/{name}/{what}")).map_or_else(|_| "?".to_owned(), |text| text.trim().to_owned());
        let flags = flags.iter_names().map(|(name, _)| name.trim_start_matches("IFF_")).collect::<Vec<_>>().join(",");
        writeln!(call.out, "{name}: <{flags}> mtu {}\n    link {}", known("mtu"), known("address"))?;
        for address in addresses {
            writeln!(call.out, "    {address}")?;
        }
    }
    Ok(())
}

/// `inet 127.0.0.1/8`; nothing for what is no internet address.
fn shown(address: &SockaddrStorage, mask: Option<&SockaddrStorage>) -> Option<String> {
    if let Some(address) = address.as_sockaddr_in() {
        let bits = mask.and_then(|mask| mask.as_sockaddr_in()).map_or(32, |mask| u32::from(mask.ip()).count_ones());
        return Some(format!("inet {}/{bits}", address.ip()));
    }
    let address = address.as_sockaddr_in6()?;
    let bits = mask.and_then(|mask| mask.as_sockaddr_in6()).map_or(128, |mask| u128::from(mask.ip()).count_ones());
    Some(format!("inet6 {}/{bits}", address.ip()))
}

fn routes(call: &mut Call<'_>) -> io::Result<()> {
    let text = match std::fs::read_to_string("/proc/net/route") {
        Ok(text) => text,
        Err(error) => {
            call.fail("/proc/net/route", &error);
            return Ok(());
        }
    };
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let address = |at: usize| fields.get(at).and_then(|text| u32::from_str_radix(text, 16).ok()).map(|bits| Ipv4Addr::from(bits.to_ne_bytes()));
        let (Some(to), Some(via), Some(mask)) = (address(1), address(2), address(7)) else { continue };
        let bits = u32::from(mask).count_ones();
        let to = if bits == 0 { "default".to_owned() } else { format!("{to}/{bits}") };
        let via = if via.is_unspecified() { String::new() } else { format!(" via {via}") };
        writeln!(call.out, "{to}{via} dev {}", fields[0])?;
    }
    Ok(())
}

/// The kernel's states of a tcp socket, from 1 on. Source: include/net/tcp_states.h.
const STATES: [&str; 12] =
    ["ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED", "CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING", "NEW-SYN-RECV"];

/// An address and a port as `/proc/net` writes them: words of 32 bits as they lie in memory.
fn endpoint(text: &str) -> Option<String> {
    let (address, port) = text.split_once(':')?;
    let words = address.as_bytes().chunks(8).map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok());
    let bytes: Vec<u8> = words.collect::<Option<Vec<_>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
    let address = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => return None,
    };
    let port = match u16::from_str_radix(port, 16).ok()? {
        0 => "*".to_owned(),
        port => port.to_string(),
    };
    Some(if address.is_ipv6() { format!("[{address}]:{port}") } else { format!("{address}:{port}") })
}

/// `ss`
pub fn ss(call: &mut Call<'_>) -> io::Result<()> {
    if !call.arguments.is_empty() {
        call.refuse("it takes no options");
        return Ok(());
    }
    writeln!(call.out, "{:<5} {:<12} {:<30} Peer", "Proto", "State", "Local")?;
    for proto in ["tcp", "tcp6", "udp", "udp6"] {
        let path = format!("/proc/net/{proto}");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            // This kernel has no such addresses.
            Err(error) if error.kind() == io::ErrorKind::NotFound && proto.ends_with('6') => continue,
            Err(error) => {
                call.fail(OsString::from_vec(path.into_bytes()), &error);
                continue;
            }
        };
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (Some(local), Some(peer)) = (fields.get(1).and_then(|text| endpoint(text)), fields.get(2).and_then(|text| endpoint(text))) else { continue };
            let state = fields.get(3).and_then(|state| usize::from_str_radix(state, 16).ok()).unwrap_or(0);
            let state = STATES.get(state.wrapping_sub(1)).filter(|_| proto.starts_with("tcp")).copied().unwrap_or("-");
            writeln!(call.out, "{proto:<5} {state:<12} {local:<30} {peer}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        let mount = mount_of(br"36 35 98:0 /m /a\040b rw,noatime master:1 - ext3 /dev/root rw").unwrap();
        assert_eq!([mount.place, mount.kind, mount.source, mount.options], [&b"/a b"[..], b"ext3", b"/dev/root", b"rw,noatime"]);
        assert!(mount_of(b"").is_none());
        if cfg!(target_endian = "little") {
            assert_eq!(endpoint("0100007F:0050").unwrap(), "127.0.0.1:80");
            assert_eq!(endpoint("00000000000000000000000001000000:0000").unwrap(), "[::1]:*");
        }
        assert!(endpoint("zz:1").is_none() && endpoint("").is_none());
        assert_eq!([sized(2048, false), sized(1536 * 1024, true)], ["2", "1.5M"]);
    }
}
