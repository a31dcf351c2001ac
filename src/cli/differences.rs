//! `diff --content` in words: a patch that people and programs read, each line of it harmless.

use super::face::Face;
use super::perform::run;
use super::text;
use super::verb::Differing;
use super::{inspect, size};
use crate::engine::contents::unified::{Hunk, Mark};
use crate::engine::contents::{CONTENT, Difference, PATHS, Side};
use crate::engine::{Engine, Error, FileKind, Result};
use crate::job::contents::{Compared, Contents};
use serde_json::{Value, json};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `diff`, with contents or without.
pub async fn diff(verb: Differing, engine: &Engine, face: &mut Face) -> Result<i32> {
    if !verb.content {
        if verb.path.is_some() {
            return Err(Error::invalid("diff takes a path only with --content").hint("add --content to see what changed in it"));
        }
        return inspect::diff(&run(verb.job, engine, face).await?, face);
    }
    let Compared { differences, truncated } = run(Contents { container: verb.job.container, path: verb.path }, engine, face).await?;
    for difference in &differences {
        face.print(&patch(difference))?;
    }
    if truncated {
        face.note(&format!("more than {PATHS} paths changed: name a path to see the others"))?;
    }
    face.give(Value::Array(differences.iter().map(value).collect()));
    Ok(0)
}

fn name(path: &Path) -> String {
    text::clean_bytes(path.as_os_str().as_bytes())
}

fn kind(side: &Side) -> &'static str {
    match side.kind {
        FileKind::File => "file",
        FileKind::Folder => "folder",
        FileKind::Link => "symbolic link",
        FileKind::Device => "device",
        FileKind::Fifo => "named pipe",
        FileKind::Socket => "socket",
    }
}

/// One path: what changed about it, then the lines.
fn patch(difference: &Difference) -> String {
    let path = name(&difference.path);
    let mut out = format!("diff a/{path} b/{path}\n");
    // Writing to a string cannot fail.
    let mut say = |line: String| {
        let _ = writeln!(out, "{line}");
    };
    match (&difference.old, &difference.new) {
        (None, Some(new)) => say(format!("new {} mode {:04o} owner {}:{}", kind(new), new.mode, new.uid, new.gid)),
        (Some(old), None) => say(format!("deleted {} mode {:04o} owner {}:{}", kind(old), old.mode, old.uid, old.gid)),
        (Some(old), Some(new)) => {
            if old.kind != new.kind {
                say(format!("old {}, new {}", kind(old), kind(new)));
            }
            if old.mode != new.mode {
                say(format!("old mode {:04o}\nnew mode {:04o}", old.mode, new.mode));
            }
            if (old.uid, old.gid) != (new.uid, new.gid) {
                say(format!("old owner {}:{}\nnew owner {}:{}", old.uid, old.gid, new.uid, new.gid));
            }
        }
        (None, None) => {}
    }
    for (sign, side) in [('-', &difference.old), ('+', &difference.new)] {
        if let Some(target) = side.as_ref().and_then(|side| side.target.as_ref()) {
            say(format!("{sign}-> {}", name(target)));
        }
    }
    let bytes = |side: &Option<Side>| side.as_ref().and_then(|side| side.content.as_ref()).map_or(0, |content| content.size);
    match &difference.text {
        Some(hunks) if !hunks.is_empty() => {
            let label = |there: bool, letter: char| if there { format!("{letter}/{path}") } else { "/dev/null".to_owned() };
            say(format!("--- {}\n+++ {}", label(difference.old.is_some(), 'a'), label(difference.new.is_some(), 'b')));
            out.extend(hunks.iter().map(lines));
        }
        None if difference.is_binary() => {
            say(format!("binary content: {} before, {} now", size::decimal(bytes(&difference.old)), size::decimal(bytes(&difference.new))));
        }
        _ => {}
    }
    if difference.is_cut() {
        let _ = writeln!(out, "only the first {} of the content were compared", size::decimal(CONTENT as u64));
    }
    out
}

fn lines(hunk: &Hunk) -> String {
    let mut out = format!("@@ -{},{} +{},{} @@\n", hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines);
    for (mark, line) in &hunk.lines {
        out.push(match mark {
            Mark::Same => ' ',
            Mark::Old => '-',
            Mark::New => '+',
        });
        out.push_str(&text::clean_block(line));
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
    out
}

fn value(difference: &Difference) -> Value {
    let side = |side: &Option<Side>| {
        side.as_ref().map(|side| {
            json!({
                "Type": kind(side),
                "Mode": format!("{:04o}", side.mode),
                "Uid": side.uid,
                "Gid": side.gid,
                "Target": side.target.as_deref().map(name),
                "Size": side.content.as_ref().map(|content| content.size),
            })
        })
    };
    json!({
        "Path": format!("/{}", name(&difference.path)),
        "Old": side(&difference.old),
        "New": side(&difference.new),
        "Binary": difference.is_binary(),
        "Truncated": difference.is_cut(),
        "Hunks": difference.text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::contents::unified::hunks;
    use crate::engine::layers::Head;

    fn file(mode: u32, text: &str) -> Side {
        let content = Some(Head { bytes: text.as_bytes().to_vec(), size: text.len() as u64 });
        Side { kind: FileKind::File, mode, uid: 0, gid: 0, target: None, content }
    }

    #[test]
    fn a_patch_is_one_and_harmless() {
        let (old, new) = ("a\nb\n", "a\n\x1b[2Jc");
        let difference = Difference { path: "etc/x\x1b".into(), old: Some(file(0o644, old)), new: Some(file(0o4755, new)), text: Some(hunks(old, new)) };
        let expected = "diff a/etc/x\\x1b b/etc/x\\x1b\nold mode 0644\nnew mode 4755\n--- a/etc/x\\x1b\n+++ b/etc/x\\x1b\n\
            @@ -1,2 +1,2 @@\n a\n-b\n+\\x1b[2Jc\n\\ No newline at end of file\n";
        assert_eq!(patch(&difference), expected);
    }

    #[test]
    fn links_and_binaries_are_told() {
        let link = |to: &str| Side { kind: FileKind::Link, target: Some(to.into()), content: None, ..file(0o777, "") };
        let links = Difference { path: "l".into(), old: Some(link("a")), new: Some(link("b")), text: None };
        assert_eq!(patch(&links), "diff a/l b/l\n-> a\n+-> b\n".replace("\n-> a", "\n--> a"));
        let binary = Difference { path: "b".into(), old: None, new: Some(file(0o600, "\0\0")), text: None };
        assert_eq!(patch(&binary), "diff a/b b/b\nnew file mode 0600 owner 0:0\nbinary content: 0B before, 2B now\n");
    }
}
