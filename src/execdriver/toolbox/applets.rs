//! The table of applets.

use super::call::{self, Call, Run};
use super::{change, list, process, shell, system, text, walk};
use Run::{Acts, Writes};
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
    applet("cat", "[FILE]...", Writes(text::cat)),
    applet("chmod", "OCTAL PATH...", Acts(change::chmod)),
    applet("cp", "[-r] SOURCE... TARGET", Acts(change::cp)),
    applet("date", "[+FORMAT]  (always UTC)", Writes(process::date)),
    applet("df", "[-h] [PATH]...", Writes(system::df)),
    applet("echo", "[-n] [WORD]...", Writes(text::echo)),
    applet("env", "", Writes(process::env)),
    applet("false", "", Acts(process::no)),
    applet("find", "[PATH]... [-name PATTERN] [-type f|d|l] [-maxdepth N]", Writes(walk::find)),
    applet("grep", "[-Fchilnqrv] PATTERN [FILE]...", Writes(text::grep)),
    applet("head", "[-n LINES] [FILE]...", Writes(text::head)),
    applet("help", "", Writes(help)),
    applet("hostname", "", Writes(process::hostname)),
    applet("id", "[-u|-g|-G] [-n]", Writes(process::id)),
    applet("ip", "[addr|route]", Writes(system::ip)),
    applet("kill", "[-SIGNAL] PID...", Acts(process::kill)),
    applet("ln", "[-s] [-f] TARGET LINK", Acts(change::ln)),
    applet("ls", "[-aAdlR] [PATH]...", Writes(list::ls)),
    applet("mkdir", "[-p] DIR...", Acts(change::mkdir)),
    applet("mount", "  (lists only)", Writes(system::mount)),
    applet("mv", "SOURCE... TARGET", Acts(change::mv)),
    applet("ps", "", Writes(process::ps)),
    applet("pwd", "", Writes(process::pwd)),
    applet("readlink", "[-f] PATH...", Writes(list::readlink)),
    applet("rm", "[-r] [-f] PATH...", Acts(change::rm)),
    applet("rmdir", "DIR...", Acts(change::rmdir)),
    applet("sh", "[-c LINE [NAME [ARG]...]] [FILE [ARG]...]", Writes(shell::sh)),
    applet("sleep", "SECONDS", Acts(process::sleep)),
    applet("sort", "[-nru] [FILE]...", Writes(text::sort)),
    applet("ss", "  (lists all sockets of tcp and udp)", Writes(system::ss)),
    applet("stat", "PATH...", Writes(list::stat)),
    applet("tail", "[-n LINES] [FILE]...", Writes(text::tail)),
    applet("touch", "FILE...", Acts(change::touch)),
    applet("true", "", Acts(process::yes)),
    applet("uname", "[-amnrsv]", Writes(process::uname)),
    applet("wc", "[-clw] [FILE]...", Writes(text::wc)),
    applet("which", "NAME...", Writes(process::which)),
];

/// The applet of this name.
pub fn find(name: &[u8]) -> Option<&'static Applet> {
    APPLETS.iter().find(|applet| applet.name.as_bytes() == name)
}

impl Applet {
    /// Runs it; its exit status.
    pub fn run(&self, arguments: &[CString], environment: &[CString]) -> i32 {
        // So that `ps` tells which; if it cannot be set, it tells less.
        let _ = CString::new(self.name).map(|name| rustix::thread::set_name(&name));
        call::run(self.name, self.usage, self.run, arguments, environment)
    }
}

fn help(call: &mut Call<'_>) -> io::Result<()> {
    writeln!(call.out, "The toolbox of kapal: these applets, run inside the container and kept nowhere in it.")?;
    for applet in &APPLETS {
        writeln!(call.out, "  {}", format!("{} {}", applet.name, applet.usage).trim_end())?;
    }
    writeln!(call.out, "The shell knows cd, export, unset and exit; ; && || ! |; < > >> 2>&1; quotes, $NAME, $?, $$; * ? [a-z]; comments.")?;
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
