//! Keys to what comes of them, with the command line's own verbs: forms, the menu, the line, jobs, and a record that replays.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use kapal::cli::batch::{Script, Variables, quote};
use kapal::cli::workstation::Verbs;
use kapal::engine::Progress;
use kapal::id::JobId;
use kapal::tui::config::Config;
use kapal::tui::effect::{Effect, WorkId};
use kapal::tui::line::Said;
use kapal::tui::model::Model;
use kapal::tui::msg::{Msg, News};
use kapal::tui::theme::Depth;
use kapal::tui::update::update;
use kapal::tui::view::view;
use kapal::tui::world::World;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::sync::Arc;

fn model() -> Model {
    Model::new(World::new(Config::default(), Depth::True, Arc::new(Verbs), (80, 24)))
}

fn press(model: &mut Model, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
    update(model, Msg::Key(KeyEvent::new(code, modifiers)))
}

fn key(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    press(model, code, KeyModifiers::NONE)
}

/// Types a text; what comes of its last key.
fn typed(model: &mut Model, text: &str) -> Vec<Effect> {
    text.chars().map(|c| key(model, KeyCode::Char(c))).last().unwrap_or_default()
}

fn drawn(model: &mut Model, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| view(model, frame)).unwrap();
    terminal.backend().to_string()
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn a_form_becomes_the_command_that_it_shows() {
    let mut model = model();
    typed(&mut model, "Rhost");
    key(&mut model, KeyCode::Tab);
    typed(&mut model, "sh -c 'echo $HOME; ls'");
    let shown = drawn(&mut model, 80, 24);
    assert!(shown.contains("kapal run -it host sh -c 'echo $HOME; ls'"), "{shown}");
    let effects = press(&mut model, KeyCode::Enter, KeyModifiers::ALT);
    let run = ["run", "-it", "host", "sh", "-c", "echo $HOME; ls"].map(str::to_owned).to_vec();
    assert_eq!(effects, [Effect::Remember("run -it host sh -c 'echo $HOME; ls'".to_owned()), Effect::Perform(run)]);
    assert!(model.layers.is_empty());
}

#[test]
fn lines_of_a_field_are_options_each() {
    let mut model = model();
    typed(&mut model, "Rhost");
    (0..9).for_each(|_| drop(key(&mut model, KeyCode::Tab)));
    typed(&mut model, "A=1");
    key(&mut model, KeyCode::Enter);
    typed(&mut model, "B=two words");
    let effects = press(&mut model, KeyCode::Enter, KeyModifiers::ALT);
    assert_eq!(effects[0], Effect::Remember("run -it -e A=1 -e 'B=two words' host".to_owned()));
}

#[test]
fn what_is_wrong_is_said_beside_its_field_and_nothing_is_done() {
    let mut model = model();
    typed(&mut model, "R");
    assert!(key(&mut model, KeyCode::Enter).is_empty());
    assert!(drawn(&mut model, 80, 24).contains("Image is needed"));
    typed(&mut model, "host");
    (0..11).for_each(|_| drop(key(&mut model, KeyCode::Tab)));
    typed(&mut model, "lots");
    let shown = drawn(&mut model, 80, 24);
    assert!(shown.contains("Memory: invalid value \"lots\""), "{shown}");
    assert!(key(&mut model, KeyCode::Enter).is_empty());
    assert_eq!(model.layers.len(), 1);
}

#[test]
fn earlier_runs_come_back_into_the_fields() {
    let mut model = model();
    let line = "run -it --rm -e A=1 -e 'B=x y' -m 64m busybox sh -c 'a; b'";
    model.world.history = [line, "run --cap-add ALL host", "ps"].map(str::to_owned).to_vec();
    typed(&mut model, "Rhost");
    press(&mut model, KeyCode::Char('p'), KeyModifiers::ALT);
    // The one in between has an option that the form has no field for.
    let effects = press(&mut model, KeyCode::Enter, KeyModifiers::ALT);
    assert_eq!(effects[0], Effect::Remember(line.to_owned()));
    typed(&mut model, "Rhost");
    press(&mut model, KeyCode::Char('p'), KeyModifiers::ALT);
    press(&mut model, KeyCode::Char('n'), KeyModifiers::ALT);
    let effects = press(&mut model, KeyCode::Enter, KeyModifiers::ALT);
    assert_eq!(effects[1], Effect::Perform(words("run -it host")));
}

#[test]
fn the_line_knows_words_of_its_own() {
    let mut model = model();
    typed(&mut model, ":theme nor");
    key(&mut model, KeyCode::Tab);
    key(&mut model, KeyCode::Enter);
    assert_eq!(model.world.theme.name(), "nord");
    typed(&mut model, ":theme nosuch");
    key(&mut model, KeyCode::Enter);
    assert!(drawn(&mut model, 120, 24).contains("there is no theme \"nosuch\""));
    key(&mut model, KeyCode::Esc);
    typed(&mut model, ":help");
    key(&mut model, KeyCode::Enter);
    assert_eq!(model.layers.len(), 1);
    key(&mut model, KeyCode::Esc);
    typed(&mut model, ":q");
    assert_eq!(key(&mut model, KeyCode::Enter), [Effect::Quit]);
}

#[test]
fn passwords_are_not_remembered() {
    let mut model = model();
    typed(&mut model, ":login -u me -p secret example.com");
    assert_eq!(key(&mut model, KeyCode::Enter), [Effect::Perform(words("login -u me -p secret example.com"))]);
}

#[test]
fn a_job_is_shown_called_off_and_repeated() {
    let mut model = model();
    let news = |model: &mut Model, news| update(model, Msg::News(news));
    news(&mut model, News::Began(WorkId(3), vec![words("pull busybox")]));
    news(&mut model, News::Said(WorkId(3), Said::Job(JobId(9))));
    let progress = Progress { id: "a1b2c3".to_owned(), status: "Downloading".to_owned(), current: Some(500), total: Some(1000) };
    news(&mut model, News::Said(WorkId(3), Said::Progress(progress)));
    typed(&mut model, "5");
    let shown = drawn(&mut model, 80, 24);
    assert!(shown.contains("◌ running") && shown.contains("a1b2c3") && shown.contains("500B / 1kB"), "{shown}");
    assert_eq!(typed(&mut model, "c"), [Effect::Cancel(WorkId(3))]);
    news(&mut model, News::Ended(WorkId(3), Err("it \x1b[31mfailed (try again)".to_owned())));
    let shown = drawn(&mut model, 80, 24);
    assert!(shown.contains("✗ failed") && shown.contains("(try again)") && !shown.contains('\x1b'), "{shown}");
    assert_eq!(typed(&mut model, "r"), [Effect::Perform(words("pull busybox"))]);
    assert!(typed(&mut model, "c").is_empty());
}

#[test]
fn what_a_question_found_is_shown_and_what_a_job_printed_is_not() {
    let mut model = model();
    let news = |model: &mut Model, news| update(model, Msg::News(news));
    news(&mut model, News::Began(WorkId(3), vec![words("ps -a")]));
    news(&mut model, News::Said(WorkId(3), Said::Text("CONTAINER ID\nabc\n".to_owned())));
    news(&mut model, News::Ended(WorkId(3), Ok(0)));
    let shown = drawn(&mut model, 80, 24);
    assert!(shown.contains("ps -a") && shown.contains("CONTAINER ID") && shown.contains("abc"), "{shown}");
    assert!(key(&mut model, KeyCode::Esc).is_empty());
    news(&mut model, News::Began(WorkId(5), vec![words("stop web")]));
    news(&mut model, News::Said(WorkId(5), Said::Job(JobId(1))));
    news(&mut model, News::Said(WorkId(5), Said::Text("web\n".to_owned())));
    assert!(model.layers.is_empty());
    news(&mut model, News::Began(WorkId(7), vec![words("events")]));
    assert_eq!(key(&mut model, KeyCode::Esc), [Effect::Cancel(WorkId(7))]);
}

#[test]
fn the_menu_has_what_can_be_done_and_no_more() {
    let mut model = model();
    typed(&mut model, "4x");
    let shown = drawn(&mut model, 80, 24);
    assert!(shown.contains("What can be done") && shown.contains("kapal volume prune -a -f") && !shown.contains("remove"), "{shown}");
    typed(&mut model, "X");
    assert!(drawn(&mut model, 80, 24).contains("Remove every volume"));
    assert_eq!(typed(&mut model, "y"), [Effect::Perform(words("volume prune -a -f"))]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What a session records is a script that says the same again, whatever the words hold.
    #[test]
    fn a_record_replays(words in prop::collection::vec("[ -~\n\t$'\"\\\\;#é]{0,12}", 1..6)) {
        // The verb itself is a plain word.
        let words: Vec<String> = std::iter::once("run".to_owned()).chain(words).collect();
        let record = format!("{}\n{}\n", quote(&words), quote(&["ps"]));
        let script = Script::parse(&record).unwrap();
        let variables = Variables::default();
        prop_assert_eq!(script.statements.len(), 2);
        prop_assert_eq!(script.statements[0].expand(&variables).unwrap(), words);
    }

    /// No keys at no size break a dialog.
    #[test]
    fn dialogs_bear_any_keys_at_any_size(open in prop::sample::select(vec!["R", "P", "2t", ":", "5x", "4c"]), keys in prop::collection::vec(0usize..16, 0..30), columns in 1u16..90, rows in 1u16..30) {
        let codes = [KeyCode::Tab, KeyCode::BackTab, KeyCode::Up, KeyCode::Down, KeyCode::Enter, KeyCode::Backspace, KeyCode::Char('h'), KeyCode::Char(' '),
            KeyCode::Char('\''), KeyCode::Char('語'), KeyCode::Left, KeyCode::Right, KeyCode::Home, KeyCode::Delete, KeyCode::Char('-'), KeyCode::Esc];
        let mut model = model();
        typed(&mut model, open);
        drawn(&mut model, columns, rows);
        for at in keys {
            key(&mut model, codes[at]);
            drawn(&mut model, columns, rows);
        }
    }
}
