//! The screens that look into images: whatever is pressed and however small the terminal, they draw and never panic.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use kapal::cli::workstation::Verbs;
use kapal::engine::graph::{ImageGraph, ImageNode, LayerNode};
use kapal::engine::layers::Head;
use kapal::engine::{FileKind, LayerChange, LayerEntry, Snapshot};
use kapal::id::Digest;
use kapal::tui::config::Config;
use kapal::tui::effect::{Effect, Question};
use kapal::tui::model::Model;
use kapal::tui::msg::{Answer, Files, Msg, News};
use kapal::tui::theme::Depth;
use kapal::tui::update::update;
use kapal::tui::view::view;
use kapal::tui::widget::tree::{Leaf, Tree};
use kapal::tui::world::World;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::sync::Arc;

/// 64 layers of one image; from the tenth on another one goes its own way.
fn graph() -> ImageGraph {
    let layer = |at: usize| LayerNode {
        id: Digest::of(&at.to_le_bytes()),
        parent: if at == 64 { Some(9) } else { at.checked_sub(1) },
        children: match at {
            9 => vec![10, 64],
            63 | 64 => Vec::new(),
            _ => vec![at + 1],
        },
        size: 1000,
        total: 1000,
        created_by: "/bin/sh -c #(nop) \x1b[31mADD x".to_owned(),
        comment: String::new(),
        created: None,
        images: if at < 10 { vec![0, 1] } else { vec![usize::from(at == 64)] },
        tops: match at {
            63 => vec![0],
            64 => vec![1],
            _ => Vec::new(),
        },
        containers: Vec::new(),
    };
    let image = |name: &str, layers: Vec<usize>| ImageNode {
        id: Digest::of(name.as_bytes()),
        names: vec![name.to_owned()],
        size: 1000 * layers.len() as u64,
        layers,
        shared: 10_000,
        unique: 1000,
        freed: 1000,
        blobs: 0,
        created: None,
        containers: Vec::new(),
    };
    ImageGraph {
        layers: (0..65).map(layer).collect(),
        images: vec![image("deep:1", (0..64).collect()), image("größe\u{202e}:1", (0..10).chain([64]).collect())],
        containers: Vec::new(),
    }
}

fn files() -> Files {
    let entry = |path: &str, change| LayerEntry {
        path: path.into(),
        change,
        kind: FileKind::File,
        size: 7,
        mode: 0o644,
        uid: 0,
        gid: 0,
        modified: 0,
        target: None,
        hidden: 0,
    };
    let entries = vec![(0, entry("bin/sh", LayerChange::Added)), (0, entry("etc/\x1b[2J", LayerChange::Changed)), (0, entry("gone", LayerChange::Removed))];
    let tree = Tree::new(entries.iter().map(|(_, entry)| Leaf { path: entry.path.clone(), size: entry.size, ..Leaf::default() }).collect());
    Files { layers: vec![Digest::of(b"layer")], entries, tree, truncated: true }
}

/// What the engine would answer.
fn answer(question: &Question) -> Option<Answer> {
    match question {
        Question::Graph => Some(Answer::Graph(Arc::new(graph()))),
        Question::Files { .. } => Some(Answer::Files(Box::new(files()))),
        Question::Content(..) => Some(Answer::Content(Head { bytes: b"#!\x1b[1m\0\n".repeat(100), size: 1 << 40 })),
        _ => None,
    }
}

struct Session {
    model: Model,
    asked: usize,
    /// What would be done outside.
    told: Vec<Effect>,
}

impl Session {
    fn begin() -> Self {
        let mut session = Self { model: Model::new(World::new(Config::default(), Depth::True, Arc::new(Verbs), (80, 24))), asked: 0, told: Vec::new() };
        let snapshot = Snapshot {
            taken: jiff::Timestamp::now(),
            driver: "vfs",
            containers: Vec::new(),
            images: Vec::new(),
            volumes: Vec::new(),
            networks: Vec::new(),
            jobs: Vec::new(),
            damaged: Vec::new(),
        };
        session.tell(Msg::News(News::Snapshot(Arc::new(snapshot))));
        session
    }

    fn tell(&mut self, message: Msg) {
        for effect in update(&mut self.model, message) {
            match effect {
                Effect::Ask(ticket, question) => {
                    let Some(answer) = answer(&question) else { continue };
                    self.asked += 1;
                    self.tell(Msg::News(News::Answer(ticket, answer)));
                }
                other => self.told.push(other),
            }
        }
    }

    fn press(&mut self, key: KeyCode) {
        self.tell(Msg::Key(KeyEvent::from(key)));
    }

    fn drawn(&mut self, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view(&mut self.model, frame)).unwrap();
        let buffer = terminal.backend().buffer();
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>() + "\n").collect()
    }
}

#[test]
fn a_layers_file_is_reached_by_keys() {
    let mut session = Session::begin();
    session.press(KeyCode::Char('2'));
    session.press(KeyCode::Char('l'));
    let shown = session.drawn(80, 24);
    assert!(shown.contains("◆ deep:1") && shown.contains("more") && shown.contains("├─") && !shown.contains('\x1b'), "{shown}");
    session.press(KeyCode::Enter);
    let shown = session.drawn(100, 24);
    assert!(shown.contains("Changed files") && shown.contains("▾ bin/") && shown.contains("only the first are listed"), "{shown}");
    session.press(KeyCode::Down);
    session.press(KeyCode::Enter);
    let shown = session.drawn(100, 24);
    assert!(shown.contains("/bin/sh") && shown.contains("00000000  23 21 1b"), "{shown}");
    session.press(KeyCode::Char('X'));
    let shown = session.drawn(100, 24);
    assert!(shown.contains("#!\\x1b[1m"), "{shown}");
    assert!(session.asked >= 3);
}

#[test]
fn the_graph_is_taken_as_text_and_its_identities_one_by_one() {
    let mut session = Session::begin();
    session.press(KeyCode::Char('2'));
    session.press(KeyCode::Char('l'));
    session.tell(Msg::Key(KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL)));
    let Some(Effect::Save(path, text)) = session.told.pop() else { panic!("nothing was saved") };
    assert_eq!(path.to_str(), Some("layers.txt"));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("LAYER ") && lines[0].ends_with("MADE BY"), "{text}");
    assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["●", Digest::of(&0_usize.to_le_bytes()).short(), "1kB", "×2", "\\x1b[31mADD", "x"]);
    assert!(text.contains("⋮ 7 more") && text.contains("◆ deep:1") && !text.contains(['\x1b', '\u{202e}']), "{text}");
    // The first is selected; then a fold, which stands for all that it hides.
    session.press(KeyCode::Home);
    session.press(KeyCode::Char('y'));
    assert_eq!(session.told.pop(), Some(Effect::Copy(Digest::of(&0_usize.to_le_bytes()).to_string())));
    session.press(KeyCode::Down);
    session.press(KeyCode::Down);
    session.press(KeyCode::Char('y'));
    let Some(Effect::Copy(ids)) = session.told.pop() else { panic!("nothing was copied") };
    let wanted: Vec<String> = (2..9_usize).map(|at| Digest::of(&at.to_le_bytes()).to_string()).collect();
    assert_eq!(ids.lines().collect::<Vec<_>>(), wanted);
    assert!(session.drawn(100, 24).contains("copied the identities of 7 layers"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_keys_and_no_size_break_it(keys in proptest::collection::vec(0usize..26, 0..40), sizes in proptest::collection::vec((1u16..140, 1u16..45), 1..4)) {
        const KEYS: [KeyCode; 26] = [
            KeyCode::Up, KeyCode::Down, KeyCode::Left, KeyCode::Right, KeyCode::Enter, KeyCode::Enter, KeyCode::Esc, KeyCode::Home, KeyCode::End,
            KeyCode::PageUp, KeyCode::PageDown, KeyCode::Char('l'), KeyCode::Char('e'), KeyCode::Char('c'), KeyCode::Char('o'), KeyCode::Char('/'),
            KeyCode::Char('X'), KeyCode::Char('d'), KeyCode::Char('D'), KeyCode::Char('i'), KeyCode::Char(']'), KeyCode::Char('+'), KeyCode::Char(' '),
            KeyCode::Char('g'), KeyCode::Char('G'), KeyCode::Char('z'),
        ];
        let mut session = Session::begin();
        session.press(KeyCode::Char('2'));
        session.press(KeyCode::Char('l'));
        for (turn, &key) in keys.iter().enumerate() {
            session.press(KEYS[key]);
            let (width, height) = sizes[turn % sizes.len()];
            session.drawn(width, height);
        }
    }
}
