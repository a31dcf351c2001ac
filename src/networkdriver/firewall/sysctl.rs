//! The kernel's switches for forwarding, set only where they are off and only when asked.
//!
//! Source: Linux, Documentation/networking/ip-sysctl.rst. They are those of the calling thread's network namespace.

use std::fs;
use std::io;
use std::path::Path;

const NET: &str = "/proc/sys/net";

/// Lets packets go from one link to another, of IPv4, of IPv6 or of both. What is on already is not written.
///
/// A machine that forwards IPv6 no longer hears the routers that it may have its own way from: its links that listen
/// to them (`accept_ra` 1) are told to go on (2) before.
///
/// # Errors
/// The kernel's, with the name of the switch; a container of another engine may have them read-only.
pub fn forward(v4: bool, v6: bool) -> io::Result<()> {
    forward_in(Path::new(NET), v4, v6)
}

fn forward_in(net: &Path, v4: bool, v6: bool) -> io::Result<()> {
    if v4 {
        switch_on(&net.join("ipv4/ip_forward"))?;
    }
    let all = net.join("ipv6/conf/all/forwarding");
    if v6 && value(&all)? != "1" {
        for link in fs::read_dir(net.join("ipv6/conf"))? {
            let link = link?.path();
            if ["all", "default", "lo"].iter().any(|name| link.ends_with(name)) {
                continue;
            }
            let accept = link.join("accept_ra");
            // A link that went away meanwhile needs nothing.
            if value(&accept).is_ok_and(|value| value == "1") && value(&link.join("forwarding")).is_ok_and(|value| value == "0") {
                write(&accept, "2").or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
            }
        }
        write(&all, "1")?;
    }
    Ok(())
}

/// Lets this machine's loopback addresses be used on a link, so that `127.0.0.1:PORT` can lead to a container. The
/// table of rules must be there first: it keeps the link's containers from using them.
///
/// # Errors
/// The kernel's, with the name of the switch; `InvalidInput` for what is no link's name.
pub fn loopback_way(link: &str) -> io::Result<()> {
    if link.is_empty() || link.contains(['/', '\0']) || [".", "..", "all", "default"].contains(&link) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{link:?} is no link")));
    }
    switch_on(&Path::new(NET).join("ipv4/conf").join(link).join("route_localnet"))
}

fn switch_on(path: &Path) -> io::Result<()> {
    if value(path)? == "1" { Ok(()) } else { write(path, "1") }
}

fn value(path: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(path).map_err(|error| named(path, &error))?.trim().to_owned())
}

fn write(path: &Path, value: &str) -> io::Result<()> {
    fs::write(path, value).map_err(|error| named(path, &error))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder as the kernel has it.
    fn net(all: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in [
            ("ipv4/ip_forward", "0\n"),
            ("ipv6/conf/all/forwarding", all),
            ("ipv6/conf/all/accept_ra", "1\n"),
            ("ipv6/conf/eth0/forwarding", "0\n"),
            ("ipv6/conf/eth0/accept_ra", "1\n"),
            ("ipv6/conf/quiet/forwarding", "0\n"),
            ("ipv6/conf/quiet/accept_ra", "0\n"),
            ("ipv6/conf/router/forwarding", "1\n"),
            ("ipv6/conf/router/accept_ra", "1\n"),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, value).unwrap();
        }
        folder
    }

    fn seen(net: &Path) -> Vec<String> {
        ["ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv6/conf/eth0/accept_ra", "ipv6/conf/quiet/accept_ra", "ipv6/conf/router/accept_ra"]
            .map(|name| value(&net.join(name)).unwrap())
            .to_vec()
    }

    #[test]
    fn routers_are_listened_to_as_before() {
        let folder = net("0\n");
        forward_in(folder.path(), false, false).unwrap();
        assert_eq!(seen(folder.path()), ["0", "0", "1", "0", "1"]);
        forward_in(folder.path(), true, false).unwrap();
        assert_eq!(seen(folder.path()), ["1", "0", "1", "0", "1"]);
        forward_in(folder.path(), true, true).unwrap();
        assert_eq!(seen(folder.path()), ["1", "1", "2", "0", "1"]);
    }

    #[test]
    fn a_machine_that_forwards_is_left_as_it_is() {
        let folder = net("1\n");
        forward_in(folder.path(), false, true).unwrap();
        assert_eq!(seen(folder.path()), ["0", "1", "1", "0", "1"]);
        fs::remove_file(folder.path().join("ipv4/ip_forward")).unwrap();
        let error = forward_in(folder.path(), true, false).unwrap_err().to_string();
        assert!(error.contains("ipv4/ip_forward"), "{error}");
    }

    #[test]
    fn only_links_have_a_way() {
        for name in ["", ".", "..", "all", "a/b", "default"] {
            assert_eq!(loopback_way(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }
}
