//! What a theme gives colours to: meanings, never places.

macro_rules! roles {
    ($($(#[doc = $description:literal])+ $variant:ident $name:literal;)+) => {
        /// Something that a theme has a style for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Role {
            $($(#[doc = $description])+ $variant,)+
        }

        impl Role {
            /// All of them, in the order of a theme's file.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its key in a theme's file.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What it is for.
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($description),+).trim_ascii(),)+
                }
            }
        }
    };
}

roles! {
    /// Ordinary text.
    Text "text";
    /// Text that matters less: units, ages, explanations.
    Muted "muted";
    /// What is hardly more than a guide for the eye: lines of a tree, placeholders.
    Faint "faint";
    /// The one colour that draws the eye.
    Accent "accent";
    /// The title of a pane.
    Title "title";
    /// The head of a table.
    Header "header";
    /// The frame of a pane.
    Border "border";
    /// The frame of the pane that has the keys.
    BorderFocused "border-focused";
    /// The ground of dialogs and menus.
    Panel "panel";
    /// The line at the foot of the screen.
    StatusLine "status-line";
    /// A field that is typed into.
    Input "input";
    /// The selected row of the pane that has the keys.
    Selection "selection";
    /// The selected row of any other pane.
    SelectionUnfocused "selection-unfocused";
    /// A row marked for what is done next.
    Marked "marked";
    /// What was searched for.
    Hit "hit";
    /// The hit that one is at.
    HitCurrent "hit-current";
    /// A key in the status line and in help.
    Key "key";
    /// What that key does.
    Hint "hint";
    /// Something that can be opened.
    Link "link";
    /// A container that runs.
    Running "running";
    /// A container that was paused.
    Paused "paused";
    /// A container that starts again, a job under way.
    Pending "pending";
    /// A container that ended well or never began.
    Stopped "stopped";
    /// A container or a job that failed.
    Failed "failed";
    /// What went well.
    Success "success";
    /// What deserves a look.
    Warning "warning";
    /// What went wrong.
    Error "error";
    /// A file or line that is new.
    Added "added";
    /// A file that is not what it was.
    Changed "changed";
    /// A file or line that is gone.
    Removed "removed";
    /// The filled part of a bar.
    Bar "bar";
    /// The rest of a bar.
    BarEmpty "bar-empty";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_tell_roles_apart() {
        let names: BTreeSet<&str> = Role::ALL.iter().map(|role| role.name()).collect();
        assert_eq!(names.len(), Role::ALL.len());
        for role in Role::ALL {
            assert!(role.description().ends_with('.') && role.name().chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{role:?}");
        }
    }
}
