//! A terminal of a test: a shell in a tmux server of its own.

use crate::store::{Store, finish};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes on an emulated machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the shell says when it waits for a command.
const PROMPT: &str = "ready> ";

/// The terminal; it ends with this value.
pub struct Window<'a> {
    store: &'a Store,
    socket: PathBuf,
    /// Which of the server's windows this is.
    name: &'static str,
    owns: bool,
}

impl<'a> Window<'a> {
    /// A shell in a terminal of this size.
    pub fn open(store: &'a Store, columns: u16, rows: u16) -> Self {
        let window = Self { store, socket: store.path("tmux"), name: "main", owns: true };
        let size = [columns.to_string(), rows.to_string()];
        window.tmux(&["new-session", "-d", "-s", "e2e", "-n", "main", "-x", &size[0], "-y", &size[1], "bash", "--norc", "--noprofile"]);
        window.ready()
    }

    /// Another shell beside this one.
    pub fn beside(&self, name: &'static str) -> Self {
        let window = Self { store: self.store, socket: self.socket.clone(), name, owns: false };
        window.tmux(&["new-window", "-d", "-n", name, "bash", "--norc", "--noprofile"]);
        window.ready()
    }

    fn ready(self) -> Self {
        self.sees("bash").types(&format!("PS1='{PROMPT}' PROMPT_COMMAND=; clear")).keys(&["Enter"]);
        self.until("the shell is ready", |text| text.trim_end() == PROMPT.trim_end());
        self
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(["-f", "/dev/null"]).args(arguments);
        command.env_remove("TMUX").env_remove("NO_COLOR").env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8");
        command.env("KAPAL_ROOT", self.store.path("root")).env("KAPAL_RUN_ROOT", self.store.path("run"));
        command.env("HOME", self.store.path("home")).env("XDG_CONFIG_HOME", self.store.path("home/config")).env("RUST_BACKTRACE", "0");
        let done = finish(&mut command, None);
        assert_eq!(done.status, 0, "tmux {arguments:?}: {}", done.err);
        done.out
    }

    fn target(&self) -> String {
        format!("e2e:{}", self.name)
    }

    /// Presses keys by tmux's names.
    pub fn keys(&self, keys: &[&str]) -> &Self {
        let mut arguments = vec!["send-keys", "-t"];
        let target = self.target();
        arguments.push(&target);
        arguments.extend(keys);
        self.tmux(&arguments);
        self
    }

    /// Types text as it is.
    pub fn types(&self, text: &str) -> &Self {
        self.tmux(&["send-keys", "-t", &self.target(), "-l", text]);
        self
    }

    /// Types a line for the shell, or for the program's command line.
    pub fn line(&self, text: &str) -> &Self {
        self.types(text).keys(&["Enter"])
    }

    /// What the terminal shows.
    pub fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", &self.target()])
    }

    /// What tmux knows of the terminal.
    pub fn knows(&self, format: &str) -> String {
        self.tmux(&["display-message", "-p", "-t", &self.target(), format])
    }

    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> &Self {
        let began = Instant::now();
        loop {
            let text = self.text();
            if holds(&text) {
                return self;
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain: {what}\n{text}");
            thread::sleep(Duration::from_millis(30));
        }
    }

    #[track_caller]
    pub fn sees(&self, words: &str) -> &Self {
        self.until(words, |text| text.contains(words))
    }

    #[track_caller]
    pub fn lacks(&self, words: &str) -> &Self {
        self.until(&format!("no {words}"), |text| !text.contains(words))
    }

    pub fn resize(&self, columns: u16, rows: u16) -> &Self {
        self.tmux(&["resize-window", "-t", &self.target(), "-x", &columns.to_string(), "-y", &rows.to_string()]);
        self
    }

    /// Starts a command between two notes of how the terminal is set.
    pub fn begins(&self, command: &str) -> &Self {
        let note = |name: &str| format!("stty -g >{}", self.store.path(name).display());
        self.line(&format!("{}; {command}; echo ended with $?; {}; echo noted", note("before"), note("after")))
    }

    /// The program, on this store.
    pub fn kapal(&self) -> &Self {
        self.begins(env!("CARGO_BIN_EXE_kapal"))
    }

    /// The process in front of the shell.
    pub fn process(&self) -> nix::unistd::Pid {
        let shell = self.knows("#{pane_pid}");
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        nix::unistd::Pid::from_raw(children.split_whitespace().next().expect("nothing runs").parse().unwrap())
    }

    /// What [`Self::begins`] began is over with this status, and the terminal is as it was.
    #[track_caller]
    pub fn is_as_it_was(&self, status: i32) -> &Self {
        // The line that was typed says it, too: what counts is the line that was written.
        self.until("the shell is back", |text| text.lines().any(|line| line == "noted"));
        let text = self.text();
        assert!(text.contains(&format!("ended with {status}\n")), "{text}");
        let set = |name: &str| fs::read_to_string(self.store.path(name)).unwrap();
        assert_eq!(set("before"), set("after"), "the terminal's settings are other ones");
        self.is_given_back();
        self.line("clear").until("a clear screen", |text| text.trim_end() == PROMPT.trim_end())
    }

    /// The usual screen, a cursor, no mouse.
    #[track_caller]
    pub fn is_given_back(&self) {
        assert_eq!(self.knows("#{alternate_on} #{cursor_flag} #{mouse_any_flag}"), "0 1 0");
    }
}

impl Drop for Window<'_> {
    fn drop(&mut self) {
        if self.owns {
            let _ = finish(Command::new("tmux").arg("-S").arg(&self.socket).arg("kill-server"), None);
        }
    }
}
