//! What comes of what happened: the model changed, and a list of what is to be done outside. Touches nothing else.

use crate::text;
use crate::tui::effect::Effect;
use crate::tui::keymap::Action;
use crate::tui::model::{Model, Notice};
use crate::tui::msg::{Msg, News};
use crate::tui::screen::output::Output;
use crate::tui::screen::{Pane, Reaction, Setting, command, confirm, forms, help, menu};
use crate::tui::session::{CANCELLED, Work};
use crate::tui::world::World;
use crossterm::event::{KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

/// How long good news stays, in seconds.
const GOOD_NEWS: i64 = 6;

/// Changes the model.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
        Msg::Key(key) => pressed(model, key),
        Msg::Paste(words) => {
            let (screen, world) = model.front();
            let reaction = screen.pasted(&words, world).unwrap_or_default();
            react(model, reaction)
        }
        Msg::Mouse(event) => mouse(model, event),
        Msg::Resize(columns, rows) => {
            model.world.size = (columns, rows);
            vec![Effect::Redraw]
        }
        Msg::Tick(now) => {
            model.world.tick(now);
            if model.notice.as_ref().is_some_and(|notice| !notice.is_error && now.duration_since(notice.at).as_secs() >= GOOD_NEWS) {
                model.notice = None;
            }
            let mut reaction = Reaction::none();
            for screen in model.panes.iter_mut().chain(&mut model.layers) {
                reaction = reaction.and(screen.tick(&model.world));
            }
            react(model, reaction)
        }
        Msg::News(news) => hear(model, news),
    }
}

fn pressed(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    let (screen, world) = model.front();
    if let Some(reaction) = screen.typed(key, world) {
        return react(model, reaction);
    }
    let contexts = screen.contexts();
    let Some(action) = world.config.keymap.action(&contexts, key) else { return Vec::new() };
    act(model, action)
}

/// Does what a key stands for, in front or everywhere.
fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    let (screen, world) = model.front();
    if screen.takes(action)
        && let Some(reaction) = screen.act(action, world)
    {
        return react(model, reaction);
    }
    everywhere(model, action)
}

/// What the screens want once they know their room.
pub fn drawn(model: &mut Model) -> Vec<Effect> {
    let front = model.panes[model.pane as usize].drawn();
    let mut effects = react(model, front);
    for at in 0..model.layers.len() {
        let reaction = model.layers[at].drawn();
        effects.extend(react(model, reaction));
    }
    effects
}

/// What an action means where the screen in front has no use for it.
fn everywhere(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Some(pane) = action.pane().and_then(|number| Pane::ALL.get(number).copied()) {
        return go(model, pane);
    }
    let step = |by: usize| Pane::ALL[(model.pane as usize + by) % Pane::ALL.len()];
    let reaction = match action {
        Action::NextPane => Reaction { go: Some(step(1)), ..Reaction::default() },
        Action::PreviousPane => Reaction { go: Some(step(Pane::ALL.len() - 1)), ..Reaction::default() },
        Action::FullScreen => {
            model.full = !model.full;
            Reaction::none()
        }
        Action::Back if model.notice.is_some() => {
            model.notice = None;
            Reaction::none()
        }
        Action::Back if model.full => {
            model.full = false;
            Reaction::none()
        }
        Action::Back if !model.layers.is_empty() => Reaction::close(),
        Action::Help => Reaction::open(help::Help::new(&model.help(), model.top())),
        Action::CommandLine => Reaction::open(command::CommandLine::new(&model.world)),
        Action::Run => Reaction::open(forms::run("", &model.world)),
        Action::Pull => Reaction::open(forms::pull(&model.world)),
        Action::Menu => {
            let (screen, world) = model.front();
            let menu = menu::Menu::of(&mut **screen, world);
            Reaction::open(menu)
        }
        Action::Theme => Reaction { change: Some(Setting::Theme(next_theme(&model.world))), ..Reaction::default() },
        Action::Redraw => Reaction::effect(Effect::Redraw),
        Action::Suspend => Reaction::effect(Effect::Suspend),
        Action::Quit if model.world.busy() > 0 => {
            let question = format!("{} still at work here: quitting calls it off. Quit?", counted(model.world.busy(), "job is", "jobs are"));
            Reaction::open(confirm::Confirm::new("Quit", question, Reaction::effect(Effect::Quit)))
        }
        Action::Quit => Reaction::effect(Effect::Quit),
        _ => Reaction::none(),
    };
    react(model, reaction)
}

/// `1 job is`, `2 jobs are`.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn next_theme(world: &World) -> String {
    let names = world.config.themes.names();
    let at = names.iter().position(|name| name == world.theme.name()).map_or(0, |at| (at + 1) % names.len());
    names.into_iter().nth(at).unwrap_or_default()
}

/// Does what a screen wants, and gives what is left to be done outside.
fn react(model: &mut Model, reaction: Reaction) -> Vec<Effect> {
    let mut effects = reaction.effects;
    if reaction.close
        && let Some(mut layer) = model.layers.pop()
    {
        effects.extend(layer.shown(false, &model.world).effects);
    }
    if let Some(mut screen) = reaction.open {
        let more = screen.shown(true, &model.world);
        model.layers.push(screen);
        effects.extend(react(model, more));
    }
    if let Some(pane) = reaction.go {
        effects.extend(go(model, pane));
    }
    if reaction.back {
        effects.extend(go(model, model.before));
    }
    if let Some(said) = reaction.notice {
        notice(model, said);
    }
    match reaction.then {
        Some(menu::Deed::Act(action)) => effects.extend(act(model, action)),
        Some(menu::Deed::More(number)) => {
            let (screen, world) = model.front();
            let more = screen.done_more(number, world);
            effects.extend(react(model, more));
        }
        None => {}
    }
    match reaction.change {
        Some(Setting::Theme(name)) => match model.world.config.themes.named("themes", "", &name) {
            Ok(theme) => {
                notice(model, Ok(format!("theme {name}")));
                model.world.theme = theme.at(model.world.depth);
            }
            Err(error) => notice(model, Err(error.to_string())),
        },
        None => {}
    }
    effects
}

fn notice(model: &mut Model, said: Result<String, String>) {
    let (words, is_error) = match said {
        Ok(words) => (words, false),
        Err(words) => (words, true),
    };
    model.notice = Some(Notice { text: text::clean(&words).into_owned(), is_error, at: model.world.now });
}

fn go(model: &mut Model, pane: Pane) -> Vec<Effect> {
    let mut effects = Vec::new();
    while let Some(mut layer) = model.layers.pop() {
        effects.extend(layer.shown(false, &model.world).effects);
    }
    if pane == model.pane {
        return effects;
    }
    model.full = false;
    let leaving = model.panes[model.pane as usize].shown(false, &model.world);
    model.before = model.pane;
    model.pane = pane;
    let coming = model.panes[pane as usize].shown(true, &model.world);
    effects.extend(react(model, leaving.and(coming)));
    effects
}

fn mouse(model: &mut Model, event: MouseEvent) -> Vec<Effect> {
    let place = Position::new(event.column, event.row);
    if event.kind == MouseEventKind::Down(MouseButton::Left)
        && let Some(&(pane, _)) = model.tabs.iter().find(|(_, area)| area.contains(place))
    {
        return go(model, pane);
    }
    let (screen, world) = model.front();
    let reaction = screen.mouse(event, world).unwrap_or_default();
    react(model, reaction)
}

fn hear(model: &mut Model, mut news: News) -> Vec<Effect> {
    let world = &mut model.world;
    let mut more = Reaction::none();
    match &mut news {
        News::Snapshot(snapshot) => {
            world.snapshot = std::sync::Arc::clone(snapshot);
            world.looked = true;
        }
        News::Figures(figures) => world.sampled(std::mem::take(figures)),
        News::Machine(moment) => world.machine_sampled(*moment),
        News::Began(id, statements) => {
            world.began(*id, statements.clone());
            if world.known(*id).is_some_and(Work::waits) {
                more.open = Some(Box::new(Output::of(*id, world)));
            }
        }
        News::Said(id, said) => {
            if let Some(work) = world.work(*id) {
                let begins = work.hear(said);
                if begins && work.is_question() {
                    more.open = Some(Box::new(Output::of(*id, world)));
                }
            }
        }
        News::Ended(id, result) => {
            let now = world.now;
            if let Some(work) = world.work(*id) {
                work.ended = Some((now, result.clone()));
                if *result == Ok(0) {
                    work.parts.finish();
                }
                more.notice = ending(work, result);
            }
        }
        News::Blind(sentence) => more.notice = Some(Err(sentence.clone())),
        News::Notice(said) => more.notice = Some(said.clone()),
        News::Wanted(words) => more.effects.push(Effect::Perform(std::mem::take(words))),
        News::Opened(..) => more.go = Some(Pane::Consoles),
        News::Answer(..) | News::Console(..) => {}
    }
    let mut reaction = Reaction::none();
    for screen in model.panes.iter_mut().chain(&mut model.layers) {
        reaction = reaction.and(screen.hear(&mut news, &model.world));
    }
    react(model, reaction.and(more))
}

/// The sentence at a work's end; an error stays in sight, with the command that it came from.
fn ending(work: &Work, result: &Result<i32, String>) -> Option<Result<String, String>> {
    let verb = work.statements.first().and_then(|words| words.first()).map(String::as_str);
    match result {
        // What it found is on the screen.
        Ok(0) if work.is_question() => None,
        // It opened a console: that is where it goes on.
        Ok(0) if work.lines.is_empty() && matches!(verb, Some("run" | "exec" | "attach" | "start")) => None,
        Ok(0) => Some(Ok(match work.lines.back() {
            Some(last) if verb == Some("pull") => last.clone(),
            _ => format!("done: {}", work.title),
        })),
        Ok(status) => Some(Err(format!("{} ended with status {status}", work.title))),
        Err(sentence) if sentence == CANCELLED && work.is_question() => None,
        Err(sentence) if sentence == CANCELLED => Some(Ok(format!("cancelled: {}", work.title))),
        Err(sentence) => Some(Err(format!("{}: {sentence}", work.title))),
    }
}
