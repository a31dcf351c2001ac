//! How two texts differ, line by line: the fewest lines taken out and put in, in hunks with some lines around them.
//!
//! Source of the method: E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), the greedy form, which
//! keeps how far each round came; texts that differ too much for that are told as replaced.

use serde::Serialize;
use std::collections::HashMap;

/// Most lines taken out and put in that are looked for; the memory is their square, four bytes each.
const EDITS: isize = 2000;

/// Lines around a difference.
const AROUND: usize = 3;

/// Where a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Mark {
    /// In both.
    Same,
    /// In the old text only.
    Old,
    /// In the new text only.
    New,
}

/// A stretch of lines with a difference in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Hunk {
    /// Its first line in the old text, from 1; the line before it if it has none there.
    pub old_start: usize,
    /// How many lines of the old text it has.
    pub old_lines: usize,
    /// Its first line in the new text, from 1; the line before it if it has none there.
    pub new_start: usize,
    /// How many lines of the new text it has.
    pub new_lines: usize,
    /// The lines with their ends; the last one of a text may have none.
    pub lines: Vec<(Mark, String)>,
}

/// The differences of two texts; none if they are the same.
pub fn hunks(old: &str, new: &str) -> Vec<Hunk> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    gather(&marks(&old, &new), &old, &new)
}

/// What to do to get from one text to the other.
fn marks(old: &[&str], new: &[&str]) -> Vec<Mark> {
    let before = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let after = old[before..].iter().rev().zip(new[before..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[before..old.len() - after], &new[before..new.len() - after]);
    // Lines are compared often: as numbers.
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    for line in a.iter().chain(b) {
        let next = numbers.len() as u32;
        numbers.entry(line).or_insert(next);
    }
    let told = |lines: &[&str]| lines.iter().map(|line| numbers[line]).collect::<Vec<u32>>();
    let (left, right) = (told(a), told(b));
    let middle = shortest(&left, &right).unwrap_or_else(|| [vec![Mark::Old; a.len()], vec![Mark::New; b.len()]].concat());
    [vec![Mark::Same; before], middle, vec![Mark::Same; after]].concat()
}

/// The shortest way, if it is not too long.
fn shortest(a: &[u32], b: &[u32]) -> Option<Vec<Mark>> {
    let (wide, high) = (a.len() as isize, b.len() as isize);
    let most = (wide + high).min(EDITS);
    // How far along `a` each diagonal came; diagonal k is at place most + 1 + k.
    let mut reach = vec![0_i32; 2 * most as usize + 3];
    let at = |k: isize| (most + 1 + k) as usize;
    let mut rounds: Vec<Vec<i32>> = Vec::new();
    for edits in 0..=most {
        rounds.push(reach[at(-edits)..=at(edits)].to_vec());
        for k in (-edits..=edits).step_by(2) {
            let down = k == -edits || (k != edits && reach[at(k - 1)] < reach[at(k + 1)]);
            let mut x = if down { reach[at(k + 1)] } else { reach[at(k - 1)] + 1 } as isize;
            while x < wide && x - k < high && a[x as usize] == b[(x - k) as usize] {
                x += 1;
            }
            reach[at(k)] = x as i32;
            if x >= wide && x - k >= high {
                return Some(back(&rounds, wide, high));
            }
        }
    }
    None
}

/// The way back from the end through what each round had reached before it.
fn back(rounds: &[Vec<i32>], wide: isize, high: isize) -> Vec<Mark> {
    let mut marks = Vec::new();
    let (mut x, mut y) = (wide, high);
    for (edits, reach) in rounds.iter().enumerate().skip(1).rev() {
        let edits = edits as isize;
        let reached = |k: isize| reach[(k + edits) as usize] as isize;
        let k = x - y;
        let down = k == -edits || (k != edits && reached(k - 1) < reached(k + 1));
        let from = if down { k + 1 } else { k - 1 };
        let (from_x, from_y) = (reached(from), reached(from) - from);
        while x > from_x && y > from_y {
            marks.push(Mark::Same);
            (x, y) = (x - 1, y - 1);
        }
        marks.push(if down { Mark::New } else { Mark::Old });
        (x, y) = (from_x, from_y);
    }
    marks.extend(std::iter::repeat_n(Mark::Same, x as usize));
    marks.reverse();
    marks
}

/// Hunks around what differs; two that would touch are one.
fn gather(marks: &[Mark], old: &[&str], new: &[&str]) -> Vec<Hunk> {
    let mut hunks = Vec::new();
    let mut at = 0;
    let (mut x, mut y) = (0, 0);
    while let Some(next) = marks[at..].iter().position(|mark| *mark != Mark::Same) {
        let first = at + next;
        let begin = first.saturating_sub(AROUND).max(at);
        (x, y) = (x + begin - at, y + begin - at);
        let mut end = first + 1;
        // As long as the next difference is near enough for both to share what is around them.
        while let Some(more) = marks[end..].iter().take(2 * AROUND + 1).position(|mark| *mark != Mark::Same) {
            end += more + 1;
        }
        let end = (end + AROUND).min(marks.len());
        let (old_at, new_at) = (x, y);
        let mut lines = Vec::with_capacity(end - begin);
        for mark in &marks[begin..end] {
            let line = if *mark == Mark::New { new[y] } else { old[x] };
            lines.push((*mark, line.to_owned()));
            x += usize::from(*mark != Mark::New);
            y += usize::from(*mark != Mark::Old);
        }
        let start = |at: usize, count: usize| if count == 0 { at } else { at + 1 };
        let (old_lines, new_lines) = (x - old_at, y - new_at);
        hunks.push(Hunk { old_start: start(old_at, old_lines), old_lines, new_start: start(new_at, new_lines), new_lines, lines });
        at = end;
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write;

    fn shown(old: &str, new: &str) -> String {
        let mut text = String::new();
        for hunk in hunks(old, new) {
            writeln!(text, "@@ -{},{} +{},{} @@", hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines).unwrap();
            for (mark, line) in hunk.lines {
                text.push(match mark {
                    Mark::Same => ' ',
                    Mark::Old => '-',
                    Mark::New => '+',
                });
                text += &line;
            }
        }
        text
    }

    /// The new text, made from the old one and the hunks.
    fn patched(old: &str, hunks: &[Hunk]) -> String {
        let lines: Vec<&str> = old.split_inclusive('\n').collect();
        let (mut text, mut at) = (String::new(), 0);
        for hunk in hunks {
            let start = if hunk.old_lines == 0 { hunk.old_start } else { hunk.old_start - 1 };
            text.extend(lines[at..start].iter().copied());
            at = start;
            for (mark, line) in &hunk.lines {
                match mark {
                    Mark::New => text += line,
                    Mark::Same | Mark::Old => {
                        assert_eq!(lines[at], line);
                        at += 1;
                        if *mark == Mark::Same {
                            text += line;
                        }
                    }
                }
            }
        }
        text.extend(lines[at..].iter().copied());
        text
    }

    #[test]
    fn differences_are_told_as_diff_tells_them() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n";
        let new = old.replacen("\n3\n", "\nthree\n", 1).replace("18\n", "");
        let expected = "@@ -1,6 +1,6 @@\n 1\n 2\n-3\n+three\n 4\n 5\n 6\n@@ -15,6 +15,5 @@\n 15\n 16\n 17\n-18\n 19\n 20\n";
        assert_eq!(shown(old, &new), expected);
        assert_eq!(shown("", "a\nb"), "@@ -0,0 +1,2 @@\n+a\n+b");
        assert_eq!(shown("a\n", ""), "@@ -1,1 +0,0 @@\n-a\n");
        assert_eq!(shown("same\n", "same\n"), "");
        assert_eq!(shown("a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n").matches(['+', '-']).count() - 2, 5, "the fewest: five edits");
    }

    #[test]
    fn texts_without_anything_in_common_are_replaced() {
        let text = |word: &str| (0..3000).map(|n| format!("{word} {n}\n")).collect::<Vec<_>>().concat();
        let told = hunks(&text("old"), &text("new"));
        assert_eq!((told.len(), told[0].old_lines, told[0].new_lines), (1, 3000, 3000));
        assert_eq!(patched(&text("old"), &told), text("new"));
    }

    proptest! {
        #[test]
        fn a_text_and_its_hunks_give_the_other(old in "([abc]?\n){0,40}[ab]?", new in "([abc]?\n){0,40}[ab]?") {
            let told = hunks(&old, &new);
            prop_assert_eq!(patched(&old, &told), new.clone());
            prop_assert_eq!(told.is_empty(), old == new);
            for hunk in &told {
                prop_assert!(hunk.lines.iter().any(|(mark, _)| *mark != Mark::Same));
            }
        }
    }
}
