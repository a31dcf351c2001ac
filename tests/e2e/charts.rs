//! What a container uses, as a user sees it: a chart of a busy loop, and a limit that moves at once.

use crate::store::Store;
use crate::window::Window;

/// The percentage that follows these words on the screen.
fn percent(text: &str, words: &str) -> Option<f64> {
    let (_, rest) = text.split_once(words)?;
    rest.split_once('%')?.0.trim().parse().ok()
}

#[test]
fn a_busy_loop_is_charted_and_its_limit_is_edited_at_the_row() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    store.ok(&["run", "-d", "--name", "busy", &image, "sh", "-c", "while :; do :; done"]);
    let window = Window::open(&store, 120, 40);
    window.kapal().sees("● running").keys(&["u"]).sees("what happened").sees("● started");
    // How much of a processor it gets on a machine at work is not known; that it takes some is.
    window.until("it is busy", |text| percent(text, "│ cpu ").is_some_and(|cpu| cpu > 1.0));
    assert!(!window.text().contains("╍ limit"), "{}", window.text());
    window.keys(&["="]).sees("Limits of busy").keys(&["Tab"]).types("0.05").sees("kapal update --cpus 0.05 busy").keys(&["Enter"]);
    window.lacks("Limits of busy").sees("╍ limit 5%").sees("throttled");
    window.until("the limit holds", |text| percent(text, "│ cpu ").is_some_and(|cpu| cpu < 20.0));
    // What happened is told, and the row says that it is held back.
    window.sees("◆").until("a mark in the row", |text| text.lines().any(|line| line.contains("● running") && line.contains(" T ")));
    window.keys(&["="]).sees("Limits of busy").types("lots").keys(&["Enter"]).sees("expected bytes").keys(&["Escape"]).lacks("Limits of busy");
    window.keys(&["f"]).sees("frozen").keys(&["Escape"]).lacks("frozen").keys(&["m"]).sees("╰ this machine").keys(&["q"]).is_as_it_was(0);
    store.ok(&["rm", "-f", "busy"]);
}
