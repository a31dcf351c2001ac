//! The terminal is given back however the program ends or is stopped.

use crate::store::Store;
use crate::window::Window;
use kapal::tui::terminal::{Taken, faults};
use nix::sys::signal::{Signal, kill};

/// Set where this file is to do what it tests.
const PANIC: &str = "KAPAL_E2E_PANIC";

#[test]
fn signals_end_it_with_the_terminal_as_it_was() {
    let Some(store) = Store::new() else { return };
    let window = Window::open(&store, 90, 24);
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGINT] {
        window.kapal().sees("No containers yet.");
        kill(window.process(), signal).unwrap();
        window.is_as_it_was(128 + signal as i32);
    }
}

#[test]
fn it_is_put_aside_and_brought_back() {
    let Some(store) = Store::new() else { return };
    let window = Window::open(&store, 90, 24);
    window.kapal().sees("No containers yet.");
    for _ in 0..3 {
        window.keys(&["C-z"]).sees("Stopped");
        window.is_given_back();
        window.line("echo here $((40 + 2))").sees("here 42").line("clear");
        window.line("fg").sees("No containers yet.");
        assert_eq!(window.knows("#{alternate_on}"), "1");
        // It takes keys again.
        window.keys(&["4"]).sees("No volumes.").keys(&["1"]).sees("No containers yet.");
    }
    window.keys(&["q"]).until("the shell is back", |text| text.trim_end().ends_with("ready>"));
    window.is_given_back();
}

#[test]
fn it_is_put_aside_from_outside_as_well() {
    let Some(store) = Store::new() else { return };
    let window = Window::open(&store, 90, 24);
    window.kapal().sees("No containers yet.");
    for _ in 0..2 {
        kill(window.process(), Signal::SIGTSTP).unwrap();
        window.sees("Stopped");
        window.is_given_back();
        window.line("clear").line("fg").sees("No containers yet.");
        assert_eq!(window.knows("#{alternate_on}"), "1");
        window.keys(&["4"]).sees("No volumes.").keys(&["1"]).sees("No containers yet.");
    }
    // Stopped and continued without a word of the shell's: the screen is there again.
    kill(window.process(), Signal::SIGTSTP).unwrap();
    window.sees("Stopped").line("clear; kill -CONT %1; fg").sees("No containers yet.").keys(&["q"]);
    window.until("the shell is back", |text| text.trim_end().ends_with("ready>"));
    window.is_given_back();
}

#[test]
fn where_nobody_could_continue_it_it_goes_on() {
    let Some(store) = Store::new() else { return };
    let window = Window::open(&store, 90, 24);
    // In place of the shell: the terminal's first process, whose stop the kernel refuses.
    window.line(&format!("exec {}", env!("CARGO_BIN_EXE_kapal"))).sees("No containers yet.");
    window.keys(&["C-z", "4"]).sees("No volumes.").keys(&["1"]).sees("No containers yet.");
}

#[test]
fn a_panic_gives_it_back_first() {
    let Some(store) = Store::new() else { return };
    let window = Window::open(&store, 100, 24);
    let own = std::env::current_exe().unwrap();
    window.begins(&format!("{PANIC}=1 {} --exact restore::what_panics --nocapture", own.display()));
    window.sees("another thread's panic is kept: 1").sees("a fault in kapal itself").sees("no \\x1b]0;title\\x07 obeyed").is_as_it_was(101);
}

/// What [`a_panic_gives_it_back_first`] starts on a terminal.
#[test]
fn what_panics() {
    if std::env::var_os(PANIC).is_none() {
        return;
    }
    let _taken = Taken::take(true).unwrap();
    assert!(std::thread::spawn(|| panic!("elsewhere")).join().is_err());
    let kept = faults();
    print!("\x1b]2;ours\x07");
    panic!("another thread's panic is kept: {}; no \x1b]0;title\x07 obeyed", kept.len());
}

#[test]
fn figures_are_redrawn_in_place_and_leave_the_terminal_as_it_was() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "first", &image, "sleep", "1000"]);
    let window = Window::open(&store, 120, 10);
    let stats = format!("{} stats", env!("CARGO_BIN_EXE_kapal"));
    window.begins(&stats).sees("MEM USAGE / LIMIT").sees("first").sees("0.00%");
    assert_eq!(window.knows("#{alternate_on} #{cursor_flag}"), "1 0");
    // Those that come and go while one looks, each in a line.
    store.ok(&["run", "-d", "--name", "second", &image, "sleep", "1000"]);
    window.sees("second");
    let count = |text: &str, words: &str| text.matches(words).count();
    window.until("one table", |text| count(text, "CONTAINER ID") == 1 && count(text, "first") == 1 && count(text, "second") == 1);
    store.ok(&["rm", "-f", "first"]);
    window.lacks("first").resize(40, 10).until("narrow", |text| text.contains("CPU %") && !text.contains("LIMIT"));
    window.resize(120, 1).sees("and 2 more").resize(120, 10).sees("second").sees("LIMIT");
    window.keys(&["C-z"]).sees("Stopped");
    window.is_given_back();
    window.line("clear; fg").sees("second");
    assert_eq!(window.knows("#{alternate_on}"), "1");
    window.keys(&["C-c"]).until("the shell is back", |text| text.trim_end().ends_with("ready>"));
    window.is_given_back();
    // What was shown last stays to be read.
    window.sees("second").line("clear").begins(&stats).sees("0.00%").keys(&["C-c"]).is_as_it_was(130);
}
