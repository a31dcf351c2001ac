//! A session without a terminal: the model, the works and a real engine, keys in, the screen as text out.

use crate::engine::engine;
use kapal::cli::workstation::Verbs;
use kapal::engine::Engine;
use kapal::tui::config::Config;
use kapal::tui::effect::Effect;
use kapal::tui::model::Model;
use kapal::tui::msg::Msg;
use kapal::tui::theme::Depth;
use kapal::tui::update::update;
use kapal::tui::view::view;
use kapal::tui::work::{WAITING, Works};
use kapal::tui::world::World;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time on every clock of the screens, so that ages read the same today and tomorrow.
pub const NOW: i64 = 1_700_100_000;

/// The session.
pub struct Stage {
    pub model: Model,
    pub engine: Engine,
    /// What the terminal would have been told to do.
    pub told: Vec<Effect>,
    works: Option<Works>,
    messages: mpsc::Receiver<Msg>,
    screen: Terminal<TestBackend>,
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
}

impl Stage {
    /// A session of this size on a store that `prepare` filled, after the first look at it.
    pub fn on(columns: u16, rows: u16, prepare: impl FnOnce(&Engine)) -> Self {
        Self::with(Config::default(), (columns, rows), prepare)
    }

    /// The same, as a user has set it.
    pub fn with(config: Config, size: (u16, u16), prepare: impl FnOnce(&Engine)) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::Builder::new().prefix("kapal-").tempdir_in("/tmp").unwrap();
        let engine = {
            let _inside = runtime.enter();
            engine(folder.path())
        };
        prepare(&engine);
        let mut world = World::new(config, Depth::True, Arc::new(Verbs), size);
        world.now = jiff::Timestamp::from_second(NOW).unwrap();
        let (sender, messages) = mpsc::channel(WAITING);
        let works = {
            let _inside = runtime.enter();
            Works::begin(engine.clone(), Arc::new(Verbs), sender, None, None)
        };
        let screen = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        let mut stage = Self { model: Model::new(world), engine, told: Vec::new(), works: Some(works), messages, screen, runtime, folder };
        stage.until("the first look", |stage| stage.model.world.looked);
        stage
    }

    /// Hands a message to the model, and what comes of it to the works.
    pub fn tell(&mut self, message: Msg) {
        let _inside = self.runtime.enter();
        for effect in update(&mut self.model, message) {
            match effect {
                Effect::Remember(line) => self.model.world.remember(line),
                Effect::Copy(_) | Effect::Redraw | Effect::Suspend | Effect::Quit => self.told.push(effect),
                other => self.works.as_mut().unwrap().perform(other),
            }
        }
    }

    /// Presses keys, written as keymaps write them.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        for word in keys.split_whitespace() {
            self.tell(Msg::Key(key(word)));
        }
        self
    }

    /// Types text.
    pub fn types(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.tell(Msg::Key(KeyEvent::from(KeyCode::Char(c))));
        }
        self
    }

    /// The terminal has another size from now on.
    pub fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        self.screen.backend_mut().resize(columns, rows);
        self.tell(Msg::Resize(columns, rows));
        self
    }

    /// Hears news until a condition holds.
    #[track_caller]
    pub fn until(&mut self, what: &str, holds: impl Fn(&mut Self) -> bool) -> &mut Self {
        let began = Instant::now();
        while !holds(self) {
            let news = self.runtime.block_on(async { tokio::time::timeout(Duration::from_millis(200), self.messages.recv()).await });
            if let Ok(Some(message)) = news {
                self.tell(message);
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain: {what}\n{}", self.text());
        }
        self
    }

    /// Hears news until the screen shows some words.
    #[track_caller]
    pub fn sees(&mut self, words: &str) -> &mut Self {
        self.until(words, |stage| stage.text().contains(words))
    }

    /// What is on the screen, cell by cell.
    pub fn buffer(&mut self) -> &Buffer {
        self.screen.draw(|frame| view(&mut self.model, frame)).unwrap();
        self.screen.backend().buffer()
    }

    /// What is on the screen, a line for each row.
    pub fn text(&mut self) -> String {
        let folder = self.folder.path().to_str().unwrap().to_owned();
        text(self.buffer()).replace(&folder, "/tmp/kapal-000000")
    }

    /// Compares the screen with the file `screens/NAME.txt`; with `KAPAL_SCREENS=write` it writes the file instead.
    #[track_caller]
    pub fn shows(&mut self, name: &str) -> &mut Self {
        let shown = self.text();
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/tui/screens/{name}.txt"));
        if std::env::var_os("KAPAL_SCREENS").is_some_and(|wish| wish == "write") {
            std::fs::write(&path, &shown).unwrap();
        }
        let wanted = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(shown == wanted, "{name} is drawn otherwise; KAPAL_SCREENS=write takes it over\n{}", differences(&wanted, &shown));
        self
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.works = None;
    }
}

/// A buffer as text; the second cell of a wide character is none.
pub fn text(buffer: &Buffer) -> String {
    let mut all = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if skip == 0 {
                line.push_str(symbol);
                skip = kapal::text::width::of(symbol).max(1);
            }
            skip -= 1;
        }
        all.push_str(line.trim_end());
        all.push('\n');
    }
    all
}

fn differences(wanted: &str, shown: &str) -> String {
    let mut told = String::new();
    let (wanted, shown): (Vec<&str>, Vec<&str>) = (wanted.lines().collect(), shown.lines().collect());
    for at in 0..wanted.len().max(shown.len()) {
        let (old, new) = (wanted.get(at).copied().unwrap_or_default(), shown.get(at).copied().unwrap_or_default());
        let lines = if old == new { format!("  {new}\n") } else { format!("- {old}\n+ {new}\n") };
        told.write_str(&lines).unwrap();
    }
    told
}

/// A key by its name in a keymap.
pub fn key(word: &str) -> KeyEvent {
    let mut modifiers = KeyModifiers::NONE;
    let mut name = word;
    for (prefix, modifier) in [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)] {
        if let Some(rest) = name.strip_prefix(prefix)
            && !rest.is_empty()
        {
            (name, modifiers) = (rest, modifiers | modifier);
        }
    }
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "space" => KeyCode::Char(' '),
        "backspace" => KeyCode::Backspace,
        "delete" => KeyCode::Delete,
        "insert" => KeyCode::Insert,
        "menu" => KeyCode::Menu,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        _ => match name.strip_prefix('f').and_then(|number| number.parse().ok()) {
            Some(number) => KeyCode::F(number),
            None => KeyCode::Char(name.chars().next().unwrap()),
        },
    };
    KeyEvent::new(code, modifiers)
}
