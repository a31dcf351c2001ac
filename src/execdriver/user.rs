//! A user by name or number, looked up in the container's own passwd and group files.

use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::BorrowedFd;

/// A user as the kernel knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// All groups, the user's own among them.
    pub groups: Vec<u32>,
    /// Home folder; `/` for a number without an entry.
    pub home: String,
}

/// The most of a passwd or group file that is read.
const MOST: u64 = 4 << 20;

/// A file of the container, resolved beneath its root by the kernel; empty if it is not there.
fn read(root: BorrowedFd<'_>, path: &str) -> Result<String, String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS);
    let file = match opened {
        Ok(fd) => std::fs::File::from(fd),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(String::new()),
        Err(error) => return Err(format!("cannot read /{path} of the container: {error}")),
    };
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot read /{path} of the container: {error}"))?;
    if bytes.len() as u64 > MOST {
        return Err(format!("/{path} of the container is larger than {MOST} bytes"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Resolves `user[:group]`; an empty text is root. `more` are groups asked for beside.
///
/// # Errors
/// A sentence that names the user or group that the container does not know.
pub fn resolve(root: BorrowedFd<'_>, text: &str, more: &[String]) -> Result<User, String> {
    let passwd = read(root, "etc/passwd")?;
    let group = read(root, "etc/group")?;
    lookup(&passwd, &group, text, more)
}

/// The names in a passwd or group file, by number; none where it cannot be read.
pub fn names(root: BorrowedFd<'_>, path: &str) -> BTreeMap<u32, String> {
    let text = read(root, path).unwrap_or_default();
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        Some((fields.nth(1)?.parse().ok()?, name.to_owned()))
    };
    let mut names = BTreeMap::new();
    for (id, name) in text.lines().filter_map(entry) {
        names.entry(id).or_insert(name);
    }
    names
}

fn lookup(passwd: &str, group: &str, text: &str, more: &[String]) -> Result<User, String> {
    let (name, group_name) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let name = if name.is_empty() { "0" } else { name };
    let number: Option<u32> = name.parse().ok().map(|number| in_range(number, text)).transpose()?;
    let entry = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| {
        let by_number = number.is_some() && fields.get(2).and_then(|uid| uid.parse().ok()) == number;
        fields.len() >= 6 && (fields[0] == name || by_number)
    });
    let mut user = match (&entry, number) {
        (Some(fields), _) => {
            let home = if fields[5].is_empty() { "/" } else { fields[5] };
            let damaged = |_| format!("the entry of user {name} in the container's passwd file is damaged");
            let id = |at: usize| fields[at].parse().map_err(damaged).and_then(|id| in_range(id, text));
            User { uid: id(2)?, gid: id(3)?, groups: Vec::new(), home: home.to_owned() }
        }
        (None, Some(uid)) => User { uid, gid: 0, groups: Vec::new(), home: if uid == 0 { "/root" } else { "/" }.to_owned() },
        (None, None) => return Err(format!("unable to find user {name}: no matching entries in passwd file")),
    };
    if let Some(wanted) = group_name.filter(|group| !group.is_empty()) {
        user.gid = group_id(group, wanted)?;
    } else {
        // Further groups come with the user, unless the user asked for one group alone.
        let login = entry.as_ref().map_or(name, |fields| fields[0]);
        let member = |line: &&str| line.rsplit(':').next().is_some_and(|members| members.split(',').any(|member| member == login));
        let groups = group.lines().filter(member).filter_map(|line| line.split(':').nth(2)?.parse().ok());
        user.groups = groups.filter(|gid| *gid != user.gid && in_range(*gid, text).is_ok()).take(1024).collect();
    }
    for wanted in more {
        let gid = group_id(group, wanted)?;
        if !user.groups.contains(&gid) {
            user.groups.push(gid);
        }
    }
    // As runc has it: a program inside that changes its group is still held by what its first group may not do.
    if !user.groups.contains(&user.gid) {
        user.groups.insert(0, user.gid);
    }
    Ok(user)
}

fn group_id(group: &str, wanted: &str) -> Result<u32, String> {
    let by_name = group.lines().find(|line| line.split(':').next() == Some(wanted)).and_then(|line| line.split(':').nth(2)?.parse().ok());
    let id = by_name.or_else(|| wanted.parse().ok()).ok_or_else(|| format!("unable to find group {wanted}: no matching entries in group file"))?;
    in_range(id, wanted)
}

/// The kernel takes the highest number, -1, for "leave it as it is": a process would stay root.
fn in_range(id: u32, text: &str) -> Result<u32, String> {
    if i32::try_from(id).is_ok() { Ok(id) } else { Err(format!("user or group {text}: {id} is out of range, expected 0 to {}", i32::MAX)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/home/app:/bin/sh\nbad:x:y:z::/:\n";
    const GROUP: &str = "root:x:0:\napp:x:1001:\nwheel:x:10:root,app\naudio:x:29:app\n";

    fn of(text: &str) -> Result<User, String> {
        lookup(PASSWD, GROUP, text, &[])
    }

    #[test]
    fn names_and_numbers() {
        assert_eq!(of("").unwrap(), User { uid: 0, gid: 0, groups: vec![0, 10], home: "/root".into() });
        assert_eq!(of("app").unwrap(), User { uid: 1000, gid: 1001, groups: vec![1001, 10, 29], home: "/home/app".into() });
        assert_eq!(of("1000").unwrap(), of("app").unwrap());
        assert_eq!(of("app:wheel").unwrap(), User { uid: 1000, gid: 10, groups: vec![10], home: "/home/app".into() });
        assert_eq!(of("4000:4001").unwrap(), User { uid: 4000, gid: 4001, groups: vec![4001], home: "/".into() });
        assert!(of("nobody").is_err_and(|e| e.contains("unable to find user nobody")));
        assert!(of("app:nogroup").is_err());
        assert!(of("bad").is_err());
        for minus_one in ["4294967295", "0:4294967295", "2147483648"] {
            assert!(of(minus_one).is_err_and(|e| e.contains("out of range")), "{minus_one}");
        }
        assert!(lookup("evil:x:4294967295:0::/:\n", "", "evil", &[]).is_err_and(|e| e.contains("out of range")));
        assert_eq!(lookup(PASSWD, GROUP, "app:app", &["audio".into(), "77".into()]).unwrap().groups, [1001, 29, 77]);
    }
}
