//! A list of words that could stand where one types: chosen with a key, shown beside the line.

use crate::text::{self, width};
use crate::tui::line::Completion;
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

/// The most columns that words get before what they are.
const WORDS: usize = 40;

/// The words, and which one is chosen.
#[derive(Debug, Default)]
pub struct Offers {
    list: Vec<Completion>,
    chosen: Option<usize>,
}

impl Offers {
    /// Other words; none is chosen.
    pub fn set(&mut self, list: Vec<Completion>) {
        *self = Self { list, chosen: None };
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one was chosen.
    pub fn has_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// Chooses the next, or the one before; gives its word.
    pub fn step(&mut self, forward: bool) -> Option<&str> {
        let last = self.list.len().checked_sub(1)?;
        let next = match self.chosen {
            None if forward => 0,
            None | Some(0) if !forward => last,
            Some(at) if forward => {
                if at == last {
                    0
                } else {
                    at + 1
                }
            }
            Some(at) => at - 1,
            None => last,
        };
        self.chosen = Some(next);
        Some(&self.list[next].word)
    }

    /// What all of them begin with, if that is more than `typed`.
    pub fn common(&self, typed: &str) -> Option<&str> {
        let first = &self.list.first()?.word;
        let mut length = first.len();
        for offer in &self.list[1..] {
            length =
                first.char_indices().zip(offer.word.chars()).find(|((_, a), b)| a != b).map_or(length.min(offer.word.len()), |((at, _), _)| at.min(length));
        }
        (length > typed.len() && first.starts_with(typed)).then(|| &first[..length])
    }

    /// How many columns the list wants.
    pub fn width(&self) -> u16 {
        let about = self.list.iter().map(|offer| width::of(&offer.about).min(WORDS)).max().unwrap_or(0);
        (self.words() + about + 4) as u16
    }

    fn words(&self) -> usize {
        self.list.iter().map(|offer| width::of(&offer.word)).max().unwrap_or(0).min(WORDS)
    }

    /// Draws what fits around the chosen one; the last line says how many more there are.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer, theme: &Theme) {
        if area.width < 4 || area.height == 0 {
            return;
        }
        Clear.render(area, buffer);
        buffer.set_style(area, theme.panel());
        let all = usize::from(area.height);
        let more = self.list.len() > all && all > 2;
        let rows = if more { all - 1 } else { all };
        let first = self.chosen.map_or(0, |at| (at + 1).saturating_sub(rows));
        let words = self.words();
        for (row, (number, offer)) in self.list.iter().enumerate().skip(first).take(rows).enumerate() {
            let y = area.y + row as u16;
            let line = Rect { y, height: 1, ..area };
            if self.chosen == Some(number) {
                buffer.set_style(line, theme.selection(true));
            }
            let room = usize::from(area.width - 2);
            buffer.set_stringn(area.x + 1, y, text::truncate(&text::clean(&offer.word), words.min(room)), room, ratatui::style::Style::new());
            let x = area.x + 3 + words as u16;
            if x < area.right() {
                let room = usize::from(area.right() - x);
                let style = if self.chosen == Some(number) { ratatui::style::Style::new() } else { theme.muted() };
                buffer.set_stringn(x, y, text::truncate(&text::clean(&offer.about), room), room, style);
            }
        }
        if more {
            let hidden = self.list.len() - rows;
            let words = format!("… {hidden} more: type on, or walk through them");
            let room = usize::from(area.width - 2);
            buffer.set_stringn(area.x + 1, area.bottom() - 1, text::truncate(&words, room), room, theme.faint());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(words: &[&str]) -> Offers {
        let mut offers = Offers::default();
        offers.set(words.iter().map(|word| Completion { word: (*word).to_owned(), about: String::new() }).collect());
        offers
    }

    #[test]
    fn they_are_walked_in_a_ring() {
        let mut offers = offers(&["a", "b", "c"]);
        assert_eq!(offers.step(false), Some("c"));
        assert_eq!(offers.step(true), Some("a"));
        assert_eq!(offers.step(true), Some("b"));
        assert_eq!(offers.step(false), Some("a"));
        assert_eq!(Offers::default().step(true), None);
    }

    #[test]
    fn what_they_share_is_known() {
        assert_eq!(offers(&["unpause", "unlock"]).common("u"), Some("un"));
        assert_eq!(offers(&["größe", "größte"]).common(""), Some("größ"));
        assert_eq!(offers(&["a", "ab"]).common("a"), None);
        assert_eq!(offers(&["web"]).common("w"), Some("web"));
    }
}
