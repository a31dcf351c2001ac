//! A tree of files that is walked, folded, sorted and filtered. It is built once; what is closed costs nothing, and only
//! what is visible is drawn.

use crate::text;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// What happened to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Nothing; a folder may hold what was changed.
    #[default]
    Same,
    /// It came.
    Added,
    /// It is another.
    Changed,
    /// It went.
    Removed,
}

/// A file, as whoever builds the tree knows it.
#[derive(Clone, Debug, Default)]
pub struct Leaf {
    /// Relative to the root.
    pub path: PathBuf,
    /// What happened to it.
    pub mark: Mark,
    /// It can hold others, even if none is listed.
    pub folder: bool,
    /// Its own bytes.
    pub size: u64,
    /// Beside its name: where a link leads.
    pub after: String,
    /// Permissions and owners.
    pub about: String,
}

/// What is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Folders first, then by letters.
    Name,
    /// The largest first.
    Size,
}

/// A place in the tree.
#[derive(Clone, Debug)]
pub struct Node {
    /// Harmless text.
    pub name: String,
    /// Which file of the list it is; none for a folder that only its content tells of.
    pub leaf: Option<usize>,
    /// What happened to it.
    pub mark: Mark,
    /// Bytes of it and all it holds.
    pub size: u64,
    /// It can be opened.
    pub folder: bool,
    /// What it holds is shown.
    pub open: bool,
    parent: usize,
    children: Vec<usize>,
    sorted: Option<Order>,
    /// The filter lets it through, or something in it.
    passes: bool,
}

/// A line of what is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its node.
    pub node: usize,
    /// How many folders it lies in.
    pub depth: usize,
}

/// The place of the root, which is not shown.
const ROOT: usize = 0;
/// So many lines of a tree are shown opened from the start.
const FEW: usize = 24;

/// The tree.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    leaves: Vec<Leaf>,
    lines: Vec<Line>,
    order: Order,
    filter: String,
    /// Which line is selected.
    pub at: usize,
}

impl Node {
    /// Whether it holds nothing that is listed.
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Tree {
    /// A tree of files.
    pub fn new(mut leaves: Vec<Leaf>) -> Self {
        if !leaves.is_sorted_by(|a, b| a.path <= b.path) {
            leaves.sort_by(|a, b| a.path.cmp(&b.path));
        }
        let root = Node { open: true, folder: true, ..node(ROOT, String::new()) };
        let mut tree = Self { nodes: vec![root], leaves, lines: Vec::new(), order: Order::Name, filter: String::new(), at: 0 };
        tree.build();
        let few = tree.nodes.len() <= FEW;
        tree.nodes.iter_mut().for_each(|node| node.open |= few && node.folder);
        tree.flatten();
        tree
    }

    fn build(&mut self) {
        // The way to the last one: what follows in sorted order shares a beginning of it.
        let mut way: Vec<(&[u8], usize)> = Vec::new();
        let mut nodes = std::mem::take(&mut self.nodes);
        for (index, leaf) in self.leaves.iter().enumerate() {
            let names = leaf.path.components().filter_map(|part| if let Component::Normal(name) = part { Some(name.as_bytes()) } else { None });
            let mut depth = 0;
            for name in names {
                if way.get(depth).is_none_or(|&(known, _)| known != name) {
                    way.truncate(depth);
                    let parent = way.last().map_or(ROOT, |&(_, parent)| parent);
                    let place = nodes.len();
                    nodes.push(node(parent, text::clean_bytes(name)));
                    nodes[parent].children.push(place);
                    nodes[parent].folder = true;
                    way.push((name, place));
                }
                depth += 1;
            }
            way.truncate(depth);
            if let Some(&(_, place)) = way.last() {
                let own = &mut nodes[place];
                (own.leaf, own.mark, own.size) = (Some(index), leaf.mark, own.size + leaf.size);
                own.folder |= leaf.folder;
            }
        }
        // Children stand behind their parents: backwards, each is complete before it is added.
        for place in (1..nodes.len()).rev() {
            let (size, parent) = (nodes[place].size, nodes[place].parent);
            nodes[parent].size = nodes[parent].size.saturating_add(size);
        }
        self.nodes = nodes;
    }

    /// How many files and folders there are.
    pub fn count(&self) -> usize {
        self.nodes.len() - 1
    }

    /// Bytes of all.
    pub fn size(&self) -> u64 {
        self.nodes[ROOT].size
    }

    /// What is open, from the top.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// A node by its place.
    pub fn node(&self, place: usize) -> &Node {
        &self.nodes[place]
    }

    /// The file that a node is.
    pub fn leaf(&self, node: &Node) -> Option<&Leaf> {
        self.leaves.get(node.leaf?)
    }

    /// The selected one.
    pub fn selected(&self) -> Option<usize> {
        self.lines.get(self.at).map(|line| line.node)
    }

    /// The path of a node, relative to the root.
    pub fn path(&self, place: usize) -> PathBuf {
        // Folders may have no file of their own: each holds one whose path begins with theirs.
        let (mut below, mut steps) = (place, 0);
        loop {
            let own = &self.nodes[below];
            match (self.leaf(own), own.children.first()) {
                (Some(leaf), _) => return leaf.path.ancestors().nth(steps).map(Path::to_owned).unwrap_or_default(),
                (None, Some(&child)) => (below, steps) = (child, steps + 1),
                (None, None) => return PathBuf::new(),
            }
        }
    }

    /// What it is sorted by.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Sorts by something else; the selection stays with its file.
    pub fn sort(&mut self, order: Order) {
        self.order = order;
        self.flatten();
    }

    /// Shows only what has these letters in its name or path, and the way to it.
    pub fn filter(&mut self, words: &str) {
        let wanted = words.to_lowercase();
        if wanted == self.filter {
            return;
        }
        self.filter = wanted;
        if !self.filter.is_empty() {
            for place in 1..self.nodes.len() {
                let own = &self.nodes[place];
                let passes = match self.leaf(own) {
                    // A slash asks for a part of the path.
                    Some(leaf) if self.filter.contains('/') => format!("/{}", leaf.path.to_string_lossy()).to_lowercase().contains(&self.filter),
                    _ => own.name.to_lowercase().contains(&self.filter),
                };
                self.nodes[place].passes = passes;
            }
            for place in (1..self.nodes.len()).rev() {
                let (passes, parent) = (self.nodes[place].passes, self.nodes[place].parent);
                self.nodes[parent].passes |= passes;
            }
        }
        self.flatten();
    }

    fn flatten(&mut self) {
        let selected = self.selected();
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        let filtered = !self.filter.is_empty();
        let mut waiting = vec![Line { node: ROOT, depth: 0 }];
        while let Some(line) = waiting.pop() {
            if line.node != ROOT {
                lines.push(line);
            }
            let own = &self.nodes[line.node];
            if !(own.open || filtered) {
                continue;
            }
            if own.sorted != Some(self.order) {
                self.sort_children(line.node);
            }
            let depth = if line.node == ROOT { 0 } else { line.depth + 1 };
            let shown = self.nodes[line.node].children.iter().rev().filter(|&&child| !filtered || self.nodes[child].passes);
            waiting.extend(shown.map(|&child| Line { node: child, depth }));
        }
        let same = selected.and_then(|node| lines.iter().position(|line| line.node == node));
        self.at = same.unwrap_or(self.at).min(lines.len().saturating_sub(1));
        self.lines = lines;
    }

    fn sort_children(&mut self, place: usize) {
        let mut children = std::mem::take(&mut self.nodes[place].children);
        let by_name = |a: &Node, b: &Node| b.folder.cmp(&a.folder).then_with(|| a.name.cmp(&b.name));
        children.sort_by(|&a, &b| {
            let (a, b) = (&self.nodes[a], &self.nodes[b]);
            let first = if self.order == Order::Size { b.size.cmp(&a.size) } else { Ordering::Equal };
            first.then_with(|| by_name(a, b))
        });
        let own = &mut self.nodes[place];
        (own.children, own.sorted) = (children, Some(self.order));
    }

    /// Shows what the selected folder holds; if it does already, goes into it. False if it is no folder.
    pub fn unfold(&mut self) -> bool {
        let Some(place) = self.selected().filter(|&place| self.nodes[place].folder) else { return false };
        if self.nodes[place].open {
            let inside = !self.nodes[place].children.is_empty() && self.at + 1 < self.lines.len();
            self.at += usize::from(inside);
            return true;
        }
        let mut inner = place;
        // A folder with nothing but a folder in it is a step on the way.
        loop {
            self.nodes[inner].open = true;
            match self.nodes[inner].children.as_slice() {
                [only] if self.nodes[*only].folder => inner = *only,
                _ => break,
            }
        }
        self.flatten();
        true
    }

    /// Hides what the selected folder holds, or goes to the folder that it lies in.
    pub fn fold(&mut self) {
        let Some(place) = self.selected() else { return };
        if self.nodes[place].folder && self.nodes[place].open && self.filter.is_empty() {
            self.nodes[place].open = false;
            self.flatten();
            return;
        }
        let parent = self.nodes[place].parent;
        if parent != ROOT
            && let Some(at) = self.lines[..self.at].iter().rposition(|line| line.node == parent)
        {
            self.at = at;
        }
    }

    /// Opens the selected folder, or closes it. False if it is no folder.
    pub fn toggle(&mut self) -> bool {
        match self.selected().map(|place| &self.nodes[place]) {
            Some(own) if own.folder && own.open && self.filter.is_empty() => {
                self.fold();
                true
            }
            Some(own) if own.folder => self.unfold(),
            _ => false,
        }
    }

    /// Takes over what was open and selected in a tree before it.
    pub fn resume(&mut self, before: &Self) {
        if before.count() == 0 {
            return;
        }
        let open: HashSet<PathBuf> = (1..before.nodes.len()).filter(|&place| before.nodes[place].open).map(|place| before.path(place)).collect();
        let selected = before.selected().map(|place| before.path(place));
        for place in 1..self.nodes.len() {
            self.nodes[place].open = self.nodes[place].folder && open.contains(&self.path(place));
        }
        self.order = before.order;
        self.flatten();
        self.at = before.at.min(self.lines.len().saturating_sub(1));
        if let Some(wanted) = selected
            && let Some(at) = self.lines.iter().position(|line| self.path(line.node) == wanted)
        {
            self.at = at;
        }
        self.filter(&before.filter.clone());
    }
}

fn node(parent: usize, name: String) -> Node {
    Node { name, leaf: None, mark: Mark::Same, size: 0, folder: false, open: false, parent, children: Vec::new(), sorted: None, passes: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(files: &[(&str, u64)]) -> Tree {
        Tree::new(files.iter().map(|&(path, size)| Leaf { path: path.into(), size, ..Leaf::default() }).collect())
    }

    fn shown(tree: &Tree) -> Vec<String> {
        tree.lines().iter().map(|line| format!("{}{} {}", " ".repeat(line.depth), tree.node(line.node).name, tree.node(line.node).size)).collect()
    }

    #[test]
    fn folders_are_summed_and_come_first() {
        let tree = tree(&[("usr/bin/a", 3), ("etc/passwd", 1), ("usr/lib", 4), ("zero", 0), ("a-file", 2)]);
        assert_eq!(shown(&tree), ["etc 1", " passwd 1", "usr 7", " bin 3", "  a 3", " lib 4", "a-file 2", "zero 0"]);
        assert_eq!((tree.size(), tree.count()), (10, 8));
    }

    #[test]
    fn the_largest_come_first_and_the_selection_stays_with_its_file() {
        let mut tree = tree(&[("a", 1), ("b", 5), ("c/d", 3)]);
        tree.at = 2;
        assert_eq!(tree.path(tree.selected().unwrap()), Path::new("a"));
        tree.sort(Order::Size);
        assert_eq!(shown(&tree), ["b 5", "c 3", " d 3", "a 1"]);
        assert_eq!(tree.path(tree.selected().unwrap()), Path::new("a"));
    }

    #[test]
    fn what_is_folded_is_not_shown_and_a_way_without_branches_opens_at_once() {
        let files: Vec<Leaf> = (0..100).map(|n| Leaf { path: format!("usr/share/doc/{n:03}").into(), ..Leaf::default() }).collect();
        let mut tree = Tree::new(files);
        assert_eq!(tree.lines().len(), 1, "much stays folded");
        assert!(tree.unfold());
        assert_eq!((tree.lines().len(), tree.at), (103, 0));
        assert_eq!(tree.path(tree.lines()[1].node), Path::new("usr/share"), "a folder that only its content tells of");
        tree.at = 50;
        assert!(!tree.toggle(), "a file opens elsewhere");
        tree.fold();
        assert_eq!(tree.path(tree.selected().unwrap()), Path::new("usr/share/doc"));
        tree.fold();
        assert_eq!(tree.lines().len(), 3);
    }

    #[test]
    fn a_filter_shows_what_fits_and_the_way_to_it() {
        let mut tree = tree(&[("etc/hosts", 1), ("etc/passwd", 1), ("var/Hosts.bak", 1), ("x", 1)]);
        tree.filter("HOSTS");
        assert_eq!(shown(&tree), ["etc 2", " hosts 1", "var 1", " Hosts.bak 1"]);
        tree.filter("etc/p");
        assert_eq!(shown(&tree), ["etc 2", " passwd 1"]);
        tree.filter("");
        assert_eq!(tree.lines().len(), 6);
    }

    #[test]
    fn a_newer_tree_goes_on_where_the_older_was() {
        let mut before = tree(&[("a/b/c", 1), ("d", 1)]);
        before.at = 2;
        let mut after = tree(&[("a/b/c", 2), ("a/new", 1), ("d", 1)]);
        after.resume(&before);
        assert_eq!(after.path(after.selected().unwrap()), Path::new("a/b/c"));
        before.at = 0;
        before.fold();
        after.resume(&before);
        assert_eq!(shown(&after), ["a 3", "d 1"]);
    }

    #[test]
    fn names_are_harmless() {
        use std::os::unix::ffi::OsStringExt;
        let path = PathBuf::from(std::ffi::OsString::from_vec(b"a\x1b[31m\xff".to_vec()));
        let tree = Tree::new(vec![Leaf { path: path.clone(), ..Leaf::default() }]);
        assert_eq!(tree.node(tree.lines()[0].node).name, "a\\x1b[31m\u{fffd}");
        assert_eq!(tree.path(tree.lines()[0].node), path, "the path itself keeps its bytes");
    }

    #[test]
    fn tens_of_thousands_are_built_once_and_folded_at_once() {
        let files: Vec<Leaf> =
            (0..50_000).map(|n| Leaf { path: format!("{}/{}/{n}", n % 30, n % 700).into(), size: n, folder: false, ..Leaf::default() }).collect();
        let begun = std::time::Instant::now();
        let mut tree = Tree::new(files);
        let built = begun.elapsed();
        assert_eq!((tree.lines().len(), tree.size()), (30, (0..50_000).sum()));
        let twice = |_| {
            let begun = std::time::Instant::now();
            assert!(tree.toggle() && tree.toggle());
            begun.elapsed()
        };
        // The best of many, as any one may be interrupted: it goes through what is open, a small part of all.
        let best = (0..50).map(twice).min().unwrap();
        println!("built in {built:?}, opened and closed in {best:?}");
        assert!(best * 100 < built, "{best:?}, {built:?}");
        let sorted = tree.nodes.iter().filter(|node| node.sorted.is_some()).count();
        assert_eq!(sorted, 2, "nothing is put into order before it is shown");
    }

    proptest! {
        #[test]
        fn no_paths_and_no_keys_break_it(paths in proptest::collection::vec("[ab/.]{0,8}", 0..30), acts in proptest::collection::vec(0u8..8, 0..40)) {
            let mut tree = Tree::new(paths.iter().map(|path| Leaf { path: path.into(), size: 1, ..Leaf::default() }).collect());
            let other = Tree::new(paths.iter().take(5).map(|path| Leaf { path: path.into(), size: 1, ..Leaf::default() }).collect());
            for act in acts {
                match act {
                    0 => tree.fold(),
                    1 => { tree.unfold(); }
                    2 => { tree.toggle(); }
                    3 => tree.sort(Order::Size),
                    4 => tree.filter("a"),
                    5 => tree.filter(""),
                    6 => tree.resume(&other),
                    _ => tree.at = (tree.at + 1).min(tree.lines().len().saturating_sub(1)),
                }
                prop_assert!(tree.lines().is_empty() || tree.at < tree.lines().len());
                for line in tree.lines() {
                    tree.path(line.node);
                }
            }
        }
    }
}
