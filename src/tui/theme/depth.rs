//! How many colours a terminal has, and the nearest that it can show to those that a theme asks for.

use ratatui::style::{Color, Modifier, Style};

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
    /// The depth that the environment tells: NO_COLOR (https://no-color.org), COLORTERM, TERM, TERM_PROGRAM.
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
    pub fn style(self, style: Style, background: Color) -> Style {
        match self {
            Self::True => style,
            Self::None => Style { fg: None, bg: None, ..style },
            Self::Sixteen | Self::Indexed => self.fewer(style, background),
        }
    }

    fn fewer(self, mut style: Style, background: Color) -> Style {
        let ground = style.bg.unwrap_or(background);
        if let Some(bg) = style.bg {
            // Sixteen colours have no shade between two others: a ground that only sets off becomes the reverse of what is there.
            if self == Self::Sixteen && style.fg.is_none() && bg != background {
                style.bg = None;
                return style.add_modifier(Modifier::REVERSED);
            }
            style.bg = Some(self.nearest(bg, (bg != background).then(|| self.color(background))));
        }
        if let Some(fg) = style.fg {
            let below = style.bg.unwrap_or_else(|| self.color(ground));
            style.fg = Some(self.nearest(fg, (fg != ground).then_some(below)));
        }
        style
    }

    /// The nearest to `color` that such a terminal can show.
    pub fn color(self, color: Color) -> Color {
        match self {
            Self::None => Color::Reset,
            _ => self.nearest(color, None),
        }
    }

    /// The nearest to `color`, but not `taken`.
    fn nearest(self, color: Color, taken: Option<Color>) -> Color {
        let rgb = match (self, color) {
            (Self::Indexed | Self::Sixteen, Color::Rgb(r, g, b)) => [r, g, b],
            (Self::Sixteen, Color::Indexed(index)) => match index {
                0..16 => return SIXTEEN[usize::from(index)].0,
                _ => of_index(index),
            },
            _ => return color,
        };
        let candidates: &mut dyn Iterator<Item = (Color, [u8; 3])> = match self {
            // The first sixteen of 256 are left out: nobody knows how the user's terminal shows them.
            Self::Indexed => &mut (16..=255).map(|index| (Color::Indexed(index), of_index(index))),
            _ => &mut SIXTEEN.into_iter(),
        };
        candidates.filter(|&(candidate, _)| Some(candidate) != taken).min_by_key(|&(_, shown)| distance(rgb, shown)).map_or(color, |(nearest, _)| nearest)
    }
}

/// The sixteen, by index, as xterm shows them unless told otherwise.
const SIXTEEN: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [205, 0, 0]),
    (Color::Green, [0, 205, 0]),
    (Color::Yellow, [205, 205, 0]),
    (Color::Blue, [0, 0, 238]),
    (Color::Magenta, [205, 0, 205]),
    (Color::Cyan, [0, 205, 205]),
    (Color::Gray, [229, 229, 229]),
    (Color::DarkGray, [127, 127, 127]),
    (Color::LightRed, [255, 0, 0]),
    (Color::LightGreen, [0, 255, 0]),
    (Color::LightYellow, [255, 255, 0]),
    (Color::LightBlue, [92, 92, 255]),
    (Color::LightMagenta, [255, 0, 255]),
    (Color::LightCyan, [0, 255, 255]),
    (Color::White, [255, 255, 255]),
];

/// What the colour `index` of 256 looks like: the sixteen, then the cube, then the greys (xterm's 256colres.h says so).
fn of_index(index: u8) -> [u8; 3] {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match index {
        0..16 => SIXTEEN[usize::from(index)].1,
        16..232 => [level((index - 16) / 36), level((index - 16) / 6 % 6), level((index - 16) % 6)],
        232.. => [8 + 10 * (index - 232); 3],
    }
}

/// How unlike two colours look: squares weighted by how red they are, a cheap stand-in for what the eye does
/// (<https://www.compuphase.com/cmetric.htm>).
fn distance(a: [u8; 3], b: [u8; 3]) -> i32 {
    let [r, g, blue] = [0, 1, 2].map(|i| i32::from(a[i]) - i32::from(b[i]));
    let red = (i32::from(a[0]) + i32::from(b[0])) / 2;
    (((512 + red) * r * r) >> 8) + 4 * g * g + (((767 - red) * blue * blue) >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
    fn the_nearest_of_256_is_found() {
        for (rgb, index) in [((0, 0, 0), 16), ((255, 255, 255), 231), ((255, 0, 0), 196), ((8, 8, 8), 232), ((95, 135, 175), 67), ((0x26, 0x26, 0x27), 235)] {
            assert_eq!(Depth::Indexed.color(Color::Rgb(rgb.0, rgb.1, rgb.2)), Color::Indexed(index), "{rgb:?}");
        }
    }

    #[test]
    fn the_nearest_of_sixteen_is_found() {
        for (rgb, color) in [
            ((10, 10, 12), Color::Black),
            ((250, 250, 250), Color::White),
            ((200, 20, 20), Color::Red),
            ((120, 120, 125), Color::DarkGray),
            ((230, 230, 225), Color::Gray),
            ((250, 250, 20), Color::LightYellow),
        ] {
            assert_eq!(Depth::Sixteen.color(Color::Rgb(rgb.0, rgb.1, rgb.2)), color, "{rgb:?}");
        }
        assert_eq!(Depth::Sixteen.color(Color::Indexed(9)), Color::LightRed);
        assert_eq!(Depth::Sixteen.color(Color::Indexed(232)), Color::Black);
        assert_eq!(Depth::Sixteen.color(Color::Reset), Color::Reset);
        assert_eq!(Depth::None.color(Color::Red), Color::Reset);
    }

    #[test]
    fn a_ground_that_only_sets_off_becomes_the_reverse_of_what_is_there() {
        let style = Depth::Sixteen.style(Style::new().bg(Color::Rgb(30, 40, 60)), Color::Rgb(10, 10, 12));
        assert_eq!(style, Style::new().add_modifier(Modifier::REVERSED));
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

        #[test]
        fn what_can_be_shown_stays_as_it_is(index in 16u8..) {
            let [r, g, b] = of_index(index);
            let shown = Depth::Indexed.color(Color::Rgb(r, g, b));
            let Color::Indexed(shown) = shown else { return Err(TestCaseError::fail("no index")) };
            prop_assert_eq!(of_index(shown), [r, g, b], "the same shade, though perhaps by another number");
        }
    }
}
