//! The small shell: where its lines come from, and what it does by itself.

use super::call::{Call, Input, complain, reason};
use super::expand::{Scope, Variable};
use super::parse::{self, When, name_length};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use std::ffi::{CString, OsStr};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;

/// What it does by itself, as it changes the shell.
pub const BUILTINS: [&[u8]; 4] = [b"cd", b"exit", b"export", b"unset"];

/// A shell.
#[derive(Debug, Default)]
pub struct Shell {
    /// Variables, arguments, the last status.
    pub scope: Scope,
    /// The status that it ends with, once that is known.
    pub leaving: Option<i32>,
    /// Somebody types: interrupts are read here, so that they end what runs and not the shell.
    pub interrupts: Option<SignalFd>,
}

/// The applet.
pub fn sh(call: &mut Call<'_>) -> io::Result<()> {
    let mut shell = Shell::with(call.environment);
    let arguments: Vec<Vec<u8>> = call.arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect();
    let text = match arguments.split_first() {
        None => None,
        Some((first, rest)) if first == b"-c" => {
            let Some((line, rest)) = rest.split_first() else {
                call.refuse("-c needs a line");
                return Ok(());
            };
            shell.scope.arguments = if rest.is_empty() { vec![b"sh".to_vec()] } else { rest.to_vec() };
            Some(line.clone())
        }
        Some((first, _)) if first.starts_with(b"-") => {
            call.refuse(&format!("unknown option {}", String::from_utf8_lossy(first)));
            return Ok(());
        }
        Some((file, _)) => {
            shell.scope.arguments.clone_from(&arguments);
            match std::fs::read(OsStr::from_bytes(file)) {
                Ok(text) => Some(text),
                Err(error) => {
                    call.fail(OsStr::from_bytes(file), &error);
                    call.status = 127;
                    return Ok(());
                }
            }
        }
    };
    match text {
        Some(text) => shell.script(&text),
        None => shell.read_lines()?,
    }
    call.status = shell.leaving.unwrap_or(shell.scope.status);
    Ok(())
}

impl Shell {
    /// A shell with these variables, all of which its programs get.
    fn with(environment: &[CString]) -> Self {
        let mut shell = Self { scope: Scope { arguments: vec![b"sh".to_vec()], pid: std::process::id(), ..Scope::default() }, ..Self::default() };
        for entry in environment {
            let entry = entry.to_bytes();
            if let Some(at) = entry.iter().position(|byte| *byte == b'=') {
                shell.set(&entry[..at], entry[at + 1..].to_vec(), true);
            }
        }
        shell
    }

    /// Sets a variable; one that was exported stays so.
    pub fn set(&mut self, name: &[u8], value: Vec<u8>, exported: bool) {
        let variable = self.scope.variables.entry(name.to_vec()).or_default();
        *variable = Variable { value, exported: exported || variable.exported };
    }

    /// What its programs get as variables.
    pub fn environment(&self) -> Vec<CString> {
        let exported = self.scope.variables.iter().filter(|(_, variable)| variable.exported);
        exported.filter_map(|(name, variable)| CString::new([name, &b"="[..], &variable.value].concat()).ok()).collect()
    }

    fn script(&mut self, text: &[u8]) {
        match parse::parse(text) {
            Ok(line) => self.line(&line),
            Err(error) => self.wrong(&error),
        }
    }

    fn wrong(&mut self, error: &parse::Error) {
        let sentence = match error {
            parse::Error::Incomplete => "the end comes too early: a quote or an operator is open",
            parse::Error::Wrong(sentence) => sentence,
        };
        complain(&[b"sh", sentence.as_bytes()]);
        self.scope.status = 2;
    }

    /// Runs pipelines, as far as they are to run.
    fn line(&mut self, line: &[(When, parse::Pipeline)]) {
        for (when, pipeline) in line {
            let runs = match when {
                When::Always => true,
                When::Success => self.scope.status == 0,
                When::Failure => self.scope.status != 0,
            };
            if runs {
                let status = self.pipeline(pipeline);
                self.scope.status = if pipeline.not { i32::from(status == 0) } else { status };
            }
            if self.leaving.is_some() {
                return;
            }
        }
    }

    /// Reads standard input line by line until it ends; with a prompt where that is a terminal.
    fn read_lines(&mut self) -> io::Result<()> {
        if rustix::termios::isatty(io::stdin()) {
            self.interrupts = Some(hold_signals()?);
            eprintln!("the toolbox of kapal: `help` lists what it knows");
        }
        let mut text = Vec::new();
        while self.leaving.is_none() {
            self.prompt(text.is_empty());
            let Some(more) = self.read_line(&mut text)? else {
                // Interrupted: what was typed so far is given up.
                text.clear();
                self.scope.status = 130;
                continue;
            };
            match parse::parse(&text) {
                Err(parse::Error::Incomplete) if more => continue,
                Err(error) => self.wrong(&error),
                Ok(line) => self.line(&line),
            }
            text.clear();
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn prompt(&self, first: bool) {
        if self.interrupts.is_none() {
            return;
        }
        let own = self.scope.variables.get(&b"PS1"[..]).map(|variable| variable.value.clone());
        let prompt = match own {
            _ if !first => b"> ".to_vec(),
            Some(own) => own,
            None => {
                let folder = std::env::current_dir().map_or_else(|_| b"?".to_vec(), |folder| folder.as_os_str().as_bytes().to_vec());
                [&folder[..], if rustix::process::geteuid().is_root() { b" # " } else { b" $ " }].concat()
            }
        };
        // A terminal that is gone is noticed when it is read.
        let _ = io::stderr().write_all(&prompt);
    }

    /// Reads on to the end of a line, no further: what follows may be for a program that the line runs. Tells whether
    /// there may be more; `None` if it was interrupted.
    fn read_line(&self, text: &mut Vec<u8>) -> io::Result<Option<bool>> {
        let mut byte = [0];
        loop {
            if let Some(interrupts) = &self.interrupts
                && wait(interrupts)?
            {
                return Ok(None);
            }
            match Input.read(&mut byte) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(0) => {
                    if self.interrupts.is_some() {
                        eprintln!();
                    }
                    return Ok(Some(false));
                }
                Ok(_) => text.push(byte[0]),
            }
            if byte[0] == b'\n' {
                return Ok(Some(true));
            }
        }
    }

    /// One of [`BUILTINS`]; its status.
    pub fn builtin(&mut self, words: &[Vec<u8>]) -> i32 {
        let (name, arguments) = (&words[0][..], &words[1..]);
        match name {
            b"cd" => self.cd(arguments),
            b"exit" => self.exit(arguments),
            b"export" => self.export(arguments),
            _ => {
                for name in arguments {
                    self.scope.variables.remove(name);
                }
                0
            }
        }
    }

    fn cd(&mut self, arguments: &[Vec<u8>]) -> i32 {
        let home = self.scope.variables.get(&b"HOME"[..]).map_or_else(|| b"/".to_vec(), |home| home.value.clone());
        let folder = arguments.first().unwrap_or(&home).clone();
        match std::env::set_current_dir(OsStr::from_bytes(&folder)) {
            Ok(()) => 0,
            Err(error) => {
                complain(&[b"cd", &folder, reason(&error).as_bytes()]);
                1
            }
        }
    }

    fn exit(&mut self, arguments: &[Vec<u8>]) -> i32 {
        let status = match arguments.first() {
            None => self.scope.status,
            Some(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse::<i32>().ok()).map_or_else(
                || {
                    complain(&[b"exit", text, b"expected a number"]);
                    2
                },
                |number| number & 0xff,
            ),
        };
        self.leaving = Some(status);
        status
    }

    fn export(&mut self, arguments: &[Vec<u8>]) -> i32 {
        let mut status = 0;
        for argument in arguments {
            let length = name_length(argument);
            match argument.get(length) {
                Some(b'=') if length > 0 => self.set(&argument[..length], argument[length + 1..].to_vec(), true),
                None if length > 0 => self.scope.variables.entry(argument.clone()).or_default().exported = true,
                _ => {
                    complain(&[b"export", argument, b"expected NAME or NAME=VALUE"]);
                    status = 1;
                }
            }
        }
        status
    }
}

/// Keeps the keys of a terminal from ending or stopping the shell; interrupts are read.
fn hold_signals() -> io::Result<SignalFd> {
    for signal in [Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
        crate::sys::clone::ignore_signal(signal as i32);
    }
    let mut held = SigSet::empty();
    held.add(Signal::SIGINT);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&held), None)?;
    Ok(SignalFd::with_flags(&held, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// Waits for something typed; true if that was an interrupt.
fn wait(interrupts: &SignalFd) -> io::Result<bool> {
    let input = io::stdin();
    let mut both = [PollFd::new(interrupts, PollFlags::IN), PollFd::new(&input, PollFlags::IN)];
    loop {
        match poll(&mut both, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => break,
        }
    }
    let mut interrupted = false;
    while let Ok(Some(_)) = interrupts.read_signal() {
        interrupted = true;
    }
    if interrupted {
        eprintln!();
    }
    Ok(interrupted)
}
