//! The nearest of 256 colours, or of sixteen, to one of sixteen millions.

use ratatui::style::Color;

/// The greys of the sixteen, with how bright xterm shows them unless told otherwise.
const GREYS: [(Color, i32); 4] = [(Color::Black, 0), (Color::DarkGray, 127), (Color::Gray, 229), (Color::White, 255)];

/// The hues of the sixteen, the darker and the brighter one, each up to a degree of the circle.
const HUES: [(i32, Color, Color); 7] = [
    (28, Color::Red, Color::LightRed),
    (61, Color::Yellow, Color::LightYellow),
    (150, Color::Green, Color::LightGreen),
    (200, Color::Cyan, Color::LightCyan),
    (255, Color::Blue, Color::LightBlue),
    (340, Color::Magenta, Color::LightMagenta),
    (360, Color::Red, Color::LightRed),
];

/// The first sixteen of 256, by number: by name, so that a theme of the real terminal applies to them.
pub const SIXTEEN: [Color; 16] = [
    Color::Black,
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::Gray,
    Color::DarkGray,
    Color::LightRed,
    Color::LightGreen,
    Color::LightYellow,
    Color::LightBlue,
    Color::LightMagenta,
    Color::LightCyan,
    Color::White,
];

/// The nearest of 256 that is not `taken`; never one of the first sixteen: nobody knows how the user's terminal shows them.
pub fn indexed(rgb: [u8; 3], taken: Option<Color>) -> Color {
    let free = (16..=255).filter(|&index| Some(Color::Indexed(index)) != taken);
    Color::Indexed(free.min_by_key(|&index| distance(rgb, of_index(index))).unwrap_or(16))
}

/// The one of sixteen that is not `taken` and says the same: a hue stays that hue, a grey becomes no colour.
///
/// By distance alone every soft colour would be grey, for the sixteen are either full or without colour.
pub fn sixteen(rgb: [u8; 3], taken: Option<Color>) -> Color {
    let is_free = |color: Color| Some(color) != taken;
    if let Some((color, other)) = hued(rgb) {
        return if is_free(color) { color } else { other };
    }
    let [r, g, b] = rgb.map(i32::from);
    let luma = (299 * r + 587 * g + 114 * b) / 1000;
    let free = GREYS.into_iter().filter(|&(color, _)| is_free(color));
    free.min_by_key(|(_, shown)| (luma - shown).abs()).map_or(Color::Gray, |(color, _)| color)
}

/// The same for a number of 256.
pub fn sixteen_of_index(index: u8, taken: Option<Color>) -> Color {
    match index {
        0..16 => SIXTEEN[usize::from(index)],
        _ => sixteen(of_index(index), taken),
    }
}

/// The hue of what is no grey, in its fitting brightness, and in the other.
fn hued(rgb: [u8; 3]) -> Option<(Color, Color)> {
    let [r, g, b] = rgb.map(i32::from);
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let (chroma, lightness) = (max - min, i32::midpoint(max, min));
    // Ground colours of dark themes are nearly black whatever their hue; the paler a colour, the more it takes to be one.
    let needed = match lightness {
        ..60 => return None,
        60..190 => 40,
        190.. => 64,
    };
    if chroma < needed {
        return None;
    }
    let sixth = if max == r {
        60 * (g - b) / chroma
    } else if max == g {
        120 + 60 * (b - r) / chroma
    } else {
        240 + 60 * (r - g) / chroma
    };
    let hue = sixth.rem_euclid(360);
    let (_, darker, brighter) = HUES.into_iter().find(|&(end, ..)| hue < end)?;
    Some(if lightness < 120 { (darker, brighter) } else { (brighter, darker) })
}

/// What the colour `index` of 256 looks like: from 16 a cube of six levels, from 232 the greys (xterm's 256colres.h).
fn of_index(index: u8) -> [u8; 3] {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match index.max(16) {
        index @ ..232 => [level((index - 16) / 36), level((index - 16) / 6 % 6), level((index - 16) % 6)],
        index => [8 + 10 * (index - 232); 3],
    }
}

/// How unlike two colours look: squares weighted by how red they are, a cheap stand-in for what the eye does
/// (<https://www.compuphase.com/cmetric.htm>).
fn distance(a: [u8; 3], b: [u8; 3]) -> i32 {
    let [r, g, blue] = [0, 1, 2].map(|i| i32::from(a[i]) - i32::from(b[i]));
    let red = i32::midpoint(i32::from(a[0]), i32::from(b[0]));
    (((512 + red) * r * r) >> 8) + 4 * g * g + (((767 - red) * blue * blue) >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_nearest_of_256_is_found() {
        for (rgb, index) in [([0, 0, 0], 16), ([255, 255, 255], 231), ([255, 0, 0], 196), ([8, 8, 8], 232), ([95, 135, 175], 67), ([0x26, 0x26, 0x27], 235)] {
            assert_eq!(indexed(rgb, None), Color::Indexed(index), "{rgb:?}");
        }
        assert_ne!(indexed([255, 0, 0], Some(Color::Indexed(196))), Color::Indexed(196));
    }

    #[test]
    fn a_hue_stays_that_hue_among_sixteen_and_a_grey_stays_grey() {
        for (rgb, color) in [
            ([10, 10, 12], Color::Black),
            ([250, 250, 250], Color::White),
            ([230, 230, 225], Color::Gray),
            ([120, 120, 125], Color::DarkGray),
            ([200, 20, 20], Color::Red),
            ([250, 250, 20], Color::LightYellow),
            ([0x82, 0xc9, 0x92], Color::LightGreen),
            ([0x1a, 0x7f, 0x37], Color::Green),
            ([0x6c, 0xb0, 0xf2], Color::LightBlue),
            ([0xe8, 0x74, 0x7c], Color::LightRed),
            ([0xb7, 0x9a, 0xe6], Color::LightMagenta),
            ([0x00, 0x2b, 0x36], Color::Black),
            ([0xeb, 0xdb, 0xb2], Color::Gray),
        ] {
            assert_eq!(sixteen(rgb, None), color, "{rgb:?}");
            assert_ne!(sixteen(rgb, Some(color)), color, "{rgb:?}");
        }
        assert_eq!(sixteen_of_index(9, None), Color::LightRed);
        assert_eq!(sixteen_of_index(232, None), Color::Black);
    }

    proptest! {
        #[test]
        fn what_can_be_shown_stays_as_it_is(index in 16u8..) {
            let Color::Indexed(shown) = indexed(of_index(index), None) else { return Err(TestCaseError::fail("no number")) };
            prop_assert_eq!(of_index(shown), of_index(index), "the same shade, though perhaps by another number");
        }
    }
}
