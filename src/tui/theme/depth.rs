//! How many colours a terminal has, and the nearest that it can show to those that a theme asks for.

use super::nearest;
use ratatui::style::{Color, Style};

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None, or none are wanted (NO_COLOR): only bold, dim, underlined, reversed.
    None,
    /// The sixteen whose shades the user chose.
    Sixteen,
    /// Those, a cube of 6×6×6, and 24 greys.
    Indexed,
    /// All of 24 bits.
    True,
}

/// Beginnings of TERM whose terminals show 24 bits without saying so in COLORTERM (which ssh does not pass on).
const TRUE_TERMS: &[&str] = &["alacritty", "foot", "ghostty", "konsole", "wezterm", "xterm-ghostty", "xterm-kitty", "contour", "rio"];

/// Values of TERM that have no colours at all.
const MONOCHROME_TERMS: &[&str] = &["dumb", "vt52", "vt100", "vt102", "vt220", "xterm-mono", "ansi-m", "linux-m", "screen-m"];

impl Depth {
    /// The depth that the environment tells: NO_COLOR (<https://no-color.org>), COLORTERM, TERM, TERM_PROGRAM.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| variable(name).unwrap_or_default().to_lowercase();
        let term = get("TERM");
        if !get("NO_COLOR").is_empty() || MONOCHROME_TERMS.contains(&term.as_str()) {
            return Self::None;
        }
        let is_screen = term == "screen" || term.starts_with("screen.") || term.starts_with("screen-");
        // GNU screen leaves COLORTERM as it was outside and shows no 24 bits; tmux takes what it cannot show down by itself.
        if is_screen && get("TMUX").is_empty() {
            return if term.contains("256color") { Self::Indexed } else { Self::Sixteen };
        }
        if matches!(get("COLORTERM").as_str(), "truecolor" | "24bit") || term.contains("direct") || TRUE_TERMS.iter().any(|known| term.starts_with(known)) {
            return Self::True;
        }
        match get("TERM_PROGRAM").as_str() {
            "iterm.app" | "vscode" | "wezterm" | "ghostty" => Self::True,
            _ if term.contains("256color") => Self::Indexed,
            _ => Self::Sixteen,
        }
    }

    /// `style` as such a terminal can show it, on a ground of `background`.
    ///
    /// What could be told from the ground before can be told from it after: the next nearest colour is taken otherwise.
    /// Among sixteen there is no shade between two others: a ground that only sets off is left out.
    pub fn style(self, mut style: Style, background: Color) -> Style {
        match self {
            Self::True => return style,
            Self::None => return Style { fg: None, bg: None, ..style },
            Self::Sixteen if style.fg.is_none() => style.bg = None,
            Self::Sixteen | Self::Indexed => {}
        }
        let ground = style.bg.unwrap_or(background);
        style.bg = style.bg.map(|bg| self.nearest(bg, (bg != background).then(|| self.color(background))));
        let below = style.bg.unwrap_or_else(|| self.color(ground));
        style.fg = style.fg.map(|fg| self.nearest(fg, (fg != ground).then_some(below)));
        style
    }

    /// The nearest to `color` that such a terminal can show.
    pub fn color(self, color: Color) -> Color {
        match self {
            Self::None => Color::Reset,
            _ => self.nearest(color, None),
        }
    }

    /// The same for what stands on a `ground` and has to be told from it.
    pub fn front(self, color: Color, ground: Option<Color>) -> Color {
        match self {
            Self::None => Color::Reset,
            _ => self.nearest(color, ground),
        }
    }

    /// The nearest to `color`, but not `taken`.
    fn nearest(self, color: Color, taken: Option<Color>) -> Color {
        match (self, color) {
            (Self::Indexed, Color::Rgb(r, g, b)) => nearest::indexed([r, g, b], taken),
            (Self::Sixteen, Color::Rgb(r, g, b)) => nearest::sixteen([r, g, b], taken),
            (Self::Sixteen, Color::Indexed(index)) => nearest::sixteen_of_index(index, taken),
            _ => color,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ratatui::style::Modifier;

    fn detect(variables: &[(&str, &str)]) -> Depth {
        Depth::detect(|name| variables.iter().find(|(known, _)| *known == name).map(|&(_, value)| value.to_owned()))
    }

    #[test]
    fn the_environment_tells_the_depth() {
        for (variables, depth) in [
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")][..], Depth::True),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "24bit")], Depth::True),
            (&[("TERM", "xterm-256color")], Depth::Indexed),
            (&[("TERM", "xterm")], Depth::Sixteen),
            (&[("TERM", "linux")], Depth::Sixteen),
            (&[], Depth::Sixteen),
            (&[("TERM", "dumb")], Depth::None),
            (&[("TERM", "vt100")], Depth::None),
            (&[("TERM", "xterm-kitty")], Depth::True),
            (&[("TERM", "xterm-direct")], Depth::True),
            (&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")], Depth::True),
            (&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "Apple_Terminal")], Depth::Indexed),
            (&[("TERM", "screen-256color"), ("COLORTERM", "truecolor")], Depth::Indexed),
            (&[("TERM", "screen-256color"), ("COLORTERM", "truecolor"), ("TMUX", "/tmp/tmux,1,0")], Depth::True),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("NO_COLOR", "1")], Depth::None),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "")], Depth::Indexed),
        ] {
            assert_eq!(detect(variables), depth, "{variables:?}");
        }
    }

    #[test]
    fn a_ground_that_only_sets_off_is_left_out_of_sixteen() {
        let style = Style::new().bg(Color::Rgb(30, 40, 60)).add_modifier(Modifier::BOLD);
        assert_eq!(Depth::Sixteen.style(style, Color::Rgb(10, 10, 12)), Style::new().add_modifier(Modifier::BOLD));
        assert_eq!(Depth::Indexed.style(style, Color::Rgb(10, 10, 12)).bg, Some(Color::Indexed(236)));
    }

    #[test]
    fn names_stay_as_they_are() {
        for depth in [Depth::Sixteen, Depth::Indexed, Depth::True] {
            assert_eq!(depth.color(Color::LightBlue), Color::LightBlue);
            assert_eq!(depth.color(Color::Reset), Color::Reset);
        }
        assert_eq!(Depth::None.color(Color::Red), Color::Reset);
        assert_eq!(Depth::Indexed.color(Color::Indexed(9)), Color::Indexed(9));
    }

    #[test]
    fn without_colours_the_rest_stays() {
        let style = Style::new().fg(Color::Red).bg(Color::Blue).add_modifier(Modifier::BOLD);
        assert_eq!(Depth::None.style(style, Color::Reset), Style::new().add_modifier(Modifier::BOLD));
    }

    proptest! {
        #[test]
        fn what_could_be_told_from_its_ground_still_can(fg: [u8; 3], ground: [u8; 3]) {
            prop_assume!(fg != ground);
            let [fg, ground] = [fg, ground].map(|[r, g, b]| Color::Rgb(r, g, b));
            for depth in [Depth::Indexed, Depth::Sixteen] {
                let shown = depth.style(Style::new().fg(fg), ground);
                prop_assert_ne!(shown.fg, Some(depth.color(ground)));
                let both = depth.style(Style::new().fg(fg).bg(ground), Color::Reset);
                prop_assert_ne!(both.fg, both.bg);
            }
        }
    }
}
