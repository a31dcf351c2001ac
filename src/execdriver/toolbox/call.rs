//! One call of an applet: its arguments, where it writes, how it went.

use std::ffi::{CString, OsStr, OsString};
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Standard input, not buffered: whoever reads after an applet finds what it left.
#[derive(Debug)]
pub struct Input;

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(io::stdin().as_fd(), buffer)?)
    }
}

/// Standard output, not buffered by the library: a fork must not write what its parent had still to.
#[derive(Debug)]
struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(io::stdout().as_fd(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What an applet does.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// It writes something, which may fail.
    Writes(fn(&mut Call<'_>) -> io::Result<()>),
    /// It does something and tells itself what failed.
    Acts(fn(&mut Call<'_>)),
}

/// A call.
pub struct Call<'a> {
    /// The applet's name, for its errors.
    pub name: &'a str,
    /// How it is to be called, for whoever called it wrong.
    pub usage: &'a str,
    /// The arguments behind its name.
    pub arguments: Vec<OsString>,
    /// Its variables.
    pub environment: &'a [CString],
    /// Its standard output.
    pub out: &'a mut dyn Write,
    /// Its exit status.
    pub status: i32,
}

/// The kernel's words for an error.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.find(" (os error").map_or(text.clone(), |at| text[..at].to_owned())
}

/// A line on standard error; what it names may be any bytes. Where it cannot be written nobody wants to read it.
pub fn complain(parts: &[&[u8]]) {
    let line = [parts.join(&b": "[..]), b"\n".to_vec()].concat();
    let _ = io::stderr().write_all(&line);
}

/// Runs an applet on the standard streams; its exit status.
pub fn run(name: &str, usage: &str, applet: Run, arguments: &[CString], environment: &[CString]) -> i32 {
    let mut out = BufWriter::with_capacity(1 << 16, Output);
    let arguments = arguments.iter().map(|argument| OsString::from_vec(argument.to_bytes().to_vec())).collect();
    let mut call = Call { name, usage, arguments, environment, out: &mut out, status: 0 };
    let done = match applet {
        Run::Writes(applet) => applet(&mut call),
        Run::Acts(applet) => {
            applet(&mut call);
            Ok(())
        }
    };
    let status = call.status;
    match done.and_then(|()| out.flush()) {
        Ok(()) => status,
        Err(error) => {
            complain(&[name.as_bytes(), reason(&error).as_bytes()]);
            1
        }
    }
}

/// Options that were given.
#[derive(Debug, Default)]
pub struct Options(Vec<(u8, OsString)>);

impl Options {
    /// Whether this one was given.
    pub fn has(&self, letter: u8) -> bool {
        self.0.iter().any(|(given, _)| *given == letter)
    }

    /// Its value; the last one counts.
    pub fn value(&self, letter: u8) -> Option<&OsStr> {
        self.0.iter().rfind(|(given, _)| *given == letter).map(|(_, value)| value.as_os_str())
    }
}

impl Call<'_> {
    /// Something went wrong with this; the next one may go well.
    pub fn fail(&mut self, what: impl AsRef<OsStr>, error: &io::Error) {
        complain(&[self.name.as_bytes(), what.as_ref().as_bytes(), reason(error).as_bytes()]);
        self.status = 1;
    }

    /// The call itself is wrong.
    pub fn refuse(&mut self, why: &str) {
        complain(&[self.name.as_bytes(), why.as_bytes()]);
        complain(&[b"usage", format!("{} {}", self.name, self.usage).trim_end().as_bytes()]);
        self.status = 2;
    }

    /// Takes the options off the arguments. `known` has a letter for each, and a `:` behind those with a value. `None`
    /// if the call was refused.
    pub fn options(&mut self, known: &str) -> Option<Options> {
        let mut options = Options::default();
        let mut arguments = std::mem::take(&mut self.arguments).into_iter();
        let mut rest = Vec::new();
        while let Some(argument) = arguments.next() {
            let bytes = argument.as_bytes();
            if bytes == b"--" {
                break;
            }
            if bytes.len() < 2 || bytes[0] != b'-' {
                rest.push(argument);
                continue;
            }
            for (at, letter) in bytes.iter().enumerate().skip(1) {
                let Some(place) = known.bytes().position(|other| other == *letter && other != b':') else {
                    self.refuse(&format!("unknown option {}", argument.to_string_lossy()));
                    return None;
                };
                if known.as_bytes().get(place + 1) != Some(&b':') {
                    options.0.push((*letter, OsString::new()));
                    continue;
                }
                let joined = &bytes[at + 1..];
                let value = if joined.is_empty() { arguments.next() } else { Some(OsStr::from_bytes(joined).to_owned()) };
                let Some(value) = value else {
                    self.refuse(&format!("-{} needs a value", char::from(*letter)));
                    return None;
                };
                options.0.push((*letter, value));
                break;
            }
        }
        rest.extend(arguments);
        self.arguments = rest;
        Some(options)
    }

    /// The arguments, or `default` if there are none.
    pub fn arguments_or(&self, default: &str) -> Vec<OsString> {
        if self.arguments.is_empty() { vec![default.into()] } else { self.arguments.clone() }
    }

    /// Opens a file to be read; `-` is standard input. A failure is told.
    pub fn open(&mut self, path: &OsStr) -> Option<Box<dyn Read>> {
        if path == "-" {
            return Some(Box::new(Input));
        }
        match std::fs::File::open(path) {
            Ok(file) => Some(Box::new(file)),
            Err(error) => {
                self.fail(path, &error);
                None
            }
        }
    }

    /// A number that was given; the call is refused if it is none.
    pub fn number<T: std::str::FromStr>(&mut self, text: &OsStr) -> Option<T> {
        let number = text.to_str().and_then(|text| text.parse().ok());
        if number.is_none() {
            self.refuse(&format!("{}: expected a number", text.to_string_lossy()));
        }
        number
    }
}
