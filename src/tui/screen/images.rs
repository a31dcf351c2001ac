//! The images: names, sizes, what each shares and has to itself, and who uses them; beside the list what the selected one is.

use crate::engine::images::Image;
use crate::text::{self, size, when};
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::News;
use crate::tui::screen::confirm::asked;
use crate::tui::screen::graph::Graph;
use crate::tui::screen::image_details::Details;
use crate::tui::screen::lineage::{Lineage, freed};
use crate::tui::screen::list::{Captions, Details as _, List, ListPane};
use crate::tui::screen::prompt::Prompt;
use crate::tui::screen::{Reaction, forms, listed};
use crate::tui::widget::table::{Cell, Column, Row, Table};
use crate::tui::world::World;

const COLUMNS: &[Column] = &[
    Column { title: "NAME", least: 24, most: 60, right: false, sheds: 0 },
    Column { title: "SIZE", least: 7, most: 8, right: true, sheds: 0 },
    Column { title: "SHARED", least: 7, most: 8, right: true, sheds: 3 },
    Column { title: "UNIQUE", least: 7, most: 8, right: true, sheds: 2 },
    Column { title: "LAYERS", least: 6, most: 8, right: true, sheds: 4 },
    Column { title: "CREATED", least: 7, most: 10, right: false, sheds: 1 },
    Column { title: "USED BY", least: 8, most: 40, right: false, sheds: 2 },
    Column { title: "ID", least: 12, most: 12, right: false, sheds: 6 },
];

/// The pane.
#[derive(Debug)]
pub struct Images {
    list: List<Details>,
    lineage: Lineage,
    /// No other pane is in front.
    front: bool,
}

/// How an image is called on a command line: by its first name, or its identity.
fn name(image: &Image) -> String {
    image.tags.first().or(image.digests.first()).cloned().unwrap_or_else(|| image.id.short().to_owned())
}

/// Removes images by their identities, with all their names; asks first, and says what it gives back.
pub fn removal(world: &World, lineage: &Lineage, keys: &[String]) -> Reaction {
    let images: Vec<&Image> = keys.iter().filter_map(|key| world.image(key)).collect();
    if images.is_empty() {
        return Reaction::error("no image is selected");
    }
    let names: Vec<String> = images.iter().flat_map(|image| if image.tags.is_empty() { vec![name(image)] } else { image.tags.clone() }).collect();
    let graph = &lineage.graph;
    let places: Vec<usize> = (0..graph.images.len()).filter(|&at| keys.iter().any(|key| graph.images[at].id.as_str() == key)).collect();
    let blobs: u64 = places.iter().map(|&at| graph.images[at].blobs).sum();
    let held = places.iter().any(|&at| !graph.images[at].containers.is_empty());
    let given = match (lineage.known, held) {
        (false, _) => String::new(),
        (true, true) => " Containers use it: their layers stay.".to_owned(),
        (true, false) => format!(" This gives back {} of files and {} of downloads.", size::decimal(freed(graph, &places)), size::decimal(blobs)),
    };
    let question = format!("Remove {}?{given}", listed(&names));
    asked(world, "Remove", question, Reaction::perform(std::iter::once("rmi".to_owned()).chain(names)))
}

impl Default for Images {
    /// The pane before the first look.
    fn default() -> Self {
        Self { list: List::new(Table::new(COLUMNS, None), Details::default()), lineage: Lineage::default(), front: false }
    }
}

impl Images {
    fn refresh(&mut self, world: &World) -> Reaction {
        let rows = world.snapshot.images.iter().map(|image| row(image, &self.lineage, world)).collect();
        self.list.table.set(rows);
        self.list.look(world)
    }

    fn one<'a>(&self, world: &'a World) -> Option<&'a Image> {
        self.list.table.selected().and_then(|key| world.image(key))
    }

    /// The chosen images into one archive.
    fn save(&self, world: &World) -> Reaction {
        let names: Vec<String> = self.list.table.chosen().iter().filter_map(|key| world.image(key)).map(name).collect();
        let file = match names.as_slice() {
            [one] => format!("{}.tar", one.rsplit('/').next().unwrap_or(one).replace([':', '@'], "-")),
            _ => "images.tar".to_owned(),
        };
        let words = std::iter::once("save".to_owned()).chain(names).chain(["-o".to_owned()]);
        Reaction::open(Prompt::new("Save to an archive", "File", file, words))
    }

    fn note(&self) -> String {
        let note = self.list.table.note();
        let keys = self.list.table.chosen();
        if keys.len() < 2 || !self.lineage.known {
            return note;
        }
        let graph = &self.lineage.graph;
        let places: Vec<usize> = (0..graph.images.len()).filter(|&at| keys.iter().any(|key| graph.images[at].id.as_str() == key)).collect();
        format!("{note}: their removal frees {}", size::decimal(freed(graph, &places)))
    }
}

fn row(image: &Image, lineage: &Lineage, world: &World) -> Row {
    let theme = &world.theme;
    let users: Vec<&str> = world.snapshot.containers.iter().filter(|c| c.image_id.as_ref() == Some(&image.id)).map(|c| c.name.as_str()).collect();
    let names = if image.tags.is_empty() { name(image) } else { image.tags.join(", ") };
    let age = image.created.map(|created| when::since(created, world.now).as_secs_f64());
    let node = lineage.image(image.id.as_str());
    let bytes = |bytes: Option<u64>, style| Cell::number(bytes.map_or_else(|| "–".to_owned(), size::decimal), bytes.map(|bytes| bytes as f64), style);
    Row {
        key: image.id.to_string(),
        cells: vec![
            Cell::image(&names, if image.tags.is_empty() { theme.muted() } else { theme.text() }),
            bytes(Some(image.size), theme.text()),
            bytes(node.map(|node| node.shared), theme.muted()),
            bytes(node.map(|node| node.unique), theme.text()),
            Cell::number(image.layers.len().to_string(), Some(image.layers.len() as f64), theme.muted()),
            Cell::number(image.created.map_or_else(|| "–".to_owned(), |created| when::short_ago(created, world.now)), age, theme.muted()),
            Cell::text(&if users.is_empty() { "–".to_owned() } else { users.join(", ") }, if users.is_empty() { theme.faint() } else { theme.text() }),
            Cell::text(image.id.short(), theme.muted()),
        ],
    }
}

impl ListPane for Images {
    type Details = Details;

    const CONTEXT: Context = Context::Images;

    fn list(&self) -> &List<Details> {
        &self.list
    }

    fn list_mut(&mut self) -> &mut List<Details> {
        &mut self.list
    }

    fn does(&self, action: Action) -> bool {
        use Action as A;
        let does = matches!(action, A::Remove | A::Prune | A::Load | A::Push | A::Tag | A::Save | A::Copy | A::Pull | A::Run);
        action == A::Layers || (does && !self.list.split.inside)
    }

    fn fits(&self, action: Action, _world: &World) -> bool {
        self.list.table.counts().1 > 0 || matches!(action, Action::Pull | Action::Run | Action::Load)
    }

    fn command(&mut self, action: Action, world: &World) -> Option<Reaction> {
        let image = self.one(world);
        Some(match (action, image) {
            (Action::Remove, _) => {
                let keys = self.list.table.chosen();
                self.list.table.unmark();
                removal(world, &self.lineage, &keys)
            }
            (Action::Prune, _) => asked(world, "Prune", "Remove all images that have no name?", Reaction::perform(["image", "prune", "-f"])),
            (Action::Pull, _) => Reaction::open(forms::pull(world)),
            (Action::Run, Some(image)) => Reaction::open(forms::run(&name(image), world)),
            (Action::Load, _) => Reaction::open(Prompt::new("Bring in images", "Archive", "", ["load", "-i"])),
            (Action::Layers, image) => Reaction::open(Graph::new(image.map(|image| image.id.clone()))),
            (Action::Push, Some(image)) => Reaction::perform(["push".to_owned(), name(image)]),
            (Action::Tag, Some(image)) => Reaction::open(forms::tag(&name(image), world)),
            (Action::Save, Some(_)) => self.save(world),
            (Action::Copy, Some(image)) => Reaction::copy(image.id.to_string(), image.id.short()),
            (Action::Push | Action::Tag | Action::Save | Action::Copy, None) => Reaction::error("no image is selected"),
            _ => return None,
        })
    }

    fn hear(&mut self, news: &mut News, world: &World) -> Reaction {
        match news {
            // While another pane is in front, nobody asks.
            News::Snapshot(_) if self.front => self.lineage.refresh(world).and(self.refresh(world)),
            News::Answer(ticket, answer) => {
                if self.lineage.hear(*ticket, answer) {
                    return self.refresh(world);
                }
                self.list.details.hear(*ticket, answer, world);
                Reaction::none()
            }
            _ => Reaction::none(),
        }
    }

    fn shown(&mut self, front: bool, world: &World) -> Reaction {
        self.front = front;
        if front { self.lineage.refresh(world).and(self.refresh(world)) } else { self.lineage.leave().and(self.list.details.look_at(None, world)) }
    }

    fn captions(&self, world: &World) -> Captions {
        Captions {
            title: format!("Images {}", self.list.table.counts().0),
            note: self.note(),
            empty: "No images yet. P pulls one from a registry, L brings some in from an archive.",
            name: self.one(world).map(|image| text::clean(&name(image)).into_owned()).unwrap_or_default(),
        }
    }
}
