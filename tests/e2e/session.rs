//! A session as a user has it, from the first start to the end.

use crate::store::Store;
use crate::window::Window;

#[test]
fn from_an_empty_store_to_a_running_container_and_back() {
    let Some(store) = Store::new() else { return };
    let name = crate::registry::Registry::get().name("box:1");
    let window = Window::open(&store, 110, 32);
    window.kapal().sees("No containers yet.").sees("Pull an image from a registry.");

    window.keys(&["2"]).sees("Images 0").keys(&["P"]).sees("Pull an image").line(&name).sees("Images 1").sees(&name);

    let script = "trap \"exit 7\" TERM; echo ahoy from inside; while :; do sleep 0.1; done";
    window.keys(&["1"]).sees("No containers yet.").keys(&[":"]).line(&format!("run -dit --name talker {name} sh -c '{script}'"));
    window.sees("● running").sees("talker").sees("ahoy from inside").sees("1 running");

    window.resize(60, 16).sees("talker").resize(20, 5).sees("running").resize(8, 3).resize(1, 1).resize(140, 40).sees("ahoy from inside");

    window.keys(&["s"]).sees("✗ exited").sees("0 running").until("its status", |text| text.lines().any(|line| line.contains("exited") && line.contains(" 7 ")));
    window.keys(&["d"]).sees("Remove talker, with what was written in it?").keys(&["n"]).lacks("with what was written").sees("talker");
    window.keys(&["d"]).sees("Remove talker").keys(&["y"]).sees("No containers yet.");
    assert_eq!(store.ok(&["ps", "-aq"]), "");
    window.keys(&["q"]).is_as_it_was(0);
}

#[test]
fn another_terminal_works_on_the_same_container() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let window = Window::open(&store, 100, 30);
    window.kapal().sees("No containers yet.");
    // Made elsewhere, seen here.
    store.ok(&["run", "-dit", "--name", "shared", &image, "sh"]);
    window.sees("shared").sees("● running");
    let other = window.beside("other");
    other.line(&format!("{} attach shared", env!("CARGO_BIN_EXE_kapal")));
    other.keys(&["Enter"]).sees("/ #").line("echo the answer is $((6 * 7))").sees("the answer is 42");
    window.sees("the answer is 42");
    other.keys(&["C-p", "C-q"]).sees("read escape sequence").sees("ready>");
    window.sees("● running");
    store.ok(&["kill", "shared"]);
    window.sees("✗ exited").keys(&["q"]).is_as_it_was(0);
}

#[test]
fn nothing_that_a_container_writes_is_obeyed() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    let script = r"printf '\033]0;owned\007\033[2Jwiped\033[1;1H\033[?1049l\n\033[31mred\033[0m plain\033c\n\302\2332J end\n'";
    store.ok(&["run", "--name", "rude", &image, "sh", "-c", script]);
    let window = Window::open(&store, 100, 24);
    let title = window.knows("#{pane_title}");
    window.kapal().sees("rude").sees("red plain").sees("\\x1b]0;owned\\x07").sees("wiped").sees("end");
    assert_eq!(window.knows("#{alternate_on}"), "1");
    assert_eq!(window.knows("#{pane_title}"), title);
    assert!(window.text().contains("Containers 1"), "{}", window.text());
    // An error quotes what was typed.
    window.keys(&[":"]).line("rm 'no\u{202e}such'").sees("✗").sees("\\u{202e}");
    window.keys(&["Escape"]).lacks("no such container").keys(&["q"]).is_as_it_was(0);
}

#[test]
fn consoles_open_in_panes_and_are_left() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-dit", "--name", "talker", "-e", "PS1=inside> ", &image, "sh"]);
    let window = Window::open(&store, 100, 30);
    window.kapal().sees("● running");
    // A shell beside the container's own process, in a pane of its own size.
    window.keys(&["e"]).sees("╭ exec -it talker").sees("^p ^q detach").sees("f11 full screen").line("echo the size is $(stty size)").sees("the size is 26 98");
    window
        .line("vi /tmp/note")
        .sees("- /tmp/note 1/1")
        .keys(&["i"])
        .sees("I /tmp/note")
        .line("written in a pane")
        // What follows an escape at once would be taken for a part of it: each mode is waited for.
        .sees("[Modified] 2/2")
        .keys(&["Escape"])
        .sees("- /tmp/note [Modified]")
        .line(":wq")
        .sees("the size is");
    assert_eq!(store.ok(&["exec", "talker", "cat", "/tmp/note"]), "written in a pane");
    // Back without leaving it; the container's own console behind a second tab; left by its keys, it runs on.
    window.keys(&["C-]"]).sees("Containers 1").keys(&["a"]).sees("attach talker").line("echo the answer is $((6 * 7))").sees("the answer is 42");
    window.keys(&["C-p", "C-q"]).sees("Containers 1").sees("● running").keys(&["6"]).sees("╭ exec -it talker").lacks("attach talker");
    // A shell that ends says so; quitting hangs up on nothing that is not its own.
    window.line("exit 3").sees("ended with status 3").keys(&["Escape"]).sees("Containers 1").keys(&["q"]).is_as_it_was(0);
    assert_eq!(store.ok(&["ps", "-q"]).lines().count(), 1);
    store.ok(&["rm", "-f", "talker"]);
}

#[test]
fn a_log_goes_on_whenever_its_container_starts() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["create", "--name", "again", &image, "sh", "-c", "echo x >>/runs; echo this is run $(wc -l </runs)"]);
    let window = Window::open(&store, 100, 24);
    window.kapal().sees("again").sees("created").sees("Nothing written yet.");
    for run in 1..=3 {
        store.ok(&["start", "again"]);
        window.sees(&format!("this is run {run}"));
        // One that still runs is not started again.
        store.ok(&["wait", "again"]);
    }
    assert!(window.text().contains("this is run 1"), "{}", window.text());
    window.keys(&["q"]).is_as_it_was(0);
}
