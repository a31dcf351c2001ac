//! The sets of keys that are compiled in: assets/keymaps/*.toml.

/// Name and text of each, the default first.
pub const PRESETS: &[(&str, &str)] = &[
    ("default", include_str!("../../../assets/keymaps/default.toml")),
    ("lazydocker", include_str!("../../../assets/keymaps/lazydocker.toml")),
    ("k9s", include_str!("../../../assets/keymaps/k9s.toml")),
    ("vim", include_str!("../../../assets/keymaps/vim.toml")),
];

/// The preset that holds if none is asked for.
pub const DEFAULT: &str = "default";

/// The names of the presets.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    PRESETS.iter().map(|&(name, _)| name)
}

/// The text of the preset `name`.
pub fn text(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|&&(known, _)| known == name).map(|&(_, text)| text)
}
