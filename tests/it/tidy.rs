//! The rules of the house that a machine can keep: who imports whom, where `unsafe` lives, how files begin and end.

use crate::rust_text::{self, RustText};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom, low to high: only what is listed, and one's own room.
const IMPORTS: &[(&str, &[&str])] = &[
    ("sys", &[]),
    ("id", &[]),
    ("graphdb", &[]),
    ("api", &[]),
    ("container", &["id"]),
    ("text", &["container"]),
    ("registry", &["id"]),
    ("graph", &["id", "container", "graphdb"]),
    ("graphdriver", &["id", "sys", "container"]),
    ("networkdriver", &["id", "sys", "container"]),
    ("execdriver", &["id", "sys", "container"]),
    ("monitor", &["id", "sys", "container", "execdriver", "networkdriver", "graphdriver", "graphdb"]),
    ("engine", &["container", "graph", "graphdb", "graphdriver", "networkdriver", "execdriver", "registry", "monitor", "id"]),
    ("job", &["engine", "container", "graph", "registry", "id"]),
    ("server", &["api", "job", "engine", "container", "id"]),
    ("client", &["api"]),
    ("tui", &["job", "engine", "container", "id", "text"]),
    ("cli", &["api", "client", "container", "engine", "graph", "graphdb", "id", "job", "monitor", "server", "text", "tui"]),
];

/// What main.rs may name: the re-execution checks, then the command line.
const MAIN: &[&str] = &["cli", "execdriver", "monitor", "networkdriver"];

/// Everything that may lie at the top, beside names that begin with a dot.
const TOP: &[&str] = &["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "assets", "src", "target", "tests", "themes"];

/// What must lie there.
const TOP_NEEDED: &[&str] = &["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "src", "tests"];

const LINES: usize = 500;
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];
const EMPTY_ENDINGS: &[&str] = &["Handler", "Helper", "Helpers", "Manager", "Util", "Utils"];
const UNFINISHED_MACROS: &[&str] = &["dbg", "todo", "unimplemented"];
const UNFINISHED_MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// A file of the package: its path from the top and its text.
struct File {
    path: String,
    text: String,
}

impl File {
    fn parts(&self) -> RustText {
        rust_text::read(&self.text)
    }

    /// `graph` for src/graph/diff.rs and src/graph.rs; `None` for main.rs, lib.rs, build.rs and what is not in src.
    fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let room = inside.split('/').next().unwrap_or(inside);
        let room = room.strip_suffix(".rs").unwrap_or(room);
        (!matches!(room, "main" | "lib" | "build")).then_some(room)
    }

    /// How many modules deep it is: 1 for src/graph/mod.rs, 2 for src/graph/diff.rs.
    fn depth(&self) -> usize {
        let parts: Vec<&str> = self.path.trim_start_matches("src/").split('/').collect();
        match parts.last() {
            Some(&"mod.rs") => parts.len() - 1,
            Some(&("lib.rs" | "main.rs" | "build.rs")) if parts.len() == 1 => 0,
            _ => parts.len(),
        }
    }
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            files.push(path);
        }
    }
}

fn rust_files(folders: &[&str]) -> Vec<File> {
    let mut paths = Vec::new();
    for folder in folders {
        collect(&top().join(folder), &mut paths);
    }
    let files: Vec<File> = paths
        .into_iter()
        .map(|path| File { path: path.strip_prefix(top()).unwrap().display().to_string(), text: fs::read_to_string(&path).unwrap() })
        .collect();
    assert!(files.len() > 5, "only {} Rust files found below {folders:?}: the search itself is broken", files.len());
    files
}

/// Every offence in every file, or nothing.
fn check(folders: &[&str], rule: &str, offences: impl Fn(&File) -> Vec<String>) {
    let mut list = String::new();
    for file in rust_files(folders) {
        for offence in offences(&file) {
            let _ = write!(list, "\n  {}:{offence}", file.path);
        }
    }
    assert!(list.is_empty(), "{rule}{list}");
}

fn forbidden_imports(file: &File) -> Vec<String> {
    let table: BTreeMap<&str, &[&str]> = IMPORTS.iter().copied().collect();
    let tokens = file.parts().tokens;
    let Some(room) = file.room() else {
        return if file.path == "src/main.rs" { main_imports(&tokens) } else { Vec::new() };
    };
    let Some(allowed) = table.get(room) else {
        return vec![format!("1: {room} is no room of the house: give it a line in IMPORTS of tests/it/tidy.rs")];
    };
    rust_text::rooms_named(&tokens, file.depth())
        .into_iter()
        .filter(|named| named.text != room && !allowed.contains(&named.text.as_str()))
        .map(|named| format!("{}: {room} may not import {}; it may import {allowed:?}", named.line, named.text))
        .collect()
}

fn main_imports(tokens: &[rust_text::Token]) -> Vec<String> {
    tokens
        .windows(3)
        .filter(|three| three[0].text == "kapal" && three[1].text == "::" && !MAIN.contains(&three[2].text.as_str()))
        .map(|three| format!("{}: main.rs may not name {}; it may name {MAIN:?}", three[2].line, three[2].text))
        .collect()
}

fn stray_unsafe(file: &File) -> Vec<String> {
    if file.room() == Some("sys") {
        return Vec::new();
    }
    let lints_here = file.path == "src/lib.rs";
    let tokens = file.parts().tokens;
    tokens
        .iter()
        .filter(|token| token.text == "unsafe" || (token.text == "unsafe_code" && !lints_here))
        .map(|token| format!("{}: {}", token.line, token.text))
        .collect()
}

fn missing_sentence(file: &File) -> Vec<String> {
    let paragraph: Vec<&str> = file.text.lines().map_while(|line| line.strip_prefix("//! ")).collect();
    match paragraph.last() {
        None => vec!["1: does not open with `//! ` and what it is for".to_owned()],
        Some(line) if !line.trim_end().ends_with('.') => vec![format!("{}: its first paragraph is no sentence with a full stop", paragraph.len())],
        Some(_) => Vec::new(),
    }
}

fn too_long(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines > LINES { vec![format!("{lines}: longer than {LINES} lines")] } else { Vec::new() }
}

fn unfinished(file: &File) -> Vec<String> {
    let parts = file.parts();
    let macros = parts.tokens.windows(2).filter(|two| two[1].text == "!" && UNFINISHED_MACROS.contains(&two[0].text.as_str()));
    let marks = parts.comments.iter().filter(|comment| comment.text.split(|c: char| !c.is_alphanumeric()).any(|word| UNFINISHED_MARKS.contains(&word)));
    macros.map(|two| format!("{}: {}!", two[0].line, two[0].text)).chain(marks.map(|comment| format!("{}: {}", comment.line, comment.text.trim()))).collect()
}

fn empty_names(file: &File) -> Vec<String> {
    let mut list = Vec::new();
    for part in file.path.split('/') {
        let stem = part.strip_suffix(".rs").unwrap_or(part);
        let ending = stem.rsplit('_').next().unwrap_or(stem);
        if EMPTY_NAMES.contains(&ending) || EMPTY_ENDINGS.iter().any(|word| word.to_lowercase() == ending) {
            list.push(format!("1: a file called {part}"));
        }
    }
    for two in file.parts().tokens.windows(2) {
        let (kind, name) = (two[0].text.as_str(), two[1].text.as_str());
        let empty = match kind {
            "mod" => EMPTY_NAMES.contains(&name),
            "struct" | "enum" | "trait" | "type" | "union" => EMPTY_ENDINGS.iter().any(|ending| name.ends_with(ending)),
            _ => false,
        };
        if empty {
            list.push(format!("{}: {kind} {name}", two[1].line));
        }
    }
    list
}

fn unmentioned<'a>(rooms: impl IntoIterator<Item = &'a str>, text: &str) -> Vec<&'a str> {
    rooms.into_iter().filter(|room| !text.contains(&format!("`{room}`"))).collect()
}

#[test]
fn rooms_import_only_what_their_line_lists() {
    check(&["src"], "imports between rooms (the table is IMPORTS in tests/it/tidy.rs):", forbidden_imports);
}

#[test]
fn the_table_of_imports_has_no_circle() {
    for (at, (room, allowed)) in IMPORTS.iter().enumerate() {
        for other in *allowed {
            let below = IMPORTS.iter().position(|(name, _)| name == other);
            assert!(below.is_some_and(|below| below < at), "{room} may import {other}, which is not below it in IMPORTS");
        }
    }
}

#[test]
fn unsafe_lives_in_sys() {
    check(&["src"], "`unsafe` outside src/sys: wrap it there:", stray_unsafe);
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    check(&["src", "tests"], "files without an opening `//!` sentence:", missing_sentence);
}

#[test]
fn no_file_is_long() {
    check(&["src", "tests"], "files to split by noun:", too_long);
}

#[test]
fn nothing_is_left_unfinished() {
    check(&["src", "tests"], "unfinished work:", unfinished);
}

#[test]
fn names_say_something() {
    check(&["src", "tests"], "names that say nothing (call it what it is):", empty_names);
}

#[test]
fn the_top_is_fixed() {
    let names: Vec<String> = fs::read_dir(top()).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    let strangers: Vec<&String> = names.iter().filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str())).collect();
    assert!(strangers.is_empty(), "at the top lie only {TOP:?}; these do not belong there: {strangers:?}");
    let missing: Vec<&&str> = TOP_NEEDED.iter().filter(|name| !names.iter().any(|there| there == *name)).collect();
    assert!(missing.is_empty(), "missing at the top: {missing:?}");
}

#[test]
fn the_architecture_names_every_room() {
    let text = fs::read_to_string(top().join("src/ARCHITECTURE.md")).unwrap();
    let files = rust_files(&["src"]);
    let mut rooms: Vec<&str> = files.iter().filter_map(File::room).collect();
    rooms.dedup();
    let missing = unmentioned(rooms, &text);
    assert!(missing.is_empty(), "src/ARCHITECTURE.md says nothing of {missing:?} (write each name `so`)");
}

#[test]
fn there_is_no_error_enum_for_all() {
    for path in ["src/error.rs", "src/error/mod.rs", "src/errors.rs"] {
        assert!(!top().join(path).exists(), "{path}: errors belong to the room that makes them");
    }
}

mod planted {
    //! Each rule catches the offence it is there for.

    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn imports() {
        assert_eq!(forbidden_imports(&file("src/cli/ps.rs", "use crate::sys::pidfd;")).len(), 1);
        assert_eq!(forbidden_imports(&file("src/cli/ps.rs", "fn f() { super::super::registry::pull() }")).len(), 1);
        assert_eq!(forbidden_imports(&file("src/graphdb/mod.rs", "use crate::{id::Digest, graphdb::x};")).len(), 1);
        assert_eq!(forbidden_imports(&file("src/graphdriver/vfs.rs", "use crate::execdriver::X;")).len(), 1);
        assert_eq!(forbidden_imports(&file("src/attic/mod.rs", "")).len(), 1);
        assert_eq!(forbidden_imports(&file("src/main.rs", "fn main() { kapal::sys::x() }")).len(), 1);
        assert_eq!(forbidden_imports(&file("src/main.rs", "fn main() { kapal::cli::main() }")), [""; 0]);
        assert_eq!(forbidden_imports(&file("src/cli/ps.rs", "use crate::{engine, job::{ps, stop}}; use super::table;")), [""; 0]);
        assert_eq!(forbidden_imports(&file("src/id.rs", "mod tests { use super::*; }")), [""; 0]);
    }

    #[test]
    fn unsafe_words() {
        assert_eq!(stray_unsafe(&file("src/monitor/mod.rs", "fn f() { unsafe { g() } }")), ["1: unsafe"]);
        assert_eq!(stray_unsafe(&file("src/monitor/mod.rs", "#![allow(unsafe_code)]")), ["1: unsafe_code"]);
        assert_eq!(stray_unsafe(&file("src/monitor/mod.rs", "// unsafe\nlet a = \"unsafe\";")), [""; 0]);
        assert_eq!(stray_unsafe(&file("src/sys/clone.rs", "unsafe {}")), [""; 0]);
    }

    #[test]
    fn openings() {
        assert_eq!(missing_sentence(&file("src/a.rs", "use x;")).len(), 1);
        assert_eq!(missing_sentence(&file("src/a.rs", "//! Words without an end\n\nuse x;")).len(), 1);
        assert_eq!(missing_sentence(&file("src/a.rs", "//! A sentence\n//! on two lines.\n//!\n//! ```text")), [""; 0]);
    }

    #[test]
    fn lengths() {
        assert_eq!(too_long(&file("src/a.rs", &"\n".repeat(501))).len(), 1);
        assert_eq!(too_long(&file("src/a.rs", &"\n".repeat(500))), [""; 0]);
    }

    #[test]
    fn unfinished_work() {
        assert_eq!(unfinished(&file("src/a.rs", concat!("// TO", "DO: later"))).len(), 1);
        assert_eq!(unfinished(&file("src/a.rs", "fn f() { todo!() }")), ["1: todo!"]);
        assert_eq!(unfinished(&file("src/a.rs", "fn f() {\n dbg!(1); }")), ["2: dbg!"]);
        assert_eq!(unfinished(&file("src/a.rs", "// a todo-list\nlet todo = \"todo!()\";")), [""; 0]);
    }

    #[test]
    fn names() {
        assert_eq!(empty_names(&file("src/cli/utils.rs", "")).len(), 1);
        assert_eq!(empty_names(&file("src/cli/signal_handler.rs", "")).len(), 1);
        assert_eq!(empty_names(&file("src/a.rs", "mod common { }\nstruct JobManager;")).len(), 2);
        assert_eq!(empty_names(&file("src/a.rs", "struct Management; fn handler() {}")), [""; 0]);
    }

    #[test]
    fn rooms_nobody_mentions() {
        assert_eq!(unmentioned(["graph", "cli"], "the `cli` and the graph"), ["graph"]);
    }
}
