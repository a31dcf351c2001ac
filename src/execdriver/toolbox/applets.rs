//! The table of applets.

use super::call::{self, Call, Run};
use super::{change, list, process, shell, system, text, walk};
use std::ffi::CString;
use std::io;

/// An applet.
#[derive(Debug)]
pub struct Applet {
    name: &'static str,
    usage: &'static str,
    run: Run,
}

const fn applet(name: &'static str, usage: &'static str, run: Run) -> Applet {
    Applet { name, usage, run }
}

/// All there are.
const APPLETS: [Applet; 37] = [
    applet("cat", "[FILE]...", text::cat),
    applet("chmod", "OCTAL PATH...", change::chmod),
    applet("cp", "[-r] SOURCE... TARGET", change::cp),
    applet("date", "[+FORMAT]  (always UTC)", process::date),
    applet("df", "[-h] [PATH]...", system::df),
    applet("echo", "[-n] [WORD]...", text::echo),
    applet("env", "", process::env),
    applet("false", "", process::no),
    applet("find", "[PATH]... [-name PATTERN] [-type f|d|l] [-maxdepth N]", walk::find),
    applet("grep", "[-Fchilnqrv] PATTERN [FILE]...", text::grep),
    applet("head", "[-n LINES] [FILE]...", text::head),
    applet("help", "", help),
    applet("hostname", "", process::hostname),
    applet("id", "[-u|-g|-G] [-n]", process::id),
    applet("ip", "[addr|route]", system::ip),
    applet("kill", "[-SIGNAL] PID...", process::kill),
    applet("ln", "[-s] [-f] TARGET LINK", change::ln),
    applet("ls", "[-aAdlR] [PATH]...", list::ls),
    applet("mkdir", "[-p] DIR...", change::mkdir),
    applet("mount", "  (lists only)", system::mount),
    applet("mv", "SOURCE... TARGET", change::mv),
    applet("ps", "", process::ps),
    applet("pwd", "", process::pwd),
    applet("readlink", "[-f] PATH...", list::readlink),
    applet("rm", "[-r] [-f] PATH...", change::rm),
    applet("rmdir", "DIR...", change::rmdir),
    applet("sh", "[-c LINE [NAME [ARG]...]] [FILE [ARG]...]", shell::sh),
    applet("sleep", "SECONDS", process::sleep),
    applet("sort", "[-nru] [FILE]...", text::sort),
    applet("ss", "  (lists all sockets of tcp and udp)", system::ss),
    applet("stat", "PATH...", list::stat),
    applet("tail", "[-n LINES] [FILE]...", text::tail),
    applet("touch", "FILE...", change::touch),
    applet("true", "", process::yes),
    applet("uname", "[-amnrsv]", process::uname),
    applet("wc", "[-clw] [FILE]...", text::wc),
    applet("which", "NAME...", process::which),
];

/// The applet of this name.
pub fn find(name: &[u8]) -> Option<&'static Applet> {
    APPLETS.iter().find(|applet| applet.name.as_bytes() == name)
}

impl Applet {
    /// Runs it; its exit status.
    pub fn run(&self, arguments: &[CString], environment: &[CString]) -> i32 {
        call::run(self.name, self.usage, self.run, arguments, environment)
    }
}

fn help(call: &mut Call<'_>) -> io::Result<()> {
    writeln!(call.out, "The toolbox of kapal: these applets, run inside the container and kept nowhere in it.")?;
    for applet in &APPLETS {
        writeln!(call.out, "  {}", format!("{} {}", applet.name, applet.usage).trim_end())?;
    }
    writeln!(call.out, "The shell knows cd, export, unset and exit; ; && || ! |; < > >> 2>&1; quotes, $NAME, $?, $$, * and ?; comments.")?;
    writeln!(call.out, "Any other name is a program of the container's own, found in PATH.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_found() {
        assert!(APPLETS.is_sorted_by_key(|applet| applet.name));
        assert!(find(b"ls").is_some() && find(b"/bin/ls").is_none() && find(b"").is_none());
    }
}
