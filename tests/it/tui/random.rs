//! Whatever is pressed, pasted, clicked or heard, at any size: no panic, and nothing on screen that a terminal would obey.

use super::stage::key;
use super::stats::strange_past;
use kapal::cli::workstation::Verbs;
use kapal::container::network::{Forward, Subnet};
use kapal::container::past::Moment;
use kapal::container::{
    Attachment, Config as Inside, Container, Endpoint, HostConfig, Mount, MountKind, Network, NetworkMode, Protocol, Published, State, Status,
};
use kapal::engine::images::Image;
use kapal::engine::network::{Answer as Told, Asker, Berths, Reach, Reached};
use kapal::engine::volumes::Volume;
use kapal::engine::{Change, ChangeKind, Progress, Snapshot};
use kapal::graph::image::Image as Document;
use kapal::graphdb::JobRow;
use kapal::id::{ContainerId, Digest, NetworkId};
use kapal::tui::config::Config;
use kapal::tui::effect::{ConsoleId, Effect, Ticket, WorkId};
use kapal::tui::keymap::Keymap;
use kapal::tui::keymap::preset;
use kapal::tui::line::Said;
use kapal::tui::model::Model;
use kapal::tui::msg::{Answer, Console, Msg, News};
use kapal::tui::screen::Pane;
use kapal::tui::theme::Depth;
use kapal::tui::update::update;
use kapal::tui::view::view;
use kapal::tui::widget::pager::{Kind, Line};
use kapal::tui::world::{Figure, Rate, World};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// The binding of this number in the keymap.
    Bound(usize),
    Key(KeyEvent),
    Paste(String),
    Mouse(MouseEvent),
    Resize(u16, u16),
    Later(i32),
    Snapshot {
        containers: usize,
        others: usize,
        texts: Vec<String>,
        seed: u64,
    },
    Figures(u64),
    Answer {
        newest: bool,
        kind: u8,
        texts: Vec<String>,
    },
    Work {
        number: u64,
        kind: u8,
        text: String,
    },
    Opened(String),
    Notice(Result<String, String>),
}

/// Text that wants to do harm: escape sequences, direction marks, marks without a base, wide and joined characters.
fn hostile() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &[
        "\x1b[31;1m",
        "\x1b]0;title\x07",
        "\x1b]52;c;AAAA\x1b\\",
        "\x1bP1$r\x1b\\",
        "\u{9b}2J",
        "\u{90}q",
        "\r",
        "\n",
        "\t",
        "\x08\x08",
        "\0",
        "\x7f",
        "\u{202e}gpj.exe",
        "\u{2066}",
        "\u{200f}",
        "\u{feff}",
        "\u{2028}",
        "\u{e0041}",
        "\u{ad}",
        "\u{200b}",
        "\u{200d}",
        "\u{301}\u{301}\u{301}",
        "e\u{301}",
        "日本語",
        "👩‍👩‍👧‍👦",
        "🏳️‍🌈",
        "\u{fe0f}",
        "☎\u{fe0f}",
        "한글",
        "ﷺ",
        "שלום",
        "naïve",
        "größe",
        "a",
        "Z",
        " ",
        "  ",
        "-",
        "/",
        "web",
        "'",
        "\"",
        "\\",
        "$(x)",
        "%s",
        ";",
        "&&",
        "0123456789012345678901234567890123456789012345678901234567890123456789",
    ];
    prop_oneof![
        8 => proptest::collection::vec(proptest::sample::select(PARTS), 0..6).prop_map(|parts| parts.concat()),
        2 => any::<String>(),
        1 => "[a-z]{1,12}",
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let codes = prop_oneof![
        any::<char>().prop_map(KeyCode::Char),
        proptest::sample::select(vec![
            KeyCode::Enter,
            KeyCode::Esc,
            KeyCode::Backspace,
            KeyCode::BackTab,
            KeyCode::Null,
            KeyCode::F(1),
            KeyCode::F(40),
            KeyCode::CapsLock
        ]),
    ];
    let pressed = (codes, any::<u8>()).prop_map(|(code, modifiers)| Step::Key(KeyEvent::new(code, KeyModifiers::from_bits_truncate(modifiers))));
    let kinds = vec![
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::Down(MouseButton::Right),
        MouseEventKind::Up(MouseButton::Left),
        MouseEventKind::Drag(MouseButton::Left),
        MouseEventKind::Moved,
        MouseEventKind::ScrollUp,
        MouseEventKind::ScrollDown,
        MouseEventKind::ScrollLeft,
    ];
    let place = prop_oneof![9 => 0u16..130, 1 => any::<u16>()];
    let mouse = (proptest::sample::select(kinds), place.clone(), place)
        .prop_map(|(kind, column, row)| Step::Mouse(MouseEvent { kind, column, row: row % 60, modifiers: KeyModifiers::NONE }));
    let size = prop_oneof![4 => (1u16..24, 1u16..8), 4 => (1u16..140, 1u16..50), 1 => Just((300, 100)), 1 => Just((20, 5)), 1 => Just((1, 1))];
    let texts = || proptest::collection::vec(hostile(), 1..6);
    let count = prop_oneof![1 => Just(0usize), 12 => 0usize..12, 1 => Just(2000usize)];
    prop_oneof![
        24 => any::<usize>().prop_map(Step::Bound),
        3 => pressed,
        2 => hostile().prop_map(Step::Paste),
        4 => mouse,
        5 => size.prop_map(|(columns, rows)| Step::Resize(columns, rows)),
        1 => any::<i32>().prop_map(Step::Later),
        3 => (count, 0usize..8, texts(), any::<u64>()).prop_map(|(containers, others, texts, seed)| Step::Snapshot { containers, others, texts, seed }),
        1 => any::<u64>().prop_map(Step::Figures),
        5 => (any::<bool>(), 0u8..8, texts()).prop_map(|(newest, kind, texts)| Step::Answer { newest, kind, texts }),
        3 => (0u64..4, 0u8..6, hostile()).prop_map(|(number, kind, text)| Step::Work { number, kind, text }),
        1 => hostile().prop_map(Step::Opened),
        1 => (hostile(), any::<bool>()).prop_map(|(text, good)| Step::Notice(if good { Ok(text) } else { Err(text) })),
    ]
}

/// Numbers that are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn text(&mut self, texts: &[String]) -> String {
        texts[self.roll(texts.len() as u64) as usize].clone()
    }

    fn moment(&mut self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(self.roll(4_000_000_000) as i64).unwrap()
    }
}

fn id(number: u64) -> ContainerId {
    format!("{number:064x}").parse().unwrap()
}

fn container(number: usize, dice: &mut Dice, texts: &[String], image: Option<&Image>) -> Container {
    let statuses = [Status::Created, Status::Running, Status::Paused, Status::Restarting, Status::Exited, Status::Removing];
    let kinds = [MountKind::Bind, MountKind::Volume, MountKind::Tmpfs];
    let mounts = (0..dice.roll(3)).map(|_| Mount {
        kind: kinds[dice.roll(3) as usize],
        name: Some(dice.text(texts)),
        source: dice.text(texts),
        destination: dice.text(texts),
        read_only: dice.roll(2) == 0,
        propagation: None,
        options: vec![dice.text(texts)],
        anonymous: false,
    });
    let mounts = mounts.collect();
    let networks = (0..dice.roll(3)).map(|_| Attachment { network: dice.text(texts), aliases: vec![dice.text(texts)], ..Attachment::default() }).collect();
    Container {
        id: id(number as u64),
        name: if number.is_multiple_of(3) { format!("{}{number}", dice.text(texts)) } else { format!("web{number}") },
        created: dice.moment(),
        image: dice.text(texts),
        image_id: image.map(|image| image.id.clone()),
        layers: Vec::new(),
        driver: "overlay".into(),
        config: Inside {
            env: vec![dice.text(texts)],
            cmd: vec![dice.text(texts), dice.text(texts)],
            labels: BTreeMap::from([(dice.text(texts), dice.text(texts))]),
            exposed_ports: [dice.text(texts)].into(),
            ..Inside::default()
        },
        host_config: HostConfig {
            mounts,
            networks,
            network_mode: if dice.roll(2) == 0 { NetworkMode::Host } else { NetworkMode::None },
            ..HostConfig::default()
        },
        state: State {
            status: statuses[dice.roll(6) as usize],
            exit_code: dice.roll(300) as i32 - 20,
            oom_killed: dice.roll(2) == 0,
            error: dice.text(texts),
            started_at: (dice.roll(3) > 0).then(|| dice.moment()),
            finished_at: (dice.roll(3) > 0).then(|| dice.moment()),
            ..State::default()
        },
    }
}

fn image(number: u64, dice: &mut Dice, texts: &[String]) -> Image {
    let diffs: Vec<Digest> = (0..=number % 4).map(|n| Digest::of(&n.to_le_bytes())).collect();
    let history: Vec<_> = diffs.iter().map(|_| serde_json::json!({ "created_by": dice.text(texts), "comment": dice.text(texts) })).collect();
    let raw = serde_json::json!({ "os": "linux", "architecture": "amd64", "config": { "Labels": { dice.text(texts): dice.text(texts) } },
        "rootfs": { "type": "layers", "diff_ids": diffs }, "history": history, "author": dice.text(texts) });
    let document = Document::parse(raw.to_string().into_bytes()).unwrap();
    Image {
        id: Digest::of(&number.to_be_bytes()),
        tags: (0..dice.roll(3)).map(|_| dice.text(texts)).collect(),
        digests: vec![dice.text(texts)],
        layers: document.layer_ids(),
        size: dice.roll(1 << 30) << dice.roll(30),
        created: (dice.roll(2) == 0).then(|| dice.moment()),
        config: Inside { cmd: vec![dice.text(texts)], ..Inside::default() },
        document: Arc::new(document),
        manifest: Digest::of(b"manifest"),
        media_type: dice.text(texts),
    }
}

/// A network that some of the containers are on, with ports.
fn network(number: u64, containers: &[Container], dice: &mut Dice, texts: &[String]) -> Berths {
    let block = |text: &str| Subnet { block: text.parse().unwrap(), gateway: text.split('/').next().unwrap().parse().unwrap(), range: None, chosen: false };
    let blocks = [vec![block("10.9.0.0/16")], vec![block("10.9.0.0/16"), block("fd00:1234:5678:9abc::/64")], Vec::new()];
    let id: NetworkId = format!("{number:064x}").parse().unwrap();
    let network = Network {
        id: id.clone(),
        name: dice.text(texts),
        created: dice.moment(),
        driver: dice.text(texts),
        link: dice.text(texts),
        subnets: blocks[dice.roll(3) as usize].clone(),
        internal: dice.roll(2) == 0,
        icc: dice.roll(2) == 0,
        masquerade: dice.roll(2) == 0,
        mtu: None,
        labels: BTreeMap::new(),
        options: BTreeMap::from([(dice.text(texts), dice.text(texts))]),
    };
    let chosen: Vec<&Container> = containers.iter().take(40).filter(|_| dice.roll(2) == 0).collect();
    let addresses: [Vec<(IpAddr, u8)>; 3] = [
        Vec::new(),
        vec![("10.9.0.2".parse().unwrap(), 16)],
        vec![("10.9.0.2".parse().unwrap(), 16), ("fd00:1234:5678:9abc:ffff:ffff:ffff:ffff".parse().unwrap(), 64)],
    ];
    let member = |container: &&Container| {
        let place = Endpoint {
            container: container.id.clone(),
            network: id.clone(),
            link: dice.text(texts),
            inside: dice.text(texts),
            mac: "02:42:ac:11:00:02".parse().unwrap(),
            addresses: addresses[dice.roll(3) as usize].clone(),
            aliases: vec![dice.text(texts)],
        };
        (container.name.clone(), place)
    };
    let members = chosen.iter().map(member).collect();
    let places = ["0.0.0.0", "127.0.0.1", "::", "fd00:1234:5678:9abc:ffff:ffff:ffff:ffff"];
    let forward = |container: &Container| {
        let port = Published {
            protocol: [Protocol::Tcp, Protocol::Udp, Protocol::Sctp][dice.roll(3) as usize],
            address: places[dice.roll(4) as usize].parse().unwrap(),
            port: 1 + dice.roll(65_535) as u16,
            inside: 1 + dice.roll(65_535) as u16,
        };
        Forward { container: container.id.clone(), name: container.name.clone(), network: id.clone(), port, target: "10.9.0.2".parse().unwrap() }
    };
    let forwards = containers.iter().take(30).map(forward).collect();
    Berths { network, members, forwards }
}

fn snapshot(containers: usize, others: usize, texts: &[String], seed: u64) -> Snapshot {
    let mut dice = Dice(seed);
    let images: Vec<Image> = (0..others as u64).map(|number| image(number, &mut dice, texts)).collect();
    let containers: Vec<Container> = (0..containers).map(|number| container(number, &mut dice, texts, images.get(number % (others + 1)))).collect();
    let volume = |number| Volume {
        name: format!("{}{number}", dice.text(texts)),
        driver: "local",
        mountpoint: dice.text(texts),
        created_at: dice.moment(),
        labels: BTreeMap::new(),
        scope: "local",
        anonymous: dice.roll(2) == 0,
        users: dice.roll(9),
    };
    let volumes = (0..others).map(volume).collect();
    let states = ["running", "done", "failed", "cancelled", "lost"];
    let job = |number| JobRow {
        id: number,
        verb: dice.text(texts),
        title: dice.text(texts),
        state: states[dice.roll(5) as usize].into(),
        started: dice.roll(4_000_000_000_000) as i64,
        finished: (dice.roll(2) == 0).then(|| dice.roll(4_000_000_000_000) as i64),
        error: dice.text(texts),
        progress: dice.text(texts),
        pid: 1,
        pid_start: 1,
    };
    let jobs = (0..others as i64).map(job).collect();
    let networks = (0..others as u64).map(|number| network(number, &containers, &mut dice, texts)).collect();
    Snapshot { taken: jiff::Timestamp::now(), driver: "overlay", containers, images, volumes, networks, jobs, damaged: texts.to_vec() }
}

/// The model on a screen in memory.
struct Play {
    model: Model,
    screen: Terminal<TestBackend>,
    chords: Vec<KeyEvent>,
    asked: Vec<Ticket>,
}

impl Play {
    fn new(preset: &str) -> Self {
        let mut config = Config { keymap: Keymap::named(preset).unwrap(), ..Config::default() };
        config.log_lines = config.log_lines.min(3000);
        let mut chords: Vec<KeyEvent> = config.keymap.bindings().iter().map(|binding| key(&binding.chord.to_string())).collect();
        // A question is left open by most keys: those that go on are pressed more often.
        chords.extend(["enter", "esc", "y", "down", "right", "tab"].iter().cycle().take(30).map(|word| key(word)));
        let world = World::new(config, Depth::True, Arc::new(Verbs), (80, 24));
        Self { model: Model::new(world), screen: Terminal::new(TestBackend::new(80, 24)).unwrap(), chords, asked: Vec::new() }
    }

    fn message(&mut self, step: Step) -> Option<Msg> {
        Some(match step {
            Step::Bound(number) => Msg::Key(self.chords[number % self.chords.len()]),
            Step::Key(event) => Msg::Key(event),
            Step::Paste(text) => Msg::Paste(text),
            Step::Mouse(event) => Msg::Mouse(event),
            Step::Resize(columns, rows) => {
                self.screen.backend_mut().resize(columns, rows);
                Msg::Resize(columns, rows)
            }
            Step::Later(seconds) => Msg::Tick(jiff::Timestamp::from_second(1_700_000_000 + i64::from(seconds)).unwrap()),
            Step::Snapshot { containers, others, texts, seed } => Msg::News(News::Snapshot(Arc::new(snapshot(containers, others, &texts, seed)))),
            Step::Figures(seed) if seed % 4 == 0 => {
                let moment = Moment { at: (seed % 4_000_000_000) as i64, cpu: Some(f32::from_bits(seed as u32)), ..Moment::default() };
                Msg::News(News::Machine(moment))
            }
            Step::Figures(seed) => {
                let mut dice = Dice(seed);
                let ids = self.model.world.snapshot.containers.iter().map(|container| container.id.clone());
                let figure = |container| Figure {
                    container,
                    at: dice.roll(4_000_000_000) as i64,
                    cpu_limit: [None, Some(0.0), Some(50.0), Some(f64::NAN)][dice.roll(4) as usize],
                    throttled: [None, Some(0.5)][dice.roll(2) as usize],
                    memory_pressure: [None, Some(f64::INFINITY)][dice.roll(2) as usize],
                    cpu: [None, Some(0.0), Some(1234.5), Some(f64::NAN), Some(f64::INFINITY)][dice.roll(5) as usize],
                    memory: Some(dice.roll(u64::MAX)),
                    memory_limit: None,
                    pids: Some(dice.roll(1 << 40)),
                };
                Msg::News(News::Figures(ids.map(figure).collect()))
            }
            Step::Answer { newest, kind, texts } => {
                let forwards: Vec<Forward> = self.model.world.snapshot.networks.iter().flat_map(|berths| berths.forwards.clone()).collect();
                let ticket = if newest { self.asked.last() } else { self.asked.first() };
                Msg::News(News::Answer(*ticket?, answer(kind, &texts, &forwards)))
            }
            Step::Work { number, kind, text } => Msg::News(work(WorkId(number), kind, text)),
            Step::Opened(_) if !Pane::ALL.contains(&Pane::Consoles) => return None,
            Step::Opened(title) => Msg::News(News::Opened(ConsoleId(1), Console { title, tty: true, stdin: true, detach_keys: None })),
            Step::Notice(said) => Msg::News(News::Notice(said)),
        })
    }

    fn go(&mut self, step: Step) -> Result<(), TestCaseError> {
        let told = format!("{step:?}");
        let Some(message) = self.message(step) else { return Ok(()) };
        for effect in update(&mut self.model, message) {
            match effect {
                Effect::Ask(ticket, _) => self.asked.push(ticket),
                Effect::Forget(ticket) => self.asked.retain(|asked| *asked != ticket),
                Effect::Remember(line) => self.model.world.remember(line),
                _ => {}
            }
        }
        let drawn = self.screen.draw(|frame| view(&mut self.model, frame)).unwrap();
        for (index, cell) in drawn.buffer.content.iter().enumerate() {
            let symbol = cell.symbol();
            let is_harmless = matches!(kapal::text::clean(symbol), Cow::Borrowed(_));
            let (x, y) = drawn.buffer.pos_of(index);
            prop_assert!(is_harmless, "{symbol:?} at {x},{y} after {}", told.chars().take(500).collect::<String>());
        }
        Ok(())
    }
}

fn answer(kind: u8, texts: &[String], asked: &[Forward]) -> Answer {
    // As `work` gives them: lines are made harmless where they are made, tables and paths where they are shown.
    let lines = || texts.iter().cycle().take(300).map(|text| Line { time: "2024-05-06 07:08:09".into(), ..Line::new(text, Kind::Error) }).collect();
    match kind {
        0 => Answer::More(lines()),
        1 => Answer::Whole(lines()),
        2 => Answer::Table(vec!["ONE".into(), "TWO".into()], texts.iter().map(|text| vec![text.clone(), text.clone(), text.clone()]).collect()),
        3 => Answer::Changes(texts.iter().map(|text| Change { path: text.into(), kind: ChangeKind::Added }).collect()),
        6 => Answer::Past(Box::new(strange_past(texts))),
        4 => Answer::Rates(texts.iter().map(|text| (text.clone(), Rate { received: f64::MAX, sent: -1.0 })).collect()),
        5 => {
            let reach = [Reach::Yes, Reach::Perhaps, Reach::No];
            let told = |(at, text): (usize, &String)| Told {
                asker: Asker::Network(text.clone()),
                place: (at > 0).then(|| "[::1]:80".parse().unwrap()),
                reach: reach[at % 3],
                steps: vec![text.clone(); at],
            };
            let answers: Vec<Told> = texts.iter().enumerate().map(told).collect();
            Answer::Explained(asked.iter().map(|forward| Reached { forward: forward.clone(), network: texts[0].clone(), answers: answers.clone() }).collect())
        }
        _ => Answer::Failed(texts[0].clone()),
    }
}

fn work(id: WorkId, kind: u8, text: String) -> News {
    match kind {
        0 => News::Began(id, vec![vec!["pull".into(), text]]),
        1 => News::Said(id, Said::Text(text)),
        2 => News::Said(id, Said::Note(text)),
        3 => {
            let total = (!text.is_empty()).then_some(text.len() as u64 % 3);
            News::Said(id, Said::Progress(Progress { id: text.clone(), status: text, current: Some(7), total }))
        }
        4 => News::Ended(id, Err(text)),
        _ => News::Ended(id, Ok(text.len() as i32 % 2)),
    }
}

/// A few seconds of it, unless `PROPTEST_CASES` asks for more.
fn patience() -> ProptestConfig {
    let usual = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { usual } else { ProptestConfig { cases: 60, ..usual } }
}

proptest! {
    #![proptest_config(patience())]
    #[test]
    fn no_keys_and_no_news_break_the_screens_or_reach_the_terminal(
        preset in proptest::sample::select(preset::names().collect::<Vec<_>>()),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut play = Play::new(preset);
        for step in steps {
            play.go(step)?;
        }
    }
}
