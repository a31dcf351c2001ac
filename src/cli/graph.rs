//! The graph of images drawn: as text with branches, as a graph for graphviz, as a document.

use super::face::Face;
use super::table::Table;
use super::verb::{Drawing, Picture};
use super::{perform, size, text};
use crate::engine::graph::{ImageGraph, ImageNode, Row};
use crate::engine::{Engine, Result};
use std::fmt::Write;

/// Most columns of a layer's command.
const COMMAND: usize = 60;

/// `graph`.
pub async fn graph(job: Drawing, engine: &Engine, face: &mut Face) -> Result<i32> {
    let graph = perform::run(job.job, engine, face).await?;
    let document = serde_json::to_value(&graph).unwrap_or_default();
    match job.format {
        Picture::Text => face.print(&drawn(&graph, job.no_trunc))?,
        Picture::Dot => face.print(&dot(&graph))?,
        Picture::Json => face.say(&text::clean_json(&document.to_string()))?,
    }
    face.give(document);
    Ok(0)
}

/// A size that ends where those above and below it end.
fn right(bytes: u64) -> String {
    format!("{:>8}", size::decimal(bytes))
}

fn users(graph: &ImageGraph, image: &ImageNode) -> String {
    let names: Vec<String> =
        image.containers.iter().map(|at| &graph.containers[*at]).map(|container| format!("{} ({})", container.name, container.status)).collect();
    if names.is_empty() { String::new() } else { format!("used by {}", names.join(", ")) }
}

/// The command of a layer as one line: what a build tool put around it says nothing.
fn command(created_by: &str, comment: &str, whole: bool) -> String {
    let words = if created_by.is_empty() { comment } else { created_by };
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.strip_prefix("/bin/sh -c #(nop) ").or_else(|| words.strip_prefix("/bin/sh -c ")).unwrap_or(&words);
    if whole { words.to_owned() } else { text::truncate(words, COMMAND).into_owned() }
}

fn drawn(graph: &ImageGraph, whole: bool) -> String {
    let mut table = Table::new(&["LAYER / IMAGE", "    SIZE", "  SHARED", "  UNIQUE", "   FREES", "MADE BY / USED BY"]);
    for line in graph.outline() {
        let branch = line.branch;
        match line.row {
            Row::Layer(at) => {
                let layer = &graph.layers[at];
                let id = if whole { layer.id.as_str() } else { layer.id.short() };
                let unused = layer.images.is_empty() && layer.containers.is_empty();
                let told = if unused { "unused: left by a pull that was cut short".to_owned() } else { command(&layer.created_by, &layer.comment, whole) };
                table.push(&[&format!("{branch}○ {id}"), &right(layer.size), "", "", "", &told]);
            }
            Row::Image(at) => {
                let image = &graph.images[at];
                let names = if image.names.is_empty() { image.name().to_owned() } else { image.names.join(", ") };
                let sizes = [image.size, image.shared, image.unique, image.freed].map(right);
                table.push(&[&format!("{branch}◆ {names}"), &sizes[0], &sizes[1], &sizes[2], &sizes[3], &users(graph, image)]);
            }
            Row::Container(at) => {
                let container = &graph.containers[at];
                table.push(&[&format!("{branch}◇ {}", container.name), "", "", "", "", &format!("container ({}) of a removed image", container.status)]);
            }
        }
    }
    table.render()
}

/// Text between double quotes in the language of graphviz; `\l` ends a line at the left.
///
/// Source: graphviz.org/doc/info/lang.html.
fn label(lines: &[&str]) -> String {
    lines.iter().map(|line| text::clean(line).replace('\\', "\\\\").replace('"', "\\\"") + "\\l").collect()
}

fn dot(graph: &ImageGraph) -> String {
    let mut out = String::from("digraph images {\n  rankdir=BT;\n  node [fontname=\"monospace\"];\n");
    // Writing to a string cannot fail.
    let mut line = |text: String| {
        let _ = writeln!(out, "  {text}");
    };
    for (at, layer) in graph.layers.iter().enumerate() {
        let told = label(&[layer.id.short(), &size::decimal(layer.size), &command(&layer.created_by, &layer.comment, false)]);
        line(format!("l{at} [shape=box, label=\"{told}\"];"));
        if let Some(below) = layer.parent {
            line(format!("l{below} -> l{at};"));
        }
    }
    for (at, image) in graph.images.iter().enumerate() {
        let told = format!("{} = {} shared + {} unique", size::decimal(image.size), size::decimal(image.shared), size::decimal(image.unique));
        let mut lines: Vec<&str> = image.names.iter().map(String::as_str).collect();
        if lines.is_empty() {
            lines.push(image.name());
        }
        lines.push(&told);
        line(format!("i{at} [shape=box, style=\"rounded,bold\", label=\"{}\"];", label(&lines)));
        if let Some(top) = image.layers.last() {
            line(format!("l{top} -> i{at};"));
        }
    }
    for (at, container) in graph.containers.iter().enumerate() {
        let below = container.image.map(|image| format!("i{image}")).or_else(|| container.layer.map(|layer| format!("l{layer}")));
        // The host image stands on nothing that is drawn.
        let Some(below) = below else { continue };
        line(format!("c{at} [shape=ellipse, label=\"{}\"];", label(&[&container.name, &container.status])));
        line(format!("{below} -> c{at} [style=dashed];"));
    }
    out.push_str("}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_one_harmless_line() {
        assert_eq!(command("/bin/sh -c #(nop)  CMD [\"sh\"]", "", false), "CMD [\"sh\"]");
        assert_eq!(command("", "imported\n  from\tthere", true), "imported from there");
        assert_eq!(command(&"x".repeat(100), "", false).chars().count(), COMMAND);
        assert_eq!(label(&["a\"b\\c\n", "\x1b[1m"]), "a\\\"b\\\\c\\\\n\\l\\\\x1b[1m\\l");
    }
}
