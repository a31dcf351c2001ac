//! Everything a key can do, with the names that files of keys use, what help says, and what the status line says.

/// Declares the actions: `/// What help says.`, then the variant, its name, its label in the status line, its weight there.
macro_rules! actions {
    ($($(#[doc = $description:literal])+ $variant:ident $name:literal $label:literal $weight:literal;)+) => {
        /// Something that a key can do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $($(#[doc = $description])+ $variant,)+
        }

        impl Action {
            /// All of them, in the order in which help lists them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As files of keys name it: stable.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What it does, in one sentence.
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($description),+).trim_ascii(),)+
                }
            }

            /// A word or two for the status line; also what the menu of a row says.
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                }
            }

            /// How much it deserves a place in the status line: 0 never, 9 first.
            pub fn weight(self) -> u8 {
                match self {
                    $(Self::$variant => $weight,)+
                }
            }
        }
    };
}

actions! {
    /// Move up.
    Up "up" "up" 0;
    /// Move down.
    Down "down" "down" 0;
    /// Move left, or fold in.
    Left "left" "left" 0;
    /// Move right, or unfold.
    Right "right" "right" 0;
    /// Move up by half a page.
    HalfPageUp "half-page-up" "½ page up" 0;
    /// Move down by half a page.
    HalfPageDown "half-page-down" "½ page down" 0;
    /// Move up by a page.
    PageUp "page-up" "page up" 0;
    /// Move down by a page.
    PageDown "page-down" "page down" 0;
    /// Go to the beginning.
    Home "home" "top" 0;
    /// Go to the end.
    End "end" "end" 0;
    /// Open what is selected.
    Open "open" "open" 5;
    /// Open a console on the container.
    Attach "attach" "attach" 7;
    /// Run a command inside the container, a shell unless told otherwise.
    Exec "exec" "exec" 8;
    /// Open a shell in the container even if its image has none.
    Shell "shell" "shell" 5;
    /// Show what the container writes.
    Logs "logs" "logs" 8;
    /// Show what the container uses, over time.
    Stats "stats" "stats" 5;
    /// Show what the whole machine uses, or the container again.
    Machine "machine" "machine" 3;
    /// Show a shorter time, in more detail.
    ZoomIn "zoom-in" "shorter" 7;
    /// Show a longer time.
    ZoomOut "zoom-out" "longer" 7;
    /// Change the container's limits while it runs.
    Limits "limits" "limits" 5;
    /// Show the container's processes.
    Processes "processes" "processes" 3;
    /// Start it.
    Start "start" "start" 6;
    /// Stop it: first politely, after its grace by force.
    Stop "stop" "stop" 7;
    /// Stop it and start it again.
    Restart "restart" "restart" 6;
    /// Freeze its processes, or thaw them.
    Pause "pause" "pause" 4;
    /// End it at once, by force.
    Kill "kill" "kill" 3;
    /// Remove it.
    Remove "remove" "remove" 6;
    /// Show everything that is known about it.
    Inspect "inspect" "inspect" 5;
    /// Give it another name.
    Rename "rename" "rename" 2;
    /// Make an image of what the container has become.
    Commit "commit" "commit" 2;
    /// Show what has been changed.
    Diff "diff" "changes" 4;
    /// Show the containers that do not run, or hide them.
    ToggleStopped "toggle-stopped" "stopped" 2;
    /// Pull an image from a registry.
    Pull "pull" "pull" 6;
    /// Run a new container.
    Run "run" "run" 8;
    /// Push the image to a registry.
    Push "push" "push" 4;
    /// Give the image another name.
    Tag "tag" "tag" 4;
    /// Show the image's layers and how each was made.
    Layers "layers" "layers" 6;
    /// Bring in images from an archive.
    Load "load" "load" 3;
    /// Save it to a file.
    Save "save" "save" 4;
    /// Make a new one.
    Create "create" "create" 5;
    /// Connect a container with the network.
    Connect "connect" "connect" 4;
    /// Take a container off the network.
    Disconnect "disconnect" "disconnect" 3;
    /// Publish a port of the container on this machine.
    Publish "publish" "publish" 5;
    /// Publish a port no longer.
    Unpublish "unpublish" "unpublish" 3;
    /// Remove all that nothing uses.
    Prune "prune" "prune" 2;
    /// Copy the file out of its layer.
    Extract "extract" "extract" 6;
    /// Show only what has been changed, or all.
    ToggleUnchanged "toggle-unchanged" "changed only" 5;
    /// Show the content as hexadecimal numbers, or as text.
    ToggleHex "toggle-hex" "hex" 3;
    /// Cancel the job.
    CancelJob "cancel-job" "cancel" 8;
    /// Do the job again.
    RepeatJob "repeat-job" "repeat" 7;
    /// Follow what is new, or hold the view still.
    Follow "follow" "follow" 8;
    /// Wrap long lines, or cut them off.
    Wrap "wrap" "wrap" 6;
    /// Show when each line was written, or hide it.
    Timestamps "timestamps" "times" 6;
    /// Mark the row: what is done next is done to all that are marked.
    Mark "mark" "mark" 3;
    /// Mark all rows, or none.
    MarkAll "mark-all" "mark all" 1;
    /// Sort by the next column.
    Sort "sort" "sort" 3;
    /// Turn the order round.
    ReverseSort "reverse-sort" "reverse" 1;
    /// Copy the id, or the text, to the clipboard.
    Copy "copy" "copy" 2;
    /// Show what can be done here.
    Menu "menu" "menu" 6;
    /// Show only what contains a text.
    Filter "filter" "filter" 6;
    /// Show only the lines that contain a text.
    Only "only" "only" 4;
    /// Go to the next hit.
    NextHit "next-hit" "next hit" 0;
    /// Go to the previous hit.
    PreviousHit "previous-hit" "previous hit" 0;
    /// Do it: the default answer, the whole form, the line.
    Accept "accept" "ok" 8;
    /// Say yes.
    Yes "yes" "yes" 9;
    /// Say no.
    No "no" "no" 8;
    /// Go to the next field.
    NextField "next-field" "next field" 5;
    /// Go to the previous field.
    PreviousField "previous-field" "previous field" 0;
    /// Complete the word.
    Complete "complete" "complete" 7;
    /// Fetch the previous line from the history.
    HistoryPrevious "history-previous" "history" 3;
    /// Fetch the next line from the history.
    HistoryNext "history-next" "history" 0;
    /// Leave this and go back.
    Back "back" "back" 5;
    /// Show the next tab.
    NextTab "next-tab" "next tab" 2;
    /// Show the previous tab.
    PreviousTab "previous-tab" "previous tab" 0;
    /// Close the tab.
    CloseTab "close-tab" "close tab" 2;
    /// Go to the next pane.
    NextPane "next-pane" "next pane" 4;
    /// Go to the previous pane.
    PreviousPane "previous-pane" "previous pane" 0;
    /// Go to pane 1.
    Pane1 "pane-1" "pane 1" 0;
    /// Go to pane 2.
    Pane2 "pane-2" "pane 2" 0;
    /// Go to pane 3.
    Pane3 "pane-3" "pane 3" 0;
    /// Go to pane 4.
    Pane4 "pane-4" "pane 4" 0;
    /// Go to pane 5.
    Pane5 "pane-5" "pane 5" 0;
    /// Go to pane 6.
    Pane6 "pane-6" "pane 6" 0;
    /// Go to pane 7.
    Pane7 "pane-7" "pane 7" 0;
    /// Go to pane 8.
    Pane8 "pane-8" "pane 8" 0;
    /// Go to pane 9.
    Pane9 "pane-9" "pane 9" 0;
    /// Give the pane more room, or what it had.
    Zoom "zoom" "zoom" 2;
    /// Give the pane the whole screen, or take it back.
    FullScreen "full-screen" "full screen" 3;
    /// Type a command, as in a script.
    CommandLine "command-line" "command" 5;
    /// Choose other colours.
    Theme "theme" "theme" 1;
    /// Show the keys that hold here.
    Help "help" "help" 9;
    /// Draw the screen anew.
    Redraw "redraw" "redraw" 0;
    /// Put the program to sleep; the shell's `fg` wakes it.
    Suspend "suspend" "suspend" 0;
    /// Leave. Containers go on running.
    Quit "quit" "quit" 7;
}

/// The jumps to panes, first to last.
const PANES: [Action; 9] =
    [Action::Pane1, Action::Pane2, Action::Pane3, Action::Pane4, Action::Pane5, Action::Pane6, Action::Pane7, Action::Pane8, Action::Pane9];

impl Action {
    /// The action that files of keys call `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }

    /// Which pane it jumps to, from 0; none for what is no such jump.
    pub fn pane(self) -> Option<usize> {
        PANES.iter().position(|&action| action == self)
    }

    /// Whether it makes sense however much lies over the panes: it touches none of them.
    pub fn holds_everywhere(self) -> bool {
        matches!(self, Self::Redraw | Self::Suspend | Self::Help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_kebab_case_and_tell_actions_apart() {
        let names: BTreeSet<&str> = Action::ALL.iter().map(|action| action.name()).collect();
        assert_eq!(names.len(), Action::ALL.len());
        for &action in Action::ALL {
            let name = action.name();
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
            assert_eq!(Action::named(name), Some(action));
        }
        assert_eq!(Action::named("no-such"), None);
    }

    #[test]
    fn each_is_described_by_a_line_that_fits_a_small_screen() {
        for action in Action::ALL {
            let description = action.description();
            assert!(description.ends_with('.') && description.len() <= 72, "{action:?}: {description}");
            assert!(!action.label().is_empty() && action.label().chars().count() <= 14 && action.weight() <= 9, "{action:?}");
        }
    }

    #[test]
    fn panes_are_counted_from_nought() {
        assert_eq!(Action::Pane1.pane(), Some(0));
        assert_eq!(Action::Pane9.pane(), Some(8));
        assert_eq!(Action::Up.pane(), None);
    }
}
