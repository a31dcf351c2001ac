//! Credential helpers: other people's programs that keep secrets, run within bounds of time and output.
//!
//! `docker-credential-NAME get|store|erase` takes a registry's key (or a JSON document) on its standard input and answers with JSON or,
//! failing, with a sentence on its standard output. Source: docker-credential-helpers, README, "Development".

use super::credential::Credential;
use super::error::{Error, Kind, clean};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a helper may take: it may have to ask its user.
const TIME: Duration = Duration::from_secs(120);

/// The longest answer, in bytes.
const OUTPUT: u64 = 64 * 1024;

/// The user name with which helpers mark identity tokens.
const TOKEN: &str = "<token>";

/// A helper by its name.
pub(super) struct Keychain {
    program: String,
    time: Duration,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(rename = "ServerURL", default)]
    server: String,
    username: String,
    secret: String,
}

impl Keychain {
    /// The helper of this name; names are letters, digits, `-` and `_`, so that they name a program on the path and nothing else.
    pub(super) fn new(name: &str) -> Result<Self, Error> {
        if !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
            Ok(Self { program: format!("docker-credential-{name}"), time: TIME })
        } else {
            Err(Error::new(Kind::Helper, format!("invalid credential helper {:?}: expected letters, digits, '_' and '-'", clean(name))))
        }
    }

    /// The credentials for `key`, if it has some.
    pub(super) fn get(&self, key: &str) -> Result<Option<Credential>, Error> {
        let (good, output) = self.run("get", key.as_bytes())?;
        if !good {
            let said = String::from_utf8_lossy(&output);
            return if said.contains("credentials not found") { Ok(None) } else { Err(self.failed("get", &said)) };
        }
        let entry: Entry = serde_json::from_slice(&output).map_err(|_| self.error("answered with something else than credentials"))?;
        Ok(match entry {
            Entry { secret, .. } if secret.is_empty() => None,
            Entry { username, secret, .. } if username == TOKEN => Some(Credential::Identity { token: secret }),
            Entry { username, secret, .. } => Some(Credential::Password { user: username, password: secret }),
        })
    }

    /// Hands over credentials for `key`.
    pub(super) fn store(&self, key: &str, user: &str, password: &str) -> Result<(), Error> {
        let entry = Entry { server: key.to_owned(), username: user.to_owned(), secret: password.to_owned() };
        let text = serde_json::to_vec(&entry).map_err(|e| self.error(&e.to_string()))?;
        match self.run("store", &text)? {
            (true, _) => Ok(()),
            (false, said) => Err(self.failed("store", &String::from_utf8_lossy(&said))),
        }
    }

    /// Makes it forget `key`; whether it knew it.
    pub(super) fn erase(&self, key: &str) -> Result<bool, Error> {
        let known = self.get(key)?.is_some();
        match self.run("erase", key.as_bytes())? {
            (true, _) => Ok(known),
            (false, _) if !known => Ok(false),
            (false, said) => Err(self.failed("erase", &String::from_utf8_lossy(&said))),
        }
    }

    fn error(&self, why: &str) -> Error {
        Error::new(Kind::Helper, format!("credential helper {}: {why}", self.program))
    }

    fn failed(&self, verb: &str, said: &str) -> Error {
        self.error(&format!("{verb} failed: {}", clean(said)))
    }

    /// Runs it: whether its status was 0, and what it wrote.
    fn run(&self, verb: &str, input: &[u8]) -> Result<(bool, Vec<u8>), Error> {
        let until = Instant::now() + self.time;
        let spawned = Command::new(&self.program).arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = spawned.map_err(|e| self.error(&format!("cannot be run: {}", super::error::io_cause(&e))))?;
        let result = self.talk(&mut child, input, until);
        if result.is_err() {
            let _ = child.kill();
        }
        let status = child.wait();
        let output = result?;
        let status = status.map_err(|e| self.error(&e.to_string()))?;
        Ok((status.success(), output))
    }

    fn talk(&self, child: &mut Child, input: &[u8], until: Instant) -> Result<Vec<u8>, Error> {
        let late = || self.error(&format!("did not finish within {} s", self.time.as_secs()));
        let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let input = input.to_owned();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            // One that does not read its input has its reasons; its status tells.
            stdin.as_mut().map(|pipe| pipe.write_all(&input));
            drop(stdin);
            let mut output = Vec::new();
            let read = stdout.map_or(Ok(0), |pipe| pipe.take(OUTPUT + 1).read_to_end(&mut output));
            let _ = sender.send(read.map(|_| output));
        });
        let output = receiver.recv_timeout(until.saturating_duration_since(Instant::now())).map_err(|_| late())?;
        let output = output.map_err(|e| self.error(&e.to_string()))?;
        if output.len() as u64 > OUTPUT {
            return Err(self.error("answered with more than 64 KiB"));
        }
        if !ended(child, until).map_err(|e| self.error(&e.to_string()))? {
            return Err(late());
        }
        Ok(output)
    }
}

/// Waits for the end of a child until then; whether it came.
fn ended(child: &Child, until: Instant) -> std::io::Result<bool> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(std::io::ErrorKind::InvalidInput)?;
    let fd = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).map_err(|_| std::io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            ready => return Ok(ready? > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helper(script: &str) -> (tempfile::TempDir, Keychain) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("helper");
        // Written by a child: a descriptor of ours, inherited by another test's child, would make the script "busy".
        let write = Command::new("sh").args(["-c", r#"printf '#!/bin/sh\n%s\n' "$1" >"$2"; chmod 755 "$2""#, "sh", script]).arg(&path).status().unwrap();
        assert!(write.success());
        let program = path.to_str().unwrap().to_owned();
        (dir, Keychain { program, time: Duration::from_secs(20) })
    }

    #[test]
    fn a_helper_gives_takes_and_forgets() {
        let (_dir, tool) = helper(
            r#"d=$(dirname "$0"); case $1 in store) cat >"$d/kept";; get) cat >/dev/null; cat "$d/kept" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; };; erase) rm "$d/kept";; esac"#,
        );
        assert_eq!(tool.get("r").unwrap(), None);
        tool.store("r", "u", "p\"w").unwrap();
        assert_eq!(tool.get("r").unwrap(), Some(Credential::Password { user: "u".into(), password: "p\"w".into() }));
        assert!(tool.erase("r").unwrap());
        assert!(!tool.erase("r").unwrap());
        tool.store("r", TOKEN, "t").unwrap();
        assert_eq!(tool.get("r").unwrap(), Some(Credential::Identity { token: "t".into() }));
    }

    #[test]
    fn a_bad_helper_is_ended_and_named() {
        for (script, says) in [("exec yes", "64 KiB"), ("echo no; exit 3", "no"), ("echo '{}'", "something else"), ("exit 0", "something else")] {
            let (_dir, tool) = helper(script);
            let error = tool.get("r").unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("helper"), "{error}");
        }
        for script in ["exec sleep 1000", "exec >&-; exec sleep 1000"] {
            let (_dir, mut tool) = helper(script);
            tool.time = Duration::from_millis(200);
            assert!(tool.get("r").unwrap_err().to_string().contains("did not finish"));
        }
        assert!(Keychain::new("no-such-helper-anywhere").unwrap().get("r").unwrap_err().to_string().contains("cannot be run"));
        for name in ["", "a/b", "..", "a b", "a;b"] {
            assert!(Keychain::new(name).is_err(), "{name}");
        }
    }
}
