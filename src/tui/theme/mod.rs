//! Themes: what means what looks like, from files compiled in or the user's own, taken down to what the terminal can show.

mod depth;
mod file;
mod gallery;
mod nearest;
mod role;
mod signs;

pub use depth::Depth;
pub use gallery::Gallery;
pub use nearest::SIXTEEN;
pub use role::Role;
pub use signs::Signs;

use super::setting::SettingError;
use crate::container::state::Status;
use ratatui::style::{Color, Modifier, Style};

/// How many lines of a chart have colours of their own.
pub const SERIES: usize = 6;

/// Name and text of the themes compiled in, the default first.
const THEMES: &[(&str, &str)] = &[
    (Theme::DEFAULT, include_str!("../../../themes/dark.toml")),
    ("light", include_str!("../../../themes/light.toml")),
    ("high-contrast", include_str!("../../../themes/high-contrast.toml")),
    ("solarized-dark", include_str!("../../../themes/solarized-dark.toml")),
    ("solarized-light", include_str!("../../../themes/solarized-light.toml")),
    ("gruvbox", include_str!("../../../themes/gruvbox.toml")),
    ("nord", include_str!("../../../themes/nord.toml")),
    ("catppuccin-mocha", include_str!("../../../themes/catppuccin-mocha.toml")),
    ("terminal", include_str!("../../../themes/terminal.toml")),
    (PLAIN, include_str!("../../../themes/plain.toml")),
];

/// The theme without colours: bold, dim, underlined and reversed have to do.
const PLAIN: &str = "plain";

/// What every meaning looks like.
///
/// [`Theme::base`] is for the whole screen; the other styles go over it, or over each other, and say only what they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    name: String,
    background: Color,
    styles: [Style; Role::ALL.len()],
    series: [Style; SERIES],
}

impl Theme {
    /// The name of the theme that holds unless another is chosen.
    pub const DEFAULT: &str = "dark";

    /// The names of the themes compiled in, the default first.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        THEMES.iter().map(|&(name, _)| name)
    }

    /// The theme compiled in as `name`.
    pub fn named(name: &str) -> Result<Self, SettingError> {
        match THEMES.iter().find(|&&(known, _)| known == name) {
            Some((name, text)) => file::parse(name, &format!("theme {name}"), text, |_| None),
            None => Err(SettingError::unknown("themes", "", "theme", name, Self::names())),
        }
    }

    /// The theme without colours: bold, dim, underlined and reversed have to do.
    pub fn plain() -> Self {
        // What is compiled in is read by a test; were it broken, text without any style is still text.
        let nothing = Self { name: PLAIN.to_owned(), background: Color::Reset, styles: [Style::new(); Role::ALL.len()], series: [Style::new(); SERIES] };
        Self::named(PLAIN).unwrap_or(nothing)
    }

    /// The theme as a terminal with so many colours can show it; without colours it is [`Theme::plain`].
    #[must_use]
    pub fn at(&self, depth: Depth) -> Self {
        if depth == Depth::None {
            return Self { name: self.name.clone(), ..Self::plain() };
        }
        let mut theme = self.clone();
        theme.background = depth.color(self.background);
        for style in theme.styles.iter_mut().chain(&mut theme.series) {
            *style = depth.style(*style, self.background);
        }
        theme.tell_apart(depth);
        theme
    }

    /// Tells by other means what so few colours cannot: the selected rows, and the lines of a chart.
    fn tell_apart(&mut self, depth: Depth) {
        let (selection, unfocused) = (Role::Selection as usize, Role::SelectionUnfocused as usize);
        if depth == Depth::Sixteen && self.styles[selection].bg.is_none() {
            self.styles[selection] = self.styles[selection].add_modifier(Modifier::REVERSED);
        }
        let is_lost = depth == Depth::Sixteen && self.styles[unfocused].bg.is_none();
        if is_lost || self.styles[unfocused] == self.styles[selection] {
            self.styles[unfocused] = Style::new().add_modifier(Modifier::BOLD);
        }
        let is_doubled = |at: usize| self.series[at].fg.is_some() && self.series[..at].contains(&self.series[at]);
        if depth == Depth::Sixteen && (0..SERIES).any(is_doubled) {
            self.series = [Color::Blue, Color::Green, Color::Yellow, Color::Magenta, Color::Cyan, Color::Red].map(|hue| Style::new().fg(hue));
        }
    }

    /// How many colours it takes: those that a program in a console may have beside it.
    pub fn depth(&self) -> Depth {
        let colours = self.styles.iter().chain(&self.series).flat_map(|style| [style.fg, style.bg]).flatten();
        let needed = colours.chain([self.background]).map(|colour| match colour {
            Color::Reset => Depth::None,
            Color::Rgb(..) => Depth::True,
            Color::Indexed(_) => Depth::Indexed,
            _ => Depth::Sixteen,
        });
        needed.max().unwrap_or(Depth::None)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The style of `role`.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// Text and ground of the whole screen, beneath everything else; sets the ground even to the terminal's own.
    pub fn base(&self) -> Style {
        self.text().bg(self.background)
    }

    /// Text and ground of what lies over the panes.
    pub fn panel(&self) -> Style {
        self.base().patch(self.style(Role::Panel))
    }

    /// A pane's frame.
    pub fn border(&self, focused: bool) -> Style {
        self.style(if focused { Role::BorderFocused } else { Role::Border })
    }

    /// `style` for words upon a frame, of whose look nothing is to shine through.
    pub fn upon_border(&self, style: Style) -> Style {
        Style::new().fg(self.text().fg.unwrap_or(Color::Reset)).remove_modifier(Modifier::all()).patch(style)
    }

    /// The selected row.
    pub fn selection(&self, focused: bool) -> Style {
        self.style(if focused { Role::Selection } else { Role::SelectionUnfocused })
    }

    /// A hit of the search, `current` if one is at it.
    pub fn hit(&self, current: bool) -> Style {
        self.style(if current { Role::HitCurrent } else { Role::Hit })
    }

    /// A container's state. One that ended with another status than 0 has [`Theme::exit`].
    pub fn state(&self, status: Status) -> Style {
        self.style(match status {
            Status::Running => Role::Running,
            Status::Paused => Role::Paused,
            Status::Restarting => Role::Pending,
            Status::Created | Status::Exited | Status::Removing => Role::Stopped,
        })
    }

    /// A container or job that ended with `code`.
    pub fn exit(&self, code: i32) -> Style {
        self.style(if code == 0 { Role::Stopped } else { Role::Failed })
    }

    /// The line `number` of a chart; they repeat after [`SERIES`].
    pub fn series(&self, number: usize) -> Style {
        self.series[number % SERIES]
    }
}

/// Methods for roles that need no telling apart.
macro_rules! shorthands {
    ($($method:ident $role:ident;)+) => {
        impl Theme {
            $(
                #[doc = concat!("The style of [`Role::", stringify!($role), "`].")]
                pub fn $method(&self) -> Style {
                    self.style(Role::$role)
                }
            )+
        }
    };
}

shorthands! {
    text Text;
    muted Muted;
    faint Faint;
    accent Accent;
    title Title;
    header Header;
    status_line StatusLine;
    input Input;
    marked Marked;
    key Key;
    hint Hint;
    link Link;
    running Running;
    paused Paused;
    pending Pending;
    stopped Stopped;
    failed Failed;
    success Success;
    warning Warning;
    error Error;
    added Added;
    changed Changed;
    removed Removed;
    bar Bar;
    bar_empty BarEmpty;
}

impl Default for Theme {
    /// The default theme, for a terminal with all colours.
    fn default() -> Self {
        Self::named(Self::DEFAULT).unwrap_or_else(|_| Self::plain())
    }
}

#[cfg(test)]
mod tests;
