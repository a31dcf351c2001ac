//! Applets for processes and what is around them: ps, kill, id, env, hostname, uname, date, sleep, which, pwd.

use super::applets;
use super::call::{Call, complain};
use super::list::Names;
use super::shell::BUILTINS;
use crate::execdriver::search::Command;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// `true`
pub fn yes(_: &mut Call<'_>) {}

/// `false`
pub fn no(call: &mut Call<'_>) {
    call.status = 1;
}

/// `env`
pub fn env(call: &mut Call<'_>) -> io::Result<()> {
    if !call.arguments.is_empty() {
        call.refuse("it lists variables and runs nothing; in the shell: NAME=VALUE COMMAND");
        return Ok(());
    }
    for entry in call.environment {
        call.out.write_all(&[entry.to_bytes(), b"\n"].concat())?;
    }
    Ok(())
}

/// `hostname`
pub fn hostname(call: &mut Call<'_>) -> io::Result<()> {
    if call.arguments.is_empty() {
        call.out.write_all(&[rustix::system::uname().nodename().to_bytes(), b"\n"].concat())
    } else {
        call.refuse("it shows the name and does not change it");
        Ok(())
    }
}

/// `uname`
pub fn uname(call: &mut Call<'_>) -> io::Result<()> {
    let Some(options) = call.options("amnrsv") else { return Ok(()) };
    let name = rustix::system::uname();
    let fields = [(b's', name.sysname()), (b'n', name.nodename()), (b'r', name.release()), (b'v', name.version()), (b'm', name.machine())];
    let none = !fields.iter().any(|(letter, _)| options.has(*letter));
    let wanted = |letter| options.has(b'a') || options.has(letter) || (none && letter == b's');
    let shown: Vec<_> = fields.iter().filter(|(letter, _)| wanted(*letter)).map(|(_, text)| text.to_bytes()).collect();
    call.out.write_all(&[&shown.join(&b' ')[..], b"\n"].concat())
}

/// `pwd`
pub fn pwd(call: &mut Call<'_>) -> io::Result<()> {
    match std::env::current_dir() {
        Ok(folder) => call.out.write_all(&[folder.as_os_str().as_bytes(), b"\n"].concat()),
        Err(error) => {
            call.fail("the working folder", &error);
            Ok(())
        }
    }
}

/// `date`
pub fn date(call: &mut Call<'_>) -> io::Result<()> {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let format = match &call.arguments[..] {
        [] => Some("%a %b %e %H:%M:%S UTC %Y"),
        [one] if one == "-u" => Some("%a %b %e %H:%M:%S UTC %Y"),
        [format] => format.to_str().and_then(|format| format.strip_prefix('+')),
        _ => None,
    };
    match format.map(|format| jiff::fmt::strtime::format(format, &now)) {
        Some(Ok(text)) => writeln!(call.out, "{text}"),
        Some(Err(error)) => {
            call.refuse(&error.to_string());
            Ok(())
        }
        None => {
            call.refuse("expected +FORMAT");
            Ok(())
        }
    }
}

/// `sleep`
pub fn sleep(call: &mut Call<'_>) {
    let seconds = match &call.arguments[..] {
        [text] => text.to_str().and_then(|text| text.parse().ok()).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        _ => None,
    };
    match seconds {
        Some(time) => std::thread::sleep(time),
        None => call.refuse("expected a number of seconds"),
    }
}

/// `which`
pub fn which(call: &mut Call<'_>) -> io::Result<()> {
    for name in call.arguments.clone() {
        let bytes = name.as_bytes();
        if BUILTINS.contains(&bytes) || applets::find(bytes).is_some() {
            call.out.write_all(&[bytes, b": of the toolbox\n"].concat())?;
            continue;
        }
        let Ok(argument) = CString::new(bytes) else { continue };
        let runs = |path: &CString| {
            let file = Path::new(OsStr::from_bytes(path.to_bytes()));
            file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
        };
        match Command::of(vec![argument], call.environment.to_vec()).candidates().into_iter().find(runs) {
            Some(path) => call.out.write_all(&[path.to_bytes(), b"\n"].concat())?,
            None => call.status = 1,
        }
    }
    Ok(())
}

/// `id`
pub fn id(call: &mut Call<'_>) -> io::Result<()> {
    let Some(options) = call.options("ugGn") else { return Ok(()) };
    let names = Names::read();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mut groups: Vec<u32> = rustix::process::getgroups()?.into_iter().map(rustix::process::Gid::as_raw).filter(|group| *group != gid).collect();
    groups.insert(0, gid);
    let named = options.has(b'n');
    let user = |id: u32| if named { names.user(id) } else { id.to_string() };
    let group = |id: &u32| if named { names.group(*id) } else { id.to_string() };
    if options.has(b'u') {
        writeln!(call.out, "{}", user(uid))
    } else if options.has(b'g') {
        writeln!(call.out, "{}", group(&gid))
    } else if options.has(b'G') {
        writeln!(call.out, "{}", groups.iter().map(group).collect::<Vec<_>>().join(" "))
    } else {
        let both = |id: &u32| format!("{id}({})", names.group(*id));
        let groups = groups.iter().map(both).collect::<Vec<_>>().join(",");
        writeln!(call.out, "uid={uid}({}) gid={} groups={groups}", names.user(uid), both(&gid))
    }
}

/// What `/proc/PID/status` says behind this word.
fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default()
}

/// A process's arguments; its name before them if it calls itself otherwise, as applets do: none of them was executed.
fn described(arguments: &[u8], name: &str) -> Vec<u8> {
    let arguments = arguments.strip_suffix(b"\0").unwrap_or(arguments);
    let program = arguments.split(|byte| *byte == 0).next().and_then(|path| path.rsplit(|byte| *byte == b'/').next()).unwrap_or_default();
    let is_own = program.strip_prefix(b"-").unwrap_or(program).starts_with(name.as_bytes());
    if is_own { arguments.to_vec() } else { [format!("{{{name}}} ").as_bytes(), arguments].concat() }
}

/// `ps`
pub fn ps(call: &mut Call<'_>) -> io::Result<()> {
    if !call.arguments.is_empty() {
        call.refuse("it shows all processes and takes no options");
        return Ok(());
    }
    let names = Names::read();
    let entries = match std::fs::read_dir("/proc") {
        Ok(entries) => entries,
        Err(error) => {
            call.fail("/proc", &error);
            return Ok(());
        }
    };
    let mut numbers: Vec<u32> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    writeln!(call.out, "{:>7} {:<8} {:<5} COMMAND", "PID", "USER", "STATE")?;
    for number in numbers {
        // It may have ended since.
        let Ok(status) = std::fs::read(format!("/proc/{number}/status")) else { continue };
        let status = String::from_utf8_lossy(&status);
        let user = field(&status, "Uid:").split_ascii_whitespace().nth(1).and_then(|uid| uid.parse().ok()).map(|uid| names.user(uid));
        let state = field(&status, "State:").chars().next().unwrap_or('?');
        let command = match std::fs::read(format!("/proc/{number}/cmdline")) {
            Ok(command) if !command.is_empty() => described(&command, field(&status, "Name:")),
            _ => format!("[{}]", field(&status, "Name:")).into_bytes(),
        };
        // A line for each process, whatever it calls itself.
        let command: Vec<u8> = command.into_iter().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }).collect();
        write!(call.out, "{number:>7} {:<8} {state:<5} ", user.unwrap_or_default())?;
        call.out.write_all(&[&command[..], b"\n"].concat())?;
    }
    Ok(())
}

/// The number of a signal by name, with or without SIG, or by number; 0 sends none.
fn signal(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (number == 0 || Signal::try_from(number).is_ok()).then_some(number);
    }
    let name = text.to_ascii_uppercase();
    let name = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
    Signal::from_str(&name).ok().map(|signal| signal as i32)
}

/// `kill`
pub fn kill(call: &mut Call<'_>) {
    let mut wanted = libc::SIGTERM;
    let option = call.arguments.first().and_then(|first| first.to_str()).and_then(|first| first.strip_prefix('-')).map(str::to_owned);
    if let Some(name) = option {
        call.arguments.remove(0);
        let name = if name == "s" && !call.arguments.is_empty() { call.arguments.remove(0).to_string_lossy().into_owned() } else { name };
        let Some(known) = signal(&name) else {
            call.refuse(&format!("unknown signal {name}"));
            return;
        };
        wanted = known;
    }
    if call.arguments.is_empty() {
        call.refuse("a process is missing");
    }
    for process in call.arguments.clone() {
        let number = process.to_str().and_then(|text| text.parse::<i32>().ok());
        let Some(number) = number else {
            complain(&[b"kill", process.as_bytes(), b"expected a number"]);
            call.status = 1;
            continue;
        };
        if let Err(error) = nix::sys::signal::kill(Pid::from_raw(number), Signal::try_from(wanted).ok()) {
            call.fail(&process, &error.into());
        }
    }
}
