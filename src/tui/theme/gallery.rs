//! The themes there are to choose from: those compiled in, and the user's own from the folders of settings.

use super::{Theme, file};
use crate::tui::setting::{self, SettingError};
use std::path::{Path, PathBuf};

/// The most themes of a folder that are looked at: nobody chooses among more, and a folder can hold anything.
const MOST: usize = 256;

/// The themes there are to choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gallery {
    /// Own themes by name, sorted; each name once.
    own: Vec<(String, PathBuf)>,
}

impl Gallery {
    /// The themes compiled in and all `*.toml` in `folders`, of which earlier ones win; a folder need not exist.
    ///
    /// Files are read when their theme is asked for: a broken one that nobody wants is no fault.
    pub fn open(folders: &[PathBuf]) -> Self {
        let mut own: Vec<(String, PathBuf)> = Vec::new();
        for path in folders.iter().filter_map(|folder| folder.read_dir().ok()).flat_map(|entries| entries.flatten().take(MOST)).map(|entry| entry.path()) {
            let name = path.file_stem().and_then(|stem| stem.to_str()).filter(|name| crate::text::clean(name) == *name);
            if let (Some(name), Some("toml")) = (name, path.extension().and_then(|extension| extension.to_str()))
                && own.iter().all(|(known, _)| known != name)
            {
                own.push((name.to_owned(), path));
            }
        }
        own.sort();
        Self { own }
    }

    /// The names of all, those compiled in first; an own theme of the same name takes the place of one of these.
    pub fn names(&self) -> Vec<String> {
        let others = self.own.iter().map(|(name, _)| name).filter(|name| !Theme::names().any(|known| known == name.as_str()));
        Theme::names().map(str::to_owned).chain(others.cloned()).collect()
    }

    /// The theme `name`, which `key` in `file` asks for.
    pub fn named(&self, file: &str, key: &str, name: &str) -> Result<Theme, SettingError> {
        if let Some((_, path)) = self.own.iter().find(|(known, _)| known == name) {
            return read(name, path);
        }
        if Theme::names().any(|known| known == name) {
            return Theme::named(name);
        }
        let names = self.names();
        Err(SettingError::unknown(file, key, "theme", name, names.iter().map(String::as_str)))
    }
}

fn read(name: &str, path: &Path) -> Result<Theme, SettingError> {
    let text = setting::read(path)?.ok_or_else(|| SettingError::new(&path.display().to_string(), "", "is gone; choose another theme"))?;
    file::parse(name, &path.display().to_string(), &text, |base| Theme::named(base).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn own_themes_stand_beside_those_compiled_in_and_may_replace_them() {
        let (mine, machine) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(mine.path().join("sea.toml"), "base = 'nord'\naccent = 'cyan'").unwrap();
        fs::write(mine.path().join("light.toml"), "base = 'light'\nbackground = 'none'").unwrap();
        fs::write(mine.path().join("notes.txt"), "no theme").unwrap();
        fs::write(machine.path().join("sea.toml"), "broken, but not asked for").unwrap();
        fs::write(machine.path().join("broken.toml"), "accent = 'mud'\nbase = 'dark'").unwrap();
        let gallery = Gallery::open(&[mine.path().to_owned(), machine.path().to_owned(), "/nonexistent".into()]);
        let names = gallery.names();
        assert_eq!(names[0], Theme::DEFAULT);
        assert_eq!(names[names.len() - 2..], ["broken", "sea"]);
        assert_eq!(names.iter().filter(|name| *name == "light").count(), 1);
        assert_eq!(gallery.named("c", "theme", "sea").unwrap().accent().fg, Some(ratatui::style::Color::Cyan));
        assert_ne!(gallery.named("c", "theme", "light").unwrap(), Theme::named("light").unwrap());
        let error = gallery.named("c", "theme", "broken").unwrap_err();
        assert_eq!((error.file, error.key.as_str()), (machine.path().join("broken.toml").display().to_string(), "accent"));
        let error = gallery.named("config.toml", "theme", "see").unwrap_err().to_string();
        assert_eq!(error, "config.toml: theme: there is no theme \"see\"; did you mean sea?");
    }
}
