//! What a job reads from outside: a file or standard input, given up once the job is called off.

use crate::engine::{Error, JobContext, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

/// How long a reader sleeps before it looks whether it is still wanted.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// An input that ends with an error once its job was called off, also while nothing comes.
pub struct Input<'a> {
    file: File,
    context: &'a JobContext,
}

impl<'a> Input<'a> {
    /// A file by its path; standard input without one.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub fn open(path: Option<&Path>, context: &'a JobContext) -> Result<Self> {
        let file = match path {
            Some(path) => File::open(path).map_err(|e| Error::io(format_args!("cannot read {}", path.display()), &e))?,
            // Not through the library's buffer, of which the kernel knows nothing when it is asked whether something has come.
            None => File::from(io::stdin().as_fd().try_clone_to_owned().map_err(|e| Error::io("cannot read standard input", &e))?),
        };
        Ok(Self { file, context })
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.context.is_cancelled() {
                return Err(io::Error::other("cancelled"));
            }
            match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&LOOK)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // Whatever is the matter, reading tells.
                Ok(_) | Err(_) => return self.file.read(buffer),
            }
        }
    }
}
