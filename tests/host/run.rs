//! `run`: statuses, streams, and what a process in a container sees.

use crate::store::{Store, until};
use std::fs;

/// What `sh -c SCRIPT` prints in a container of `box:1`.
#[track_caller]
fn shell(store: &Store, options: &[&str], script: &str) -> String {
    let image = store.image("box:1");
    store.ok(&[&["run", "--rm"], options, &[&image, "sh", "-c", script]].concat())
}

#[test]
fn ends_as_its_command_ends() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    assert_eq!(store.ok(&["run", "--rm", &image, "echo", "hello"]), "hello");
    let ends = |script: &str| store.kapal(&["run", "--rm", &image, "sh", "-c", script]).status;
    assert_eq!((ends("exit 3"), ends("exit 255"), ends("exit 0")), (3, 255, 0));
    assert!(store.fails(127, &["run", "--rm", &image, "nosuchprogram"]).contains("nosuchprogram"));
    assert!(store.fails(126, &["run", "--rm", &image, "/bin/data"]).contains("/bin/data"));
    assert!(store.fails(126, &["run", "--rm", &image, "/etc"]).contains("/etc"));
    assert!(store.fails(125, &["run", "--rm", "--memory", "much", &image, "true"]).contains("much"));
    assert!(store.fails(125, &["run", "--rm", "--no-such-option", &image, "true"]).contains("no-such-option"));
    store.fails(125, &["run", "--rm", "--pull", "never", "nowhere.invalid/none:1", "true"]);
}

#[test]
fn a_signal_is_128_more() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    for (name, signal, status) in [("first", "KILL", "137"), ("second", "TERM", "143"), ("third", "15", "143")] {
        store.ok(&["run", "-d", "--init", "--name", name, &image, "sleep", "1000"]);
        store.ok(&["kill", "-s", signal, name]);
        assert_eq!(store.ok(&["wait", name]), status);
        assert_eq!(store.field(name, ".State.ExitCode"), status);
    }
}

#[test]
fn the_environment_is_the_images_and_the_callers() {
    let Some(store) = Store::new() else { return };
    let seen = shell(&store, &["-e", "A=1 2", "-e", "COLOUR=red"], "echo \"$A $COLOUR $PATH $HOME $HOSTNAME\"; env | wc -l");
    assert!(seen.starts_with("1 2 red /bin /root "), "{seen}");
    fs::write(store.path("env"), "# comment\nB=from a file\n\nC=\n").unwrap();
    assert_eq!(shell(&store, &["--env-file", store.path("env").to_str().unwrap()], "echo \"$B$C\""), "from a file");
    let image = store.image("box:1");
    let mut command = store.command(&["run", "--rm", "-e", "GIVEN", "-e", "NOT_GIVEN", &image, "sh", "-c", "echo $GIVEN ${NOT_GIVEN-unset}"]);
    assert_eq!(crate::store::finish(command.env("GIVEN", "yes").env_remove("NOT_GIVEN"), None).out, "yes unset");
}

#[test]
fn folder_user_and_names() {
    let Some(store) = Store::new() else { return };
    assert_eq!(shell(&store, &["-w", "/home/someone"], "pwd"), "/home/someone");
    assert_eq!(shell(&store, &["-w", "/new/made"], "pwd"), "/new/made");
    let ids = "echo $(id -u):$(id -g):$(id -G) $HOME";
    assert_eq!(shell(&store, &["-u", "someone"], ids), "1000:1000:1000 2000 /home/someone");
    assert_eq!(shell(&store, &["-u", "0:2000"], ids), "0:2000:2000 /root");
    assert_eq!(shell(&store, &["-u", "77"], ids), "77:0:0 /");
    assert_eq!(shell(&store, &["-u", "someone:root", "--group-add", "more"], "id -u; id -g"), "1000\n0");
    assert_eq!(shell(&store, &["-u", "4000:4001"], "grep Groups: /proc/self/status | tr -s '\t ' ' '").trim(), "Groups: 4001");
    let image = store.image("box:1");
    assert!(store.fails(125, &["run", "--rm", "-u", "nobody-here", &image, "true"]).contains("nobody-here"));
    assert_eq!(shell(&store, &["-h", "vessel"], "hostname; cat /etc/hostname; grep -c vessel /etc/hosts"), "vessel\nvessel\n1");
    assert_eq!(shell(&store, &["--add-host", "there:10.1.2.3"], "grep there /etc/hosts | tr -s '\\t ' ' '"), "10.1.2.3 there");
    let point = store.image("point:1");
    assert_eq!(store.ok(&["run", "--rm", &point]), "said it");
    assert_eq!(store.ok(&["run", "--rm", &point, "this"]), "said this");
    assert_eq!(store.ok(&["run", "--rm", "--entrypoint", "/bin/basename", &point, "/a/b"]), "b");
}

#[test]
fn what_may_be_written() {
    let Some(store) = Store::new() else { return };
    let tried = "touch /x 2>/dev/null && echo wrote || echo refused";
    assert_eq!(shell(&store, &[], tried), "wrote");
    assert_eq!(shell(&store, &["--read-only"], tried), "refused");
    let memory = "touch /scratch/x && stat -f -c %T /scratch && df -k /scratch | tail -1 | awk '{print $2}'";
    let seen = shell(&store, &["--read-only", "--tmpfs", "/scratch:size=1m"], memory);
    assert_eq!(seen, "tmpfs\n1024");
    let here = store.path("here");
    fs::create_dir(&here).unwrap();
    fs::write(here.join("file"), "from here").unwrap();
    let bind = format!("{}:/there", here.display());
    assert_eq!(shell(&store, &["-v", &bind], "cat /there/file; echo back >/there/new"), "from here");
    assert_eq!(fs::read_to_string(here.join("new")).unwrap(), "back\n");
    let bind = format!("{bind}:ro");
    assert_eq!(shell(&store, &["-v", &bind], "touch /there/x 2>/dev/null && echo wrote || echo refused"), "refused");
    assert!(!here.join("x").exists());
    let mount = format!("type=bind,source={},target=/there,readonly", here.join("file").display());
    assert_eq!(shell(&store, &["--mount", &mount], "cat /there; echo x 2>/dev/null >/there || echo refused"), "from hererefused");
}

#[test]
fn a_mount_never_leaves_the_root_through_a_link() {
    let Some(store) = Store::new() else { return };
    let outside = store.path("outside");
    fs::create_dir(&outside).unwrap();
    let image = store.image("box:1");
    store.ok(&["create", "--name", "trap", &image, "true"]);
    store.ok(&["run", "--name", "maker", &image, "ln", "-s", outside.to_str().unwrap(), "/trap"]);
    store.ok(&["commit", "maker", "trap:1"]);
    let bind = format!("{}:/trap/inside", store.base.join("root/volumes").display());
    fs::create_dir_all(store.base.join("root/volumes")).unwrap();
    store.kapal(&["run", "--rm", "-v", &bind, "trap:1", "true"]);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "something was made outside");
}

#[test]
fn volumes_live_longer_than_containers() {
    let Some(store) = Store::new() else { return };
    shell(&store, &["-v", "kept:/data"], "echo once >/data/file");
    assert_eq!(shell(&store, &["-v", "kept:/data"], "cat /data/file"), "once");
    assert_eq!(store.ok(&["volume", "ls", "-q"]), "kept");
    let image = store.image("volume:1");
    let seen = store.ok(&["run", "--rm", &image, "sh", "-c", "echo mine >/home/someone/x && stat -c %U /home/someone"]);
    assert_eq!(seen, "someone");
    assert_eq!(store.ok(&["volume", "ls", "-q"]), "kept", "--rm removes anonymous volumes and no others");
    store.ok(&["run", "--name", "keeps", &image, "sh", "-c", "echo mine >/home/someone/x"]);
    assert_eq!(store.ok(&["volume", "ls", "-q"]).lines().count(), 2);
    assert_eq!(store.ok(&["run", "--rm", "--volumes-from", "keeps", &image, "cat", "/home/someone/x"]), "mine");
    store.ok(&["run", "-d", "--name", "uses", "-v", "kept:/data", &image, "sleep", "1000"]);
    store.fails(1, &["volume", "rm", "kept"]);
    store.ok(&["rm", "-f", "-v", "uses"]);
    store.ok(&["rm", "-v", "keeps"]);
    assert_eq!(store.ok(&["volume", "ls", "-q"]), "kept");
    store.ok(&["volume", "rm", "kept"]);
    assert_eq!(store.ok(&["volume", "ls", "-q"]), "");
}

#[test]
fn the_fourteen_capabilities() {
    let Some(store) = Store::new() else { return };
    let bound = |options: &[&str]| shell(&store, options, "awk '/CapBnd/{print $2}' /proc/self/status");
    assert_eq!(bound(&[]), "00000000a80425fb");
    assert_eq!(bound(&["--cap-drop", "ALL"]), "0000000000000000");
    assert_eq!(bound(&["--cap-drop", "ALL", "--cap-add", "NET_RAW"]), "0000000000002000");
    assert_eq!(bound(&["--cap-add", "CAP_SYS_PTRACE", "--cap-drop", "chown"]), "00000000a80c25fa");
    let effective = shell(&store, &["-u", "someone"], "awk '/Cap(Inh|Prm|Eff|Amb)/{print $2}' /proc/self/status | sort -u");
    assert_eq!(effective, "0000000000000000", "someone who is not root has none");
    assert_eq!(shell(&store, &["--security-opt", "no-new-privileges"], "awk '/NoNewPrivs/{print $2}' /proc/self/status"), "1");
    let image = store.image("box:1");
    assert!(store.fails(125, &["run", "--rm", "--cap-add", "FLYING", &image, "true"]).contains("FLYING"));
}

#[test]
fn the_kernels_secrets_are_masked() {
    let Some(store) = Store::new() else { return };
    assert_eq!(shell(&store, &[], "cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c"), "0");
    assert_eq!(shell(&store, &[], "ls /sys/firmware /proc/acpi 2>/dev/null | grep -v : | grep -c . || true"), "0");
    for target in ["/proc/sys/kernel/domainname", "/proc/sysrq-trigger", "/proc/irq/0/smp_affinity", "/sys/kernel/mm/ksm/run"] {
        assert_eq!(shell(&store, &[], &format!("(echo 0 >{target}) 2>/dev/null && echo wrote || echo refused")), "refused", "{target}");
    }
    assert_eq!(
        shell(&store, &[], "ls /dev | sort | tr '\\n' ' '").replace("console ", ""),
        "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ".trim_end()
    );
    assert_eq!(shell(&store, &[], "ls /sys/class/net"), "eth0\nlo");
    assert_eq!(shell(&store, &["--network", "none"], "ls /sys/class/net"), "lo");
    assert!(shell(&store, &[], "ls -d /proc/[0-9]* | wc -l").parse::<u32>().unwrap() <= 3, "only the container's own processes");
}

#[test]
fn init_reaps_and_passes_signals() {
    let Some(store) = Store::new() else { return };
    assert_ne!(shell(&store, &["--init"], "echo $$"), "1");
    assert_eq!(shell(&store, &[], "echo $$"), "1");
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--init", "--name", "polite", &image, "sleep", "1000"]);
    store.ok(&["run", "-d", "--name", "careless", &image, "sleep", "1000"]);
    for (name, end) in [("polite", "gone"), ("careless", "State:\tZ")] {
        // Whoever started it has ended before: it is the first process's to reap.
        let orphan = store.ok(&["exec", name, "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"]);
        let is = |state: &str| store.ok(&["exec", name, "sh", "-c", &format!("cat /proc/{orphan}/status 2>/dev/null || echo gone")]).contains(state);
        until("it is an orphan", || is("PPid:\t1\n"));
        store.ok(&["exec", name, "kill", &orphan]);
        until("it is reaped by an init, and by nobody else", || is(end));
    }
    store.ok(&["stop", "-t", "100", "polite"]);
    assert_eq!(store.field("polite", ".State.ExitCode"), "143");
    let script = "trap 'exit 9' 37; echo ready; while :; do sleep 0.05; done";
    store.ok(&["run", "-d", "--init", "--name", "late", "--stop-signal", "RTMIN+3", &image, "sh", "-c", script]);
    until("it is ready", || store.ok(&["logs", "late"]) == "ready");
    store.ok(&["stop", "-t", "100", "late"]);
    assert_eq!(store.field("late", ".State.ExitCode"), "9", "a real-time signal is passed on, too");
}

#[test]
fn the_number_that_means_no_change_is_no_user() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    for user in ["4294967295", "0:4294967295", "2147483648"] {
        assert!(store.fails(125, &["run", "--rm", "-u", user, &image, "id"]).contains("out of range"), "{user}");
    }
    assert_eq!(shell(&store, &["-u", "2147483647"], "id -u"), "2147483647");
}

#[test]
fn kernel_parameters_are_set_before_they_are_closed() {
    let Some(store) = Store::new() else { return };
    let options = ["--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.msgmax=1000"];
    assert_eq!(shell(&store, &options, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax"), "1\n1000");
    let image = store.image("box:1");
    assert!(store.fails(125, &["run", "--rm", "--sysctl", "kernel.domainname=x", &image, "true"]).contains("kernel.domainname"));
}

#[test]
fn nothing_is_mounted_over_the_containers_own_processes() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let folder = store.path("folder");
    fs::create_dir(&folder).unwrap();
    let refused = |options: &[&str], image: &str| {
        let why = store.fails(125, &[&["run", "--rm"], options, &[image, "true"]].concat());
        assert!(why.contains("inside /proc"), "{options:?}: {why}");
    };
    let bind = |inside: &str| format!("{}:{inside}", folder.display());
    for inside in ["/proc", "/proc/self/fd", "/proc/sys/kernel"] {
        refused(&["-v", &bind(inside)], &image);
    }
    refused(&["--tmpfs", "/proc/bus"], &image);
    store.ok(&["run", "--name", "maker", &image, "ln", "-s", "/proc", "/link"]);
    store.ok(&["commit", "-c", "VOLUME /link", "maker", "trap:1"]);
    refused(&[], "trap:1");
    refused(&["-v", &bind("/link/1/attr")], "trap:1");
    // Numbers of lxcfs.
    fs::write(folder.join("uptime"), "1.00 1.00").unwrap();
    assert_eq!(shell(&store, &["-v", &format!("{}/uptime:/proc/uptime", folder.display())], "cat /proc/uptime"), "1.00 1.00");
}

#[test]
fn a_privileged_container_has_the_machines_devices() {
    let Some(store) = Store::new() else { return };
    let list = "ls -l /dev | awk '/^[bc]/{print $1, $5, $6, $NF}' | grep -v -e console -e ptmx | sort";
    let here = crate::store::tool("sh", &["-c", list]);
    assert_eq!(shell(&store, &["--privileged"], list), here);
    assert_eq!(shell(&store, &["--device", "/dev/zero:/dev/made/nil:r"], "ls /dev/made; head -c 3 /dev/made/nil | wc -c"), "nil\n3");
}

#[test]
fn mounts_spelled_out_make_nothing() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let missing = store.path("missing");
    let spec = format!("type=bind,src={},dst=/x", missing.display());
    assert!(store.fails(125, &["run", "--rm", "--mount", &spec, &image, "true"]).contains("does not exist"));
    assert!(!missing.exists());
    store.ok(&["run", "--rm", "-v", &format!("{}:/x", missing.display()), &image, "true"]);
    assert!(missing.is_dir(), "as docker has it, -v makes what is missing");
}

#[test]
fn streams_are_whole() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    assert_eq!(store.fed(b"x\n", &["run", "--rm", "-i", &image, "cat"]).bytes, b"x\n");
    assert_eq!(store.fed(b"", &["run", "--rm", "-i", &image, "wc", "-c"]).out, "0");
    let much: Vec<u8> = (0..8_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert!(store.fed(&much, &["run", "--rm", "-i", &image, "cat"]).bytes == much, "8 MB through a container are not the same 8 MB");
    let done = store.kapal(&["run", "--rm", &image, "sh", "-c", "seq 1000000; seq 100000 >&2"]);
    assert_eq!((done.bytes.len(), done.out.lines().last()), (6_888_896, Some("1000000")));
    assert_eq!(done.err.lines().count(), 100_000);
    for round in 0..20 {
        assert_eq!(store.ok(&["run", "--rm", &image, "echo", "short"]), "short", "round {round}");
    }
    let unread = store.fed(&much, &["run", "--rm", "-i", &image, "true"]);
    assert_eq!(unread.status, 0, "{}", unread.err);
}

#[test]
fn only_the_streams_that_are_named_are_shown() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let shows = |options: &[&str]| {
        let done = store.fed(b"in", &[&["run", "--rm", "-i"], options, &[&image, "sh", "-c", "cat; echo out; echo err >&2"]].concat());
        assert_eq!(done.status, 0, "{options:?}: {}", done.err);
        (done.out, done.err)
    };
    assert_eq!(shows(&["-a", "stdin", "-a", "STDERR"]), (String::new(), "err".into()));
    assert_eq!(shows(&["-a", "stdin", "-a", "stdout"]), ("inout".into(), String::new()));
    store.fails(125, &["run", "--rm", "-a", "stdlog", &image, "true"]);
    store.fails(125, &["run", "-d", "-a", "stdout", &image, "true"]);
    let file = store.path("id");
    let arguments = ["run", "--cidfile", file.to_str().unwrap(), "--name", "noted", &image, "true"];
    store.ok(&arguments);
    assert_eq!(fs::read_to_string(&file).unwrap(), store.field("noted", ".Id"));
    store.ok(&["rm", "noted"]);
    assert!(store.fails(125, &arguments).contains("--cidfile"));
    assert_eq!(store.ok(&["ps", "-aq"]), "", "nothing was made for a file that is another's");
}
