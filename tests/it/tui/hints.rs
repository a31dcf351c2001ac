//! The keys that are told of do something where they are told, and those that do nothing are not told of.

use super::screens::full;
use super::stage::Stage;
use kapal::tui::keymap::Action;
use kapal::tui::screen::Pane;

fn labels(stage: &mut Stage) -> Vec<&'static str> {
    stage.model.hints(1000).iter().map(|hint| hint.label).collect()
}

#[test]
fn the_line_of_keys_tells_what_would_do_something() {
    let mut stage = Stage::on(100, 24, full);
    // What is selected was made and never ran.
    let told = labels(&mut stage);
    assert!(told.contains(&"start") && told.contains(&"remove"), "{told:?}");
    assert!(!told.iter().any(|label| ["stop", "exec", "shell", "pause", "back"].contains(label)), "{told:?}");
    let told = labels(stage.keys("3"));
    // The default network can neither be removed nor left by anybody while nobody is on it.
    let foreign = ["remove", "prune", "disconnect", "publish", "unpublish", "run", "pull", "cancel"];
    assert!(!told.iter().any(|label| foreign.contains(label)) && told.contains(&"create") && told.contains(&"connect"), "{told:?}");
    for pane in ["5", "6"] {
        let told = labels(stage.keys(pane));
        let foreign = ["remove", "mark", "run", "pull", "open", "inspect", "cancel"];
        assert!(!told.iter().any(|label| foreign.contains(label)) && told.contains(&"help"), "{pane}: {told:?}");
    }
    let told = labels(stage.keys("1 enter ] ] ]"));
    assert!(told.contains(&"back") && !told.iter().any(|label| ["remove", "mark", "extract"].contains(label)), "{told:?}");
    assert_eq!(labels(stage.keys("] /")), ["ok", "back"], "a search is typed");
    assert_eq!(labels(stage.keys("esc & x")), ["ok", "back"]);
    assert_eq!(labels(stage.keys("esc esc 4 c")), ["ok", "back", "help"], "nothing completes a name");
    // A short line tells what matters most.
    assert_eq!(stage.keys("esc 1").model.hints(14).iter().map(|hint| hint.label).collect::<Vec<_>>(), ["logs", "help"]);
}

#[test]
fn what_help_lists_is_done() {
    for number in 0..Pane::ALL.len() {
        let mut stage = Stage::on(100, 24, full);
        stage.keys(&(number + 1).to_string());
        let listed: Vec<Action> = stage.model.help().iter().map(|row| row.action).collect();
        assert!(listed.contains(&Action::Help) && !listed.contains(&Action::Pane9), "{listed:?}");
        for &action in Action::ALL {
            let (screen, world) = stage.model.front();
            if screen.takes(action) {
                assert!(screen.act(action, world).is_some(), "pane {}: {action:?} is told of and means nothing", number + 1);
            }
        }
    }
}
