//! A figure's last minute in one line of a table.

use crate::tui::theme::Signs;

/// How full a cell is, from nothing to all.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const SHADES: [char; 5] = ['.', '░', '▒', '▓', '█'];
const ASCII: [char; 6] = ['_', '.', ':', '=', '#', '@'];

/// A cell for each value, full at `top` and above. What is not known is a gap; nought is not.
pub fn spark(values: impl Iterator<Item = Option<f64>>, top: f64, signs: Signs) -> String {
    let levels: &[char] = match signs {
        Signs::Braille => &BLOCKS,
        Signs::Blocks => &SHADES,
        Signs::Ascii => &ASCII,
    };
    let last = levels.len() - 1;
    let sign = |value: f64| {
        let share = if top > 0.0 { (value / top).clamp(0.0, 1.0) } else { f64::from(u8::from(value > 0.0)) };
        // Whatever is more than nothing is seen.
        let level = (share * last as f64).round() as usize;
        levels[if value > top / 100.0 { level.max(1) } else { level }.min(last)]
    };
    values.map(|value| value.filter(|value| value.is_finite()).map_or(' ', sign)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_nothing_little_and_all_are_told_apart() {
        let values = [None, Some(0.0), Some(0.03), Some(0.5), Some(1.0), Some(7.0), Some(f64::NAN)];
        let told = |signs| spark(values.into_iter(), 1.0, signs);
        assert_eq!(told(Signs::Braille), " ▁▂▅██ ");
        assert_eq!(told(Signs::Blocks), " .░▒██ ");
        assert_eq!(told(Signs::Ascii), " _.=@@ ");
        assert_eq!(spark([Some(1.0)].into_iter(), 0.0, Signs::Ascii), "@");
    }
}
