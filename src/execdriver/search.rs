//! The command: found as its own shell would find it, and executed.

use super::StartError;
use oci_spec::runtime::Process;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A command, ready to be executed.
#[derive(Debug)]
pub struct Command {
    name: String,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Command {
    /// Reads the specification's process.
    pub fn new(process: &Process) -> Result<Self, StartError> {
        let strings = |texts: &Option<Vec<String>>, what: &str| -> Result<Vec<CString>, StartError> {
            texts
                .iter()
                .flatten()
                .map(|text| CString::new(text.as_str()).map_err(|_| StartError::Failed(format!("{what} {text:?} holds a NUL byte"))))
                .collect()
        };
        let arguments = strings(process.args(), "the argument")?;
        let name = process.args().iter().flatten().next().cloned().unwrap_or_default();
        if name.is_empty() {
            return Err(StartError::NotFound("no command specified".to_owned()));
        }
        let environment = strings(process.env(), "the variable")?;
        Ok(Self { name, arguments, environment })
    }

    /// Of these arguments, the first of which is its name.
    pub fn of(arguments: Vec<CString>, environment: Vec<CString>) -> Self {
        let name = arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { name, arguments, environment }
    }

    /// What it is called by, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name and its arguments.
    pub fn arguments(&self) -> &[CString] {
        &self.arguments
    }

    /// Its variables.
    pub fn environment(&self) -> &[CString] {
        &self.environment
    }

    /// Where it may be, in the order of PATH; its name alone if that is a path itself.
    pub fn candidates(&self) -> Vec<CString> {
        let name = self.arguments.first().map(|name| name.to_bytes()).unwrap_or_default();
        if name.contains(&b'/') {
            return self.arguments[..1].to_vec();
        }
        let path = self.environment.iter().find_map(|entry| entry.to_bytes().strip_prefix(b"PATH=")).unwrap_or_default();
        let below = |folder: &[u8]| [if folder.is_empty() { b"." } else { folder }, name].join(&b'/');
        // None of them holds a NUL byte: both parts come from strings that end with one.
        path.split(|byte| *byte == b':').filter_map(|folder| CString::new(below(folder)).ok()).collect()
    }

    /// Becomes the command; returns only why not.
    pub fn execute(&self) -> Result<std::convert::Infallible, StartError> {
        let mut denied = None;
        for candidate in self.candidates() {
            let error = self.attempt(&candidate);
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) if !self.name.contains('/') => {}
                // A later folder may hold one that can be executed.
                Some(libc::EACCES) => denied = Some((error, candidate)),
                _ => return Err(self.refused(&error, &candidate)),
            }
        }
        match denied {
            Some((error, candidate)) => Err(self.refused(&error, &candidate)),
            None => Err(StartError::NotFound(format!("exec: {:?}: executable file not found in $PATH", self.name))),
        }
    }

    /// Becomes a program that was brought along, under the command's name; returns only why not.
    pub fn execute_brought(&self, program: BorrowedFd<'_>) -> Result<std::convert::Infallible, StartError> {
        match nix::unistd::execveat(program, c"", &self.arguments, &self.environment, nix::fcntl::AtFlags::AT_EMPTY_PATH) {
            Ok(never) => match never {},
            Err(error) => Err(StartError::Failed(format!("exec: {:?}: the program brought along cannot be executed: {error}", self.name))),
        }
    }

    fn attempt(&self, path: &CStr) -> io::Error {
        match nix::unistd::execve(path, &self.arguments, &self.environment) {
            Ok(never) => match never {},
            Err(error) => io::Error::from(error),
        }
    }

    fn refused(&self, error: &io::Error, path: &CStr) -> StartError {
        let name = &self.name;
        let path = Path::new(OsStr::from_bytes(path.to_bytes()));
        match error.raw_os_error() {
            Some(libc::ENOENT) if path.exists() => StartError::NotFound(format!("exec: {name:?}: its interpreter or loader is not there in the container")),
            Some(libc::ENOENT | libc::ENOTDIR) => StartError::NotFound(format!("exec: {name:?}: stat {}: no such file or directory", path.display())),
            Some(libc::EACCES) if path.is_dir() => StartError::NotExecutable(format!("exec: {name:?}: is a directory")),
            Some(libc::EACCES) => StartError::NotExecutable(format!("exec: {name:?}: permission denied")),
            Some(libc::ENOEXEC) => StartError::NotExecutable(format!("exec: {name:?}: exec format error (is it a program for this machine?)")),
            _ => StartError::NotExecutable(format!("exec: {name:?}: {error}")),
        }
    }
}
