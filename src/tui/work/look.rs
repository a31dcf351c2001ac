//! Images, layers and files looked into: what walks the disk, done where it holds nobody up.

use crate::engine::{Engine, Error, FileKind, Kind, LayerChange, LayerEntry, Result};
use crate::id::LayerId;
use crate::text;
use crate::tui::effect::Question;
use crate::tui::msg::{Answer, Files};
use crate::tui::widget::tree::{Leaf, Mark, Tree};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most bytes of a file that are shown.
pub const SHOWN: usize = 512 << 10;

/// Answers a question of this kind; `None` for others. It takes as long as the disk does.
pub async fn look(engine: Engine, question: Question) -> Result<Option<Answer>> {
    let work = move || {
        Ok(Some(match question {
            Question::Graph => Answer::Graph(Arc::new(engine.image_graph()?)),
            Question::History(id) => Answer::History(engine.history(id.as_str())?),
            Question::Wasted(id) => Answer::Wasted(engine.wasted(&engine.image(id.as_str())?)?),
            Question::Files { layers, all } => Answer::Files(Box::new(files(&engine, layers, all)?)),
            Question::Content(layer, path) => Answer::Content(engine.layer_file(&layer, &path, SHOWN)?),
            Question::Difference(id, path) => Answer::Difference(Box::new(engine.content_change(&engine.container(id.as_str())?, &path)?)),
            _ => return Ok(None),
        }))
    };
    let failed = |error: tokio::task::JoinError| Error::new(Kind::Cancelled, format!("looking was cut short: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

fn files(engine: &Engine, layers: Vec<LayerId>, all: bool) -> Result<Files> {
    let last = layers.len().saturating_sub(1);
    let mut truncated = false;
    let mut seen: BTreeMap<PathBuf, (usize, LayerEntry)> = BTreeMap::new();
    for (at, layer) in layers.iter().enumerate().skip(if all { 0 } else { last }) {
        let tree = engine.layer_tree(layer)?;
        truncated |= tree.truncated;
        tree.entries.into_iter().for_each(|entry| lay(&mut seen, at, at == last, entry));
    }
    let entries: Vec<(usize, LayerEntry)> = seen.into_values().collect();
    let tree = Tree::new(entries.iter().map(|(_, entry)| leaf(entry)).collect());
    Ok(Files { layers, entries, tree, truncated })
}

fn leaf(entry: &LayerEntry) -> Leaf {
    let after = match (entry.kind, &entry.target) {
        (FileKind::Link, Some(target)) => format!("→ {}", text::clean_bytes(target.as_os_str().as_bytes())),
        (FileKind::Device, _) => "device".to_owned(),
        (FileKind::Fifo, _) => "pipe".to_owned(),
        (FileKind::Socket, _) => "socket".to_owned(),
        _ => String::new(),
    };
    let mark = match entry.change {
        LayerChange::Added => Mark::Added,
        LayerChange::Changed => Mark::Changed,
        LayerChange::Removed => Mark::Removed,
        LayerChange::Unchanged => Mark::Same,
    };
    let about = format!("{} {}:{}", permissions(entry.kind, entry.mode), entry.uid, entry.gid);
    Leaf { path: entry.path.clone(), mark, folder: entry.kind == FileKind::Folder, size: entry.size, after, about }
}

/// `-rwsr-xr-x`, as `ls -l` writes it.
fn permissions(kind: FileKind, mode: u32) -> String {
    let first = match kind {
        FileKind::File => '-',
        FileKind::Folder => 'd',
        FileKind::Link => 'l',
        FileKind::Device => 'b',
        FileKind::Fifo => 'p',
        FileKind::Socket => 's',
    };
    let bit = |bit: u32, sign: char| if mode & bit == 0 { '-' } else { sign };
    // Setuid, setgid and sticky stand in the place of x, as a capital if x is not there.
    let special = |bit: u32, special: u32, sign: char| match (mode & bit != 0, mode & special != 0) {
        (true, true) => sign,
        (false, true) => sign.to_ascii_uppercase(),
        (true, false) => 'x',
        (false, false) => '-',
    };
    [
        first,
        bit(0o400, 'r'),
        bit(0o200, 'w'),
        special(0o100, 0o4000, 's'),
        bit(0o040, 'r'),
        bit(0o020, 'w'),
        special(0o010, 0o2000, 's'),
        bit(0o004, 'r'),
        bit(0o002, 'w'),
        special(0o001, 0o1000, 't'),
    ]
    .into_iter()
    .collect()
}

/// Lays an entry of the layer `at` upon those of the layers below; what the last one removes stays to be seen.
fn lay(seen: &mut BTreeMap<PathBuf, (usize, LayerEntry)>, at: usize, is_last: bool, mut entry: LayerEntry) {
    let is_folder = entry.kind == FileKind::Folder;
    match entry.change {
        LayerChange::Removed => {
            forget_below(seen, &entry.path);
            if !is_last {
                seen.remove(&entry.path);
                return;
            }
        }
        // A folder that became something else takes along what was in it.
        _ if !is_folder => forget_below(seen, &entry.path),
        LayerChange::Unchanged if seen.contains_key(&entry.path) => return,
        _ => {}
    }
    if !is_last {
        entry.change = LayerChange::Unchanged;
    }
    seen.insert(entry.path.clone(), (at, entry));
}

fn forget_below(seen: &mut BTreeMap<PathBuf, (usize, LayerEntry)>, path: &Path) {
    let below = (Bound::Excluded(path.to_owned()), Bound::Unbounded);
    let gone: Vec<PathBuf> = seen.range(below).map(|(inner, _)| inner).take_while(|inner| inner.starts_with(path)).cloned().collect();
    for inner in gone {
        seen.remove(&inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, change: LayerChange, kind: FileKind) -> LayerEntry {
        LayerEntry { path: path.into(), change, kind, size: 1, mode: 0o644, uid: 0, gid: 0, modified: 0, target: None, hidden: 0 }
    }

    #[test]
    fn permissions_are_written_as_ls_writes_them() {
        assert_eq!(permissions(FileKind::File, 0o4755), "-rwsr-xr-x");
        assert_eq!(permissions(FileKind::Folder, 0o1777), "drwxrwxrwt");
        assert_eq!(permissions(FileKind::Link, 0o2640), "lrw-r-S---");
    }

    #[test]
    fn layers_lie_upon_each_other() {
        use FileKind::{File, Folder};
        use LayerChange::{Added, Changed, Removed, Unchanged};
        let mut seen = BTreeMap::new();
        let below = [("a", Folder), ("a/x", File), ("a/y", File), ("a-b", File), ("c", Folder), ("c/z", File), ("d", Folder), ("d/q", File)];
        for (path, kind) in below {
            lay(&mut seen, 0, false, entry(path, Added, kind));
        }
        for (path, change, kind) in [("a", Unchanged, Folder), ("a/x", Changed, File), ("c", Removed, Folder), ("d", Changed, File)] {
            lay(&mut seen, 1, true, entry(path, change, kind));
        }
        let told: Vec<(&str, usize, LayerChange)> = seen.iter().map(|(path, (at, entry))| (path.to_str().unwrap(), *at, entry.change)).collect();
        assert_eq!(
            told,
            [("a", 0, Unchanged), ("a/x", 1, Changed), ("a/y", 0, Unchanged), ("a-b", 0, Unchanged), ("c", 1, Removed), ("d", 1, Changed)],
            "a-b is no part of a"
        );
    }
}
