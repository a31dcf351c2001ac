//! The toolbox of our own: a shell and tools in a container that has none, on a machine that has no busybox.

use crate::inside::engine;
use crate::pane::{Pane, run};
use crate::store::{Done, Store, until};
use kapal::engine::shell::Tools;
use kapal::job::exec::Exec;
use kapal::tui::console::session::Session;

/// A container of one static program.
fn bare(options: &[&str]) -> Option<Store> {
    let store = Store::new()?;
    let image = store.image("bare:1");
    store.ok(&[&["run", "-d", "--name", "bare", "-h", "inside"], options, &[&image, "/sleep", "1000"]].concat());
    Some(store)
}

/// A line in the shell.
#[track_caller]
fn line(store: &Store, line: &str) -> Done {
    store.kapal(&["exec", "--toolbox=own", "bare", "sh", "-c", line])
}

/// What a line prints; it must go well and say nothing else.
#[track_caller]
fn says(store: &Store, text: &str) -> String {
    let done = line(store, text);
    assert_eq!((done.status, &done.err[..]), (0, ""), "{text}: {}", done.out);
    done.out
}

#[test]
fn it_has_the_containers_own_rights_and_nothing_of_this_machine() {
    let Some(store) = bare(&["--ulimit", "nofile=77:99"]) else { return };
    let before = store.ok(&["diff", "bare"]);
    let own = |words: &[&str]| store.ok(&[&["exec", "--toolbox=own", "bare"], words].concat());
    assert_eq!(own(&["hostname"]), "inside");
    assert_eq!(says(&store, "id -u; id -g; grep CapBnd /proc/self/status; grep CapEff /proc/self/status"), {
        "0\n0\nCapBnd:\t00000000a80425fb\nCapEff:\t00000000a80425fb"
    });
    for what in ["NoNewPrivs", "Seccomp:", "SigBlk", "SigIgn"] {
        let of = |process: &str| says(&store, &format!("grep {what} /proc/{process}/status"));
        assert_eq!(of("self"), of("1"));
    }
    let user = ["exec", "--toolbox=own", "-u", "1000:1001", "-w", "/proc", "bare", "sh", "-c", "id; pwd; grep CapEff self/status"];
    assert_eq!(store.ok(&user), "uid=1000(1000) gid=1001(1001) groups=1001(1001)\n/proc\nCapEff:\t0000000000000000");
    for numbers in [own(&["ls", "-l", "/proc/self/fd"]), says(&store, "ls -l /proc/self/fd"), says(&store, "ls -l /proc/$$/fd")] {
        let shown: Vec<&str> = numbers.lines().map(|line| line.split(" -> ").next().unwrap().rsplit(' ').next().unwrap()).collect();
        assert_eq!(shown, ["0", "1", "2"], "{numbers}");
        assert!(!numbers.contains("kapal") && !numbers.contains("socket"), "{numbers}");
    }
    assert_eq!(says(&store, "grep 'open files' /proc/self/limits | grep -c '77 *99'"), "1");
    assert_eq!(line(&store, "grep ' ..-s ' /proc/self/maps").status, 1, "no memory is shared with this machine");
    assert_eq!(says(&store, "cat /proc/$$/cgroup"), says(&store, "cat /proc/1/cgroup"), "in the container's own cgroup");
    assert_eq!(store.ok(&["diff", "bare"]), before);
}

#[test]
fn nobody_in_the_container_looks_into_it() {
    let Some(store) = bare(&[]) else { return };
    // One that waits, and one that looks.
    store.ok(&["exec", "-d", "--toolbox=own", "bare", "sleep", "1000"]);
    until("it runs", || says(&store, "ps").contains("{sleep}"));
    let other = says(&store, "grep -l ^sleep$ /proc/2/comm /proc/3/comm /proc/4/comm /proc/5/comm /proc/6/comm 2>/dev/null | head -n 1");
    let other = other.trim_end_matches("/comm");
    for (what, tool) in [("maps", "cat"), ("mem", "cat"), ("exe", "readlink"), ("exe", "cat"), ("environ", "cat"), ("cwd", "readlink")] {
        let done = line(&store, &format!("{tool} {other}/{what}"));
        assert!(done.status == 1 && done.err.contains("Permission denied") && done.out.is_empty(), "{other}/{what}: {done:?}");
    }
    let done = line(&store, &format!("echo x >{other}/exe || echo refused; echo x >/proc/self/exe || echo refused"));
    assert_eq!(done.out, "refused\nrefused", "{done:?}");
}

#[test]
fn its_tools_do_what_they_are_named_after() {
    let Some(store) = bare(&[]) else { return };
    for (text, expected) in [
        ("mkdir -p /t/a/b && cd /t && echo one >a/1; echo two >>a/1; cat a/1; wc -l a/1", "one\ntwo\n      2 a/1"),
        ("cd /t; cp a/1 2; ln -s 2 link; ls -l link | grep -c 'link -> 2'; readlink link; cp -r a c; find c", "1\n2\nc\nc/1\nc/b"),
        ("cd /t; mv 2 3; touch '3 4'; ls; rm -rf c; rmdir a/b; ls a", "3\n3 4\na\nc\nlink\n1"),
        ("cd /t; echo *; echo a/? 'a/?' *z*; find . -name '3*' -type f", "3 3 4 a link\na/1 a/? *z*\n./3\n./3 4"),
        ("cat /t/3 | sort -r | head -n 1; tail -n 1 </t/3; grep -vn one /t/3; grep -c . /t/3", "two\ntwo\n2:two\n2"),
        ("A='x  y'; echo $A \"$A\"; export A; env | grep ^A=; unset A; env | grep -c ^A=; echo $?", "x y x  y\nA=x  y\n0\n1"),
        ("false || echo no; true && echo yes; ! true; echo $?; sh -c 'exit 7'; echo $?", "no\nyes\n1\n7"),
        ("ls /none 2>&1 | cat; ls /none 2>/dev/null; echo $?", "ls: /none: No such file or directory\n1"),
        ("cd /none 2>/t/err; cat /t/err; echo back # not this", "cd: /none: No such file or directory\nback"),
        ("/sleep 0; echo $?; which ls; ip | grep -c 127.0.0.1/8; mount | grep -c 'on / '; uname", "0\nls: of the toolbox\n1\n1\nLinux"),
        ("sh -c 'kill $$'; echo $?; stat /t/3 | grep Size; df / | wc -l; ss | head -n 1 | wc -w", "143\n  Size: 8  Blocks: 8  Block: 4096\n      2\n      4"),
    ] {
        let done = line(&store, text);
        assert_eq!((&done.out[..], &done.err[..]), (expected, ""), "{text}");
    }
    let piped = store.fed(b"echo first\ncat\nthis is for cat\n", &["exec", "-i", "--toolbox=own", "bare"]);
    assert_eq!(piped.out, "first\nthis is for cat");
    assert_eq!(store.fed(b"exit 5\necho no", &["exec", "-i", "--toolbox=own", "bare"]).status, 5);
    for (text, status, why) in [
        ("nothing", 127, "not found"),
        ("/t", 126, "is a directory"),
        ("echo 'a", 2, "open"),
        ("for x in y", 2, "no `for`"),
        ("ls -z", 2, "unknown option -z"),
        ("rm -r /", 1, "rm: /"),
        ("cp -r /t /t/a", 1, "into itself"),
    ] {
        let done = line(&store, text);
        assert!(done.status == status && done.err.contains(why), "{text}: {done:?}");
    }
    let unknown = store.fails(127, &["exec", "--toolbox=own", "bare", "nothing"]);
    assert!(unknown.contains("nothing"), "{unknown}");
    assert_eq!(store.ok(&["exec", "--toolbox=own", "bare", "/sleep", "0"]), "", "a program of the container's own");
    assert!(says(&store, "help").contains("grep"));
    says(&store, "rm -r /t");
}

#[test]
fn the_containers_limit_of_processes_counts() {
    let Some(store) = bare(&["--pids-limit", "10"]) else { return };
    let many = vec!["sleep 1000"; 20].join(" | ");
    let done = line(&store, &format!("{many}; echo still here"));
    assert!(done.out == "still here" && done.err.contains("cannot fork: Resource temporarily unavailable"), "{done:?}");
    assert_eq!(says(&store, "ps | grep -c sleep"), "1", "none of them is left, only the container's own");
}

#[test]
fn somebody_types_into_it() {
    let Some(store) = bare(&[]) else { return };
    run(async {
        let engine = engine(&store);
        let container = engine.container("bare").unwrap();
        let shell = Exec { toolbox: Some(Tools::Own), ..Exec::shell(&container, engine.shell(&container).unwrap()) };
        let mut pane = Pane::new(Session::exec(&engine, shell.clone(), (24, 80)));
        pane.until("/ #").await;
        pane.kind("echo be''gun\r");
        pane.until("\nbegun\n/ #").await;
        pane.kind("echo 'two\r");
        pane.until("\n>").await;
        pane.kind("lines'; cd /proc\r");
        pane.until("two\nlines\n/proc #").await;
        // An interrupt ends what runs, a pipeline as a whole, and a line that was begun; never the shell.
        pane.kind("sleep 1000 | cat\r");
        // Each is called so once the terminal is its own.
        until("it sleeps", || ["{sleep}", "{cat}"].iter().all(|name| says(&store, "ps").contains(name)));
        pane.kind("\x03");
        pane.until("^C\n/proc #").await;
        pane.kind("echo $?\r");
        pane.until("\n130\n/proc #").await;
        pane.kind("echo never");
        pane.until("echo never").await;
        pane.kind("\x03");
        pane.until("never^C\n/proc #").await;
        pane.kind("cat\r");
        pane.kind("give it back\r");
        pane.until("give it back\ngive it back").await;
        pane.kind("\x04");
        pane.kind("exit 7\r");
        assert_eq!(pane.end().await, 7);
        let mut pane = Pane::new(Session::exec(&engine, shell, (24, 80)));
        pane.until("/ #").await;
        pane.kind("sleep 1000\r");
        until("it sleeps", || says(&store, "ps").contains("{sleep}"));
        pane.handle.close();
        until("it ends with its console", || store.ok(&["top", "bare"]).lines().count() == 2);
    });
}
