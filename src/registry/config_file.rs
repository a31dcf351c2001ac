//! Docker's `config.json`, shared with other programs: read within bounds, changed without losing what is not understood.

use super::error::{Error, Kind};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Map, Value};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 4 << 20;

/// The file as it stands.
pub(super) struct ConfigFile {
    path: PathBuf,
    root: Map<String, Value>,
}

impl ConfigFile {
    /// Reads the file in `dir`; none is as good as an empty one.
    pub(super) fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("config.json");
        let mut text = Vec::new();
        match File::open(&path) {
            Ok(file) => file.take(LARGEST + 1).read_to_end(&mut text).map_err(|e| Error::io(format!("cannot read {}", path.display()), &e))?,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Self { path, root: Map::new() }),
            Err(error) => return Err(Error::io(format!("cannot read {}", path.display()), &error)),
        };
        if text.len() as u64 > LARGEST {
            return Err(Error::new(Kind::TooLarge, format!("{} is larger than 4 MiB", path.display())));
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self { path, root: Map::new() });
        }
        let root = serde_json::from_slice(&text)
            .map_err(|e| Error::new(Kind::Invalid, format!("{} is not the JSON object that was expected: {e}", path.display())))?;
        Ok(Self { path, root })
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the helper that keeps the credentials for `key`.
    pub(super) fn helper(&self, key: &str) -> Option<&str> {
        let own = self.root.get("credHelpers").and_then(|helpers| helpers.get(key));
        let name = own.or_else(|| self.root.get("credsStore"))?.as_str()?;
        Some(name).filter(|name| !name.is_empty())
    }

    /// The document without mention of helpers, which are run here and by nobody else.
    pub(super) fn without_helpers(&self) -> Vec<u8> {
        let auths: Map<String, Value> = self.root.get_key_value("auths").map(|(k, v)| (k.clone(), v.clone())).into_iter().collect();
        Value::Object(auths).to_string().into_bytes()
    }

    /// Sets the entry for `key`.
    pub(super) fn set(&mut self, key: &str, entry: Value) -> Result<(), Error> {
        let auths = self.root.entry("auths").or_insert_with(|| Value::Object(Map::new()));
        let bad = || Error::new(Kind::Invalid, format!("{}: \"auths\" is not the object that was expected", self.path.display()));
        auths.as_object_mut().ok_or_else(bad)?.insert(key.to_owned(), entry);
        Ok(())
    }

    /// Takes away every entry for the registry of `key`, however it is written; whether there was one.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        let Some(auths) = self.root.get_mut("auths").and_then(Value::as_object_mut) else { return false };
        let before = auths.len();
        let host = bare(key).to_owned();
        auths.retain(|entry, _| bare(entry) != host);
        auths.len() != before
    }

    /// Puts the document in place of the file: a new file, synced, renamed; readable by its owner alone.
    fn write(&self) -> io::Result<()> {
        // A link to the file stays one: what it points to is replaced.
        let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let temporary = target.with_file_name(format!(".config.json.{}", std::process::id()));
        let mut text = Vec::new();
        let mut writer = serde_json::Serializer::with_formatter(&mut text, serde_json::ser::PrettyFormatter::with_indent(b"\t"));
        serde::Serialize::serialize(&self.root, &mut writer)?;
        text.push(b'\n');
        let _ = fs::remove_file(&temporary);
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&temporary, &target)
        });
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// Reads, changes and writes the file in `dir`, alone among the programs that do it this way.
pub(super) fn change<T>(dir: &Path, change: impl FnOnce(&mut ConfigFile) -> Result<T, Error>) -> Result<T, Error> {
    let failed = |what: &str, e: &io::Error| Error::io(format!("cannot {what} {}", dir.join("config.json").display()), e);
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| failed("write", &e))?;
    let lock = File::open(dir).map_err(|e| failed("lock", &e))?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|e| failed("lock", &e.into()))?;
    let mut file = ConfigFile::read(dir)?;
    let before = file.root.clone();
    let result = change(&mut file)?;
    if file.root != before {
        file.write().map_err(|e| failed("write", &e))?;
    }
    Ok(result)
}

/// The host of a key: keys are hosts, or addresses as old versions wrote them.
fn bare(key: &str) -> &str {
    match key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")) {
        Some(rest) => rest.split('/').next().unwrap_or(rest),
        None => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_others_wrote_stays_and_the_file_is_its_owners() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        fs::write(&path, r#"{"zeta":1,"auths":{"b":{"auth":"eA=="},"https://a/v2/":{}},"detachKeys":"ctrl-x","alpha":{"k":[1,2]}}"#).unwrap();
        change(dir.path(), |file| file.set("c:5000", serde_json::json!({"auth": "eQ=="}))).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["zeta", "auths", "detachKeys", "alpha"]);
        assert_eq!(value["auths"]["b"]["auth"], "eA==");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(change(dir.path(), |file| Ok(file.remove("a"))).unwrap());
        assert!(!change(dir.path(), |file| Ok(file.remove("a"))).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real.json");
        fs::write(&real, "{}").unwrap();
        let home = dir.path().join("docker");
        fs::create_dir(&home).unwrap();
        std::os::unix::fs::symlink(&real, home.join("config.json")).unwrap();
        change(&home, |file| file.set("a", Value::Object(Map::new()))).unwrap();
        assert!(home.join("config.json").is_symlink());
        assert!(fs::read_to_string(real).unwrap().contains("\"a\""));
    }

    #[test]
    fn a_registrys_own_helper_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.json"), r#"{"credsStore":"common","credHelpers":{"a":"own","b":""}}"#).unwrap();
        let file = ConfigFile::read(dir.path()).unwrap();
        assert_eq!((file.helper("a"), file.helper("b"), file.helper("c")), (Some("own"), None, Some("common")));
        assert_eq!(file.without_helpers(), b"{}");
    }
}
