//! Where a binding holds: in every pane, in one kind of pane, or in what lies over them.

use super::Chord;

/// Where a binding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// The table of containers.
    Containers,
    /// The table of images.
    Images,
    /// An image's layers, and the graph of all.
    Layers,
    /// A tree of files.
    Files,
    /// The table of networks.
    Networks,
    /// The table of volumes.
    Volumes,
    /// The list of jobs.
    Jobs,
    /// What a container writes.
    Logs,
    /// What a container uses, as charts.
    Stats,
    /// A container's console: everything else that is typed goes to its program.
    Console,
    /// A form with fields.
    Dialog,
    /// A question that is answered with yes or no.
    Confirm,
    /// A menu of what can be done.
    Menu,
    /// The command line, and the line that a filter is typed into.
    CommandLine,
    /// The list of keys.
    Help,
    /// Any table or tree with a selected row.
    List,
    /// Any text that can be scrolled.
    Text,
    /// Everywhere, unless something nearer binds the same key.
    Global,
}

/// How much of [`Context::Global`] reaches a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// All of it: a pane.
    All,
    /// What makes sense everywhere: something lies over the panes.
    Everywhere,
    /// The same, but no key that types a character: they belong to the text.
    EverywhereUntyped,
    /// Nothing: the keys belong to a program.
    Nothing,
}

impl Context {
    /// All of them, in the order in which help lists them.
    pub const ALL: [Self; 18] = [
        Self::Containers,
        Self::Images,
        Self::Layers,
        Self::Files,
        Self::Networks,
        Self::Volumes,
        Self::Jobs,
        Self::Logs,
        Self::Stats,
        Self::Console,
        Self::Dialog,
        Self::Confirm,
        Self::Menu,
        Self::CommandLine,
        Self::Help,
        Self::List,
        Self::Text,
        Self::Global,
    ];

    /// As files of keys name its table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Containers => "containers",
            Self::Images => "images",
            Self::Layers => "layers",
            Self::Files => "files",
            Self::Networks => "networks",
            Self::Volumes => "volumes",
            Self::Jobs => "jobs",
            Self::Logs => "logs",
            Self::Stats => "stats",
            Self::Console => "console",
            Self::Dialog => "dialog",
            Self::Confirm => "confirm",
            Self::Menu => "menu",
            Self::CommandLine => "command-line",
            Self::Help => "help",
            Self::List => "list",
            Self::Text => "text",
            Self::Global => "global",
        }
    }

    /// The heading of its keys in help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Containers => "Containers",
            Self::Images => "Images",
            Self::Layers => "Layers",
            Self::Files => "Files",
            Self::Networks => "Networks",
            Self::Volumes => "Volumes",
            Self::Jobs => "Jobs",
            Self::Logs => "Logs",
            Self::Stats => "Stats",
            Self::Console => "Console",
            Self::Dialog => "Form",
            Self::Confirm => "Question",
            Self::Menu => "Menu",
            Self::CommandLine => "Command line",
            Self::Help => "Help",
            Self::List => "Lists",
            Self::Text => "Text",
            Self::Global => "Everywhere",
        }
    }

    /// The context that files of keys call `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|context| context.name() == name)
    }

    /// Whether plain characters are typed here, so that no action can have them.
    pub fn is_typed_into(self) -> bool {
        matches!(self, Self::Console | Self::Dialog | Self::CommandLine)
    }

    fn reach(self) -> Reach {
        match self {
            Self::Console => Reach::Nothing,
            Self::Dialog | Self::CommandLine => Reach::EverywhereUntyped,
            Self::Confirm | Self::Menu | Self::Help => Reach::Everywhere,
            _ => Reach::All,
        }
    }
}

/// Whether the binding of `chord` in [`Context::Global`] reaches a place with these `contexts`.
pub(super) fn is_reached(contexts: &[Context], chord: Chord, holds_everywhere: bool) -> bool {
    contexts.iter().all(|context| match context.reach() {
        Reach::All => true,
        Reach::Everywhere => holds_everywhere,
        Reach::EverywhereUntyped => holds_everywhere && chord.typed().is_none(),
        Reach::Nothing => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_contexts() {
        for context in Context::ALL {
            assert_eq!(Context::named(context.name()), Some(context));
            assert!(!context.title().is_empty());
        }
        assert_eq!(Context::named("elsewhere"), None);
    }

    #[test]
    fn what_lies_over_the_panes_keeps_their_keys_away() {
        let (letter, control) = ("q".parse().unwrap(), "ctrl-l".parse().unwrap());
        assert!(is_reached(&[Context::Containers, Context::List], letter, false));
        assert!(!is_reached(&[Context::Menu, Context::List], letter, false));
        assert!(is_reached(&[Context::Menu, Context::List], letter, true));
        assert!(!is_reached(&[Context::CommandLine], letter, true));
        assert!(is_reached(&[Context::CommandLine], control, true));
        assert!(!is_reached(&[Context::Console], control, true));
    }
}
