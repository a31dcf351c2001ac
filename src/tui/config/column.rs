//! The columns that the table of containers can have.

use crate::tui::setting::SettingError;

macro_rules! columns {
    ($($(#[doc = $description:literal])+ $variant:ident $name:literal $heading:literal;)+) => {
        /// A column of the table of containers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Column {
            $($(#[doc = $description])+ $variant,)+
        }

        impl Column {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As settings name it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What the table's head says.
            pub fn heading(self) -> &'static str {
                match self {
                    $(Self::$variant => $heading,)+
                }
            }
        }
    };
}

columns! {
    /// Whether it runs, as a sign and a word.
    State "state" "STATE";
    /// Its name.
    Name "name" "NAME";
    /// The beginning of its id.
    Id "id" "ID";
    /// The image it was made from.
    Image "image" "IMAGE";
    /// What it runs.
    Command "command" "COMMAND";
    /// How long ago it was made.
    Created "created" "CREATED";
    /// How long it has run, or how long ago it ended.
    Up "up" "UP";
    /// The status that it ended with.
    Exit "exit" "EXIT";
    /// The share of the processors that it uses.
    Cpu "cpu" "CPU";
    /// The processor time of the last minute, as a line of bars; marked while it is throttled or short of memory.
    Minute "cpu-minute" "CPU 1 MIN";
    /// The memory that it uses.
    Memory "memory" "MEM";
    /// How many processes it has.
    Pids "pids" "PIDS";
    /// The ports that lead into it.
    Ports "ports" "PORTS";
    /// The networks that it is connected with.
    Networks "networks" "NETWORKS";
    /// The limits of memory, processor time and processes.
    Limits "limits" "LIMITS";
    /// How often its policy started it again.
    Restarts "restarts" "RESTARTS";
}

impl Column {
    /// The columns unless others are chosen.
    pub const DEFAULT: &[Self] =
        &[Self::State, Self::Name, Self::Image, Self::Command, Self::Up, Self::Exit, Self::Cpu, Self::Minute, Self::Memory, Self::Pids, Self::Ports];

    /// The column that settings call `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|column| column.name() == name)
    }
}

/// The columns that `value` lists.
pub(super) fn list(file: &str, key: &str, value: &toml::Value) -> Result<Vec<Column>, SettingError> {
    let expected = "a list of columns, such as [\"state\", \"name\", \"image\"]";
    let values = value.as_array().ok_or_else(|| SettingError::wrong_type(file, key, value, expected))?;
    let mut columns = Vec::new();
    for value in values {
        let name = value.as_str().ok_or_else(|| SettingError::wrong_type(file, key, value, expected))?;
        let known = Column::ALL.iter().map(|column| column.name());
        let column = Column::named(name).ok_or_else(|| SettingError::unknown(file, key, "column called", name, known))?;
        if columns.contains(&column) {
            return Err(SettingError::new(file, key, format!("names {name} twice; leave one out")));
        }
        columns.push(column);
    }
    if columns.is_empty() {
        return Err(SettingError::new(file, key, format!("is empty; expected {expected}")));
    }
    Ok(columns)
}
