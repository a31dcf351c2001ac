//! The presets hold what they promise, own bindings win, and faults are told so that they can be put right.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The places of the program: what a pane gives as its contexts.
const PLACES: &[&[Context]] = &[
    &[Context::Containers, Context::List],
    &[Context::Images, Context::List],
    &[Context::Layers, Context::List],
    &[Context::Files, Context::List],
    &[Context::Networks, Context::List],
    &[Context::Volumes, Context::List],
    &[Context::Jobs, Context::List],
    &[Context::Logs, Context::Text],
    &[Context::Stats, Context::Text],
    &[Context::Text],
    &[Context::Console],
    &[Context::Dialog],
    &[Context::Confirm],
    &[Context::Menu],
    &[Context::CommandLine],
    &[Context::Help],
];

fn chord(text: &str) -> Chord {
    text.parse().unwrap()
}

fn with(preset: &str, own: &str) -> Result<Keymap, SettingError> {
    let table = own.parse().unwrap();
    Keymap::with("config.toml", "keys.preset", preset, &[OwnKeys { file: "config.toml", table: &table }])
}

fn fault(own: &str) -> String {
    with("default", own).unwrap_err().to_string()
}

#[test]
fn every_file_of_keys_is_compiled_in() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/keymaps");
    let files: BTreeSet<String> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, preset::names().map(|name| format!("{name}.toml")).collect());
}

#[test]
fn each_preset_is_read_and_free_of_clashes() {
    for name in preset::names() {
        let keymap = Keymap::named(name).unwrap_or_else(|error| panic!("{error}"));
        let places: BTreeSet<(Context, String)> = keymap.bindings().iter().map(|binding| (binding.context, binding.chord.to_string())).collect();
        assert_eq!(places.len(), keymap.bindings().len(), "{name}");
    }
}

#[test]
fn each_preset_reaches_every_action_somewhere() {
    for name in preset::names() {
        let keymap = Keymap::named(name).unwrap();
        let reached: BTreeSet<Action> = PLACES.iter().flat_map(|place| keymap.help(place)).map(|row| row.action).collect();
        let missing: Vec<&Action> = Action::ALL.iter().filter(|action| !reached.contains(action)).collect();
        assert!(missing.is_empty(), "preset {name}: no key leads to {missing:?}");
    }
}

#[test]
fn every_place_can_be_left_and_every_pane_can_ask_for_help() {
    for name in preset::names() {
        let keymap = Keymap::named(name).unwrap();
        for place in PLACES {
            let leaves = [Action::Back, Action::No].iter().any(|&action| !keymap.chords(place, action).is_empty());
            assert!(leaves, "preset {name}: no way out of {place:?}");
            let is_pane = !place.iter().any(|context| context.is_typed_into());
            assert!(!is_pane || place[0] == Context::Help || !keymap.chords(place, Action::Help).is_empty(), "preset {name}: no help in {place:?}");
        }
    }
}

#[test]
fn no_preset_hides_what_can_be_done_to_a_row() {
    // A key of List that a pane takes for itself would be help for nobody: only moves may be hidden, for they have other keys.
    for name in preset::names() {
        let keymap = Keymap::named(name).unwrap();
        for place in PLACES {
            for binding in keymap.bindings().iter().filter(|binding| place.contains(&binding.context)) {
                let hidden = keymap.chords(place, binding.action).is_empty();
                assert!(!hidden, "preset {name}: {} of {} has no key left in {place:?}", binding.action.name(), binding.context.name());
            }
        }
    }
}

#[test]
fn keys_are_those_that_people_bring_along() {
    let containers = [Context::Containers, Context::List];
    let expect = |preset: &str, keys: &[(&str, Action)]| {
        let keymap = Keymap::named(preset).unwrap();
        for (key, action) in keys {
            assert_eq!(keymap.resolve(&containers, chord(key)), Some(*action), "{preset}: {key}");
        }
    };
    expect(
        "default",
        &[
            ("j", Action::Down),
            ("ctrl-d", Action::HalfPageDown),
            ("G", Action::End),
            ("e", Action::Exec),
            ("l", Action::Logs),
            ("s", Action::Stop),
            ("S", Action::Start),
            ("d", Action::Remove),
            ("P", Action::Pull),
            ("space", Action::Mark),
            ("q", Action::Quit),
            ("esc", Action::Back),
        ],
    );
    expect(
        "lazydocker",
        &[("m", Action::Logs), ("E", Action::Exec), ("e", Action::ToggleStopped), ("d", Action::Remove), ("l", Action::NextPane), ("X", Action::CommandLine)],
    );
    expect(
        "k9s",
        &[
            ("d", Action::Inspect),
            ("s", Action::Exec),
            ("l", Action::Logs),
            ("ctrl-d", Action::Remove),
            ("ctrl-k", Action::Kill),
            ("c", Action::Copy),
            ("q", Action::Back),
        ],
    );
    expect("vim", &[("h", Action::Left), ("l", Action::Right), ("K", Action::Inspect), ("v", Action::Mark), ("o", Action::Open), ("ctrl-f", Action::PageDown)]);
}

#[test]
fn the_nearest_context_wins() {
    let keymap = Keymap::default();
    assert_eq!(keymap.resolve(&[Context::Help], chord("?")), Some(Action::Back));
    assert_eq!(keymap.resolve(&[Context::Text], chord("?")), Some(Action::Help));
    assert_eq!(keymap.resolve(&[Context::Files, Context::List], chord("l")), Some(Action::Right));
    assert_eq!(keymap.resolve(&[Context::Console], chord("q")), None);
    assert_eq!(keymap.resolve(&[Context::CommandLine], chord("q")), None);
    assert_eq!(keymap.resolve(&[Context::CommandLine], chord("f1")), Some(Action::Help));
    assert_eq!(keymap.resolve(&[Context::Menu], chord("1")), None);
}

#[test]
fn own_keys_replace_those_of_the_preset() {
    let keymap = with("default", "[containers]\nstop = ['ctrl-s']\nkill = []\nexec = 'E'").unwrap();
    let place = [Context::Containers, Context::List];
    assert_eq!(keymap.resolve(&place, chord("ctrl-s")), Some(Action::Stop));
    assert_eq!(keymap.resolve(&place, chord("s")), None);
    assert_eq!(keymap.resolve(&place, chord("K")), None);
    assert_eq!(keymap.resolve(&place, chord("E")), Some(Action::Exec));
    assert_eq!(keymap.resolve(&place, chord("a")), Some(Action::Attach));
}

#[test]
fn of_two_files_the_later_wins() {
    let (machine, user) = ("[list]\nsort = ['s']".parse().unwrap(), "[list]\nsort = ['S']".parse().unwrap());
    let own = [OwnKeys { file: "/etc", table: &machine }, OwnKeys { file: "mine", table: &user }];
    let keymap = Keymap::with("mine", "keys.preset", "default", &own).unwrap();
    assert_eq!(keymap.chords(&[Context::Jobs, Context::List], Action::Sort), [chord("S")]);
}

#[test]
fn a_clash_names_the_file_the_key_both_actions_and_the_way_out() {
    assert_eq!(
        fault("[containers]\nexec = ['x', 's']"),
        "config.toml: keys.containers.exec: s is to exec, but it is given to stop (containers.stop) by preset default already; \
         take another key for exec, or give stop other keys there (stop = [] for none)"
    );
    let error = fault("[containers]\nstart = ['ctrl-x']\nlogs = ['ctrl-x']");
    assert!(error.contains("keys.containers.start") && error.contains("keys.containers.logs") && !error.contains(" by "), "{error}");
    let error = fault("[list]\nsort = ['ctrl-i', 'tab']");
    assert!(error.contains("keys.list.sort: names tab twice"), "{error}");
}

#[test]
fn unknown_words_are_faults_with_the_nearest_known_one() {
    for (own, expected) in [
        ("[container]\nstop = ['s']", "keys.container: there is no place for keys \"container\"; did you mean containers?"),
        ("[containers]\nstpo = ['s']", "keys.containers.stpo: there is no such action; did you mean stop?"),
        ("[containers]\nstop = ['contrl-s']", "keys.containers.stop: \"contrl-s\" is no key: write"),
        ("[containers]\nstop = 3", "keys.containers.stop: is a whole number; expected a list of keys"),
        ("[containers]\nstop = [3]", "keys.containers.stop: is a whole number; expected a list of keys"),
        ("containers = 'x'", "keys.containers: is a text; expected a table of actions"),
        ("[command-line]\nback = ['q']", "keys.command-line.back: q types a character in command-line"),
    ] {
        let error = fault(own);
        assert!(error.starts_with("config.toml: ") && error.contains(expected), "{error}");
    }
    let error = with("k8s", "").unwrap_err().to_string();
    assert_eq!(error, "config.toml: keys.preset: there is no preset of keys \"k8s\"; did you mean k9s?");
}

#[test]
fn help_is_grouped_and_says_only_what_holds() {
    let rows = Keymap::default().help(&[Context::Containers, Context::List]);
    let groups: Vec<Context> = rows.iter().map(|row| row.context).collect();
    assert!(groups.is_sorted_by_key(|context| [Context::Containers, Context::List, Context::Global].iter().position(|group| group == context)));
    let stop = rows.iter().find(|row| row.action == Action::Stop).unwrap();
    assert_eq!((stop.chords.as_slice(), stop.description), ([chord("s")].as_slice(), Action::Stop.description()));
    let vim = Keymap::named("vim").unwrap().help(&[Context::Containers, Context::List]);
    let attach = vim.iter().find(|row| row.action == Action::Attach).unwrap();
    assert_eq!(attach.chords, [chord("i"), chord("a")]);
}

#[test]
fn hints_are_few_weighty_and_in_a_steady_order() {
    let keymap = Keymap::default();
    let place = [Context::Containers, Context::List];
    let labels = |room| keymap.hints(&place, room, |_| true).iter().map(|hint| hint.label).collect::<Vec<_>>();
    assert_eq!(labels(6), ["help"]);
    assert_eq!(labels(56), ["attach", "exec", "logs", "stop", "run", "help", "quit"]);
    assert_eq!(labels(0), [""; 0]);
    let stopped = keymap.hints(&place, 1000, |action| action != Action::Stop);
    assert!(stopped.iter().all(|hint| hint.action != Action::Stop && hint.action != Action::Up));
    let actions: BTreeSet<Action> = stopped.iter().map(|hint| hint.action).collect();
    assert_eq!(actions.len(), stopped.len(), "each action once");
}

proptest! {
    /// Help tells the truth: every key in it does in that place what it says.
    #[test]
    fn help_and_resolution_agree(preset in prop::sample::select(preset::names().collect::<Vec<_>>()), place in prop::sample::select(PLACES)) {
        let keymap = Keymap::named(preset).unwrap();
        for row in keymap.help(place) {
            for chord in row.chords {
                prop_assert_eq!(keymap.resolve(place, chord), Some(row.action));
            }
        }
    }
}
