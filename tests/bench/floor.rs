//! The floor that a container's start is measured against, and the stop-watch that measures it.
//!
//! ```text
//! floor run ROOTFS PROGRAM [ARGUMENT…]     clone3 into new namespaces, pivot_root, /proc, exec; nothing else
//! floor compare [--before SHELL] ROUNDS NAME COMMAND… --- NAME COMMAND… [--- …]
//! ```
//!
//! `compare` runs the commands in turn, each round in another order, so that a slow moment of the machine meets all
//! of them, and prints the median of each and how the first stands to the others. `--before` runs ahead of each
//! command, with its name in $NAME, and is not measured.

use std::env;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{io, ptr};

fn main() -> ExitCode {
    let mut words = env::args_os().skip(1);
    let verb = words.next().unwrap_or_default();
    let rest: Vec<OsString> = words.collect();
    let done = match verb.to_str() {
        Some("run") => run(rest).map_err(|error| error.to_string()),
        Some("compare") => compare(rest),
        // Cargo runs it so when benchmarks are asked for: it only works as a part of tests/bench/run.
        _ => Err("see the head of tests/bench/floor.rs; tests/bench/run calls it".to_owned()),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(message) => {
            eprintln!("floor: {message}");
            ExitCode::from(125)
        }
    }
}

fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn text(word: OsString) -> io::Result<CString> {
    CString::new(word.into_vec()).map_err(|_| io::Error::other("a NUL in an argument"))
}

/// The least that makes a container: what no implementation can save.
fn run(words: Vec<OsString>) -> io::Result<u8> {
    let mut words = words.into_iter();
    let root = text(words.next().ok_or_else(|| io::Error::other("no root file system given"))?)?;
    let arguments: Vec<CString> = words.map(text).collect::<io::Result<_>>()?;
    let program = arguments.first().ok_or_else(|| io::Error::other("no program given"))?;
    let mut pointers: Vec<*const libc::c_char> = arguments.iter().map(|word| word.as_ptr()).collect();
    pointers.push(ptr::null());

    let namespaces = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC | libc::CLONE_NEWNET | libc::CLONE_NEWCGROUP;
    // SAFETY: clone_args is plain numbers, for which zero is a value that the kernel takes as "not used".
    let mut request: libc::clone_args = unsafe { std::mem::zeroed() };
    request.flags = namespaces as u64;
    request.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM the child has a copy of this single-threaded process, as after fork; the structure
    // lives through the call and its size is the one given.
    let child = checked(unsafe { libc::syscall(libc::SYS_clone3, &raw mut request, size_of::<libc::clone_args>()) })?;
    if child == 0 {
        let error = enter(&root).err().unwrap_or_else(|| {
            // SAFETY: both are C strings and an array of them that ends in a null pointer; they live until exec.
            unsafe { libc::execv(program.as_ptr(), pointers.as_ptr()) };
            io::Error::last_os_error()
        });
        eprintln!("floor: {error}");
        std::process::exit(127);
    }
    let mut status = 0;
    // SAFETY: waits for the child just made; `status` lives through the call.
    checked(i64::from(unsafe { libc::waitpid(child as libc::pid_t, &raw mut status, 0) }))?;
    Ok(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) as u8 } else { 128 + libc::WTERMSIG(status) as u8 })
}

/// Makes `root` the root of this process's own mount namespace, with a /proc of its own.
fn enter(root: &CString) -> io::Result<()> {
    let mount = |source: *const libc::c_char, target: *const libc::c_char, kind: *const libc::c_char, flags: libc::c_ulong| {
        // SAFETY: each pointer is null or a C string that lives through the call.
        checked(i64::from(unsafe { libc::mount(source, target, kind, flags, ptr::null()) }))
    };
    mount(ptr::null(), c"/".as_ptr(), ptr::null(), libc::MS_REC | libc::MS_PRIVATE)?;
    mount(root.as_ptr(), root.as_ptr(), ptr::null(), libc::MS_BIND)?;
    // SAFETY: all are C strings that live through the calls.
    unsafe {
        checked(i64::from(libc::chdir(root.as_ptr())))?;
        checked(libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()))?;
        checked(i64::from(libc::umount2(c".".as_ptr(), libc::MNT_DETACH)))?;
        checked(i64::from(libc::chdir(c"/".as_ptr())))?;
    }
    mount(c"proc".as_ptr(), c"/proc".as_ptr(), c"proc".as_ptr(), libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC)?;
    Ok(())
}

/// One command of a comparison.
struct Runner {
    name: String,
    words: Vec<OsString>,
    times: Vec<Duration>,
}

impl Runner {
    fn once(&mut self, before: Option<&OsString>) -> Result<(), String> {
        if let Some(before) = before {
            let done = Command::new("bash").arg("-c").arg(before).env("NAME", &self.name).status();
            if !done.is_ok_and(|status| status.success()) {
                return Err(format!("what comes before {} failed", self.name));
            }
        }
        let began = Instant::now();
        let output = Command::new(&self.words[0]).args(&self.words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).output();
        let took = began.elapsed();
        let output = output.map_err(|error| format!("{}: {error}", self.name))?;
        if !output.status.success() {
            return Err(format!("{} ended with {}: {}", self.name, output.status, String::from_utf8_lossy(&output.stderr).trim()));
        }
        self.times.push(took);
        Ok(())
    }

    fn quantile(&self, share: f64) -> f64 {
        let mut times: Vec<f64> = self.times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        times[((times.len() - 1) as f64 * share).round() as usize]
    }
}

fn compare(words: Vec<OsString>) -> Result<u8, String> {
    let mut words = words.into_iter().peekable();
    let before = words.next_if(|word| word == "--before").and_then(|_| words.next());
    let rounds: usize = words.next().and_then(|word| word.to_str()?.parse().ok()).filter(|&rounds| rounds > 0).ok_or("how many rounds?")?;
    let rest: Vec<OsString> = words.collect();
    let mut runners = Vec::new();
    for part in rest.split(|word| word == "---") {
        match part {
            [name, command, ..] if !command.is_empty() => {
                runners.push(Runner { name: name.to_string_lossy().into_owned(), words: part[1..].to_vec(), times: Vec::new() });
            }
            _ => return Err("each part is a name and a command".to_owned()),
        }
    }
    // Once unmeasured, so that files are in memory for all of them alike.
    for runner in &mut runners {
        runner.once(before.as_ref())?;
        runner.times.clear();
    }
    let count = runners.len();
    for round in 0..rounds {
        for turn in 0..count {
            runners[(round + turn) % count].once(before.as_ref())?;
        }
    }
    let first = runners[0].quantile(0.5);
    for (at, runner) in runners.iter().enumerate() {
        let median = runner.quantile(0.5);
        let ratio = if at == 0 { String::new() } else { format!("   {} / {} = {:.2}", runners[0].name, runner.name, first / median) };
        println!("  {:<12} median {median:>9.2} ms   best {:>9.2}   90% {:>9.2}{ratio}", runner.name, runner.quantile(0.0), runner.quantile(0.9));
    }
    Ok(0)
}
