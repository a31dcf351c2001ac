//! What could stand where one types on the command line: verbs, options, their values, names of things.

use super::args;
use crate::tui::line::{Completion, Names};

/// What a verb's plain words name.
enum Named {
    Containers,
    Images,
    Networks,
    Volumes,
    /// A network, then a container.
    NetworkFirst,
    /// Anything that has a name.
    All,
    /// A container, then words of its own.
    ContainerFirst,
    /// An image, then words of its own.
    ImageFirst,
}

/// What is named after `verb`, the family's name in front where there is one.
fn named(verb: &str) -> Option<Named> {
    Some(match verb.strip_prefix("container ").unwrap_or(verb) {
        "start" | "stop" | "restart" | "kill" | "pause" | "unpause" | "wait" | "logs" | "attach" | "rename" | "rm" | "port" | "diff" | "export" | "stats"
        | "update" | "network explain" | "healthcheck run" => Named::Containers,
        "exec" | "top" | "commit" => Named::ContainerFirst,
        "run" | "create" => Named::ImageFirst,
        "push" | "pull" | "rmi" | "tag" | "save" | "history" | "image rm" | "image inspect" | "image push" | "image tag" | "image save" | "image history" => {
            Named::Images
        }
        "network rm" | "network inspect" => Named::Networks,
        "network connect" | "network disconnect" => Named::NetworkFirst,
        "volume rm" | "volume inspect" => Named::Volumes,
        "inspect" | "cp" => Named::All,
        _ => return None,
    })
}

/// A line taken apart where the cursor is: the command so far, its name, the words before, the word begun.
struct Typed<'a> {
    command: clap::Command,
    path: Vec<&'a str>,
    words: Vec<&'a str>,
    last: &'a str,
}

fn typed(line: &str) -> Typed<'_> {
    let statement = line.rfind(';').map_or(line, |at| &line[at + 1..]);
    let mut words: Vec<&str> = statement.split_whitespace().collect();
    let last = if statement.is_empty() || statement.ends_with(char::is_whitespace) { "" } else { words.pop().unwrap_or_default() };
    let mut command = args::command();
    let mut path = Vec::new();
    for word in &words {
        let Some(found) = command.find_subcommand(word) else { break };
        path.push(*word);
        command = found.clone();
    }
    let words = words.split_off(path.len());
    Typed { command, path, words, last }
}

/// What could stand at the end of `line`, and from which byte on.
pub fn complete(line: &str, names: &Names) -> (usize, Vec<Completion>) {
    let typed = typed(line);
    let (begun, option) = match (typed.last.split_once('='), typed.words.last()) {
        (Some((option, begun)), _) if option.starts_with("--") => (begun, Some(option)),
        // A value that may only stand behind `=` is not the next word.
        (_, Some(before)) if before.starts_with('-') && !option(&typed.command, before).is_some_and(clap::Arg::is_require_equals_set) => {
            (typed.last, Some(*before))
        }
        _ => (typed.last, None),
    };
    if let Some(values) = option.and_then(|option| values(&typed.command, option, names)) {
        let fitting = values.into_iter().filter(|offer| offer.word.starts_with(begun) && offer.word != begun).collect();
        return (line.len() - begun.len(), fitting);
    }
    let mut offers = offers(&typed, names);
    offers.retain(|offer| offer.word.starts_with(typed.last) && offer.word != typed.last);
    (line.len() - typed.last.len(), offers)
}

/// How a verb is used, in a line, once the verb is known.
pub fn usage(line: &str) -> Option<String> {
    let mut typed = typed(line);
    if let Some(found) = typed.command.find_subcommand(typed.last).cloned() {
        typed.path.push(typed.last);
        typed.command = found;
    }
    if typed.path.is_empty() {
        return None;
    }
    let about = typed.command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = typed.command.render_usage().to_string();
    let words = usage.trim_start_matches("Usage:").split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
    Some(format!("{} {words}   {about}", typed.path.join(" ")))
}

/// The option that is spelled so, if it takes a value.
fn option<'a>(command: &'a clap::Command, spelled: &str) -> Option<&'a clap::Arg> {
    let takes = |option: &&clap::Arg| option.get_action().takes_values() && !option.is_positional();
    command.get_arguments().filter(takes).find(|option| match spelled.strip_prefix("--") {
        Some(long) => option.get_long_and_visible_aliases().is_some_and(|names| names.contains(&long)),
        // Short switches may stand before it in the same word: -itu USER.
        None => option.get_short().is_some_and(|short| spelled.starts_with('-') && spelled.ends_with(short)),
    })
}

/// The values that an option may have, if they are few and known; nothing at all for one that may have any.
fn values(command: &clap::Command, spelled: &str, names: &Names) -> Option<Vec<Completion>> {
    let option = option(command, spelled)?;
    // An option whose value may be left out is followed by something else.
    if option.get_num_args().is_some_and(|range| range.min_values() == 0) && !spelled.starts_with("--") {
        return None;
    }
    let about = option.get_help().map(ToString::to_string).unwrap_or_default();
    let known = option.get_possible_values();
    if !known.is_empty() {
        let about = |value: &clap::builder::PossibleValue| value.get_help().map_or_else(|| about.clone(), ToString::to_string);
        return Some(known.iter().map(|value| Completion { word: value.get_name().to_owned(), about: about(value) }).collect());
    }
    // `none|host` as the name of a value lists what it may be.
    let name = option.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
    let long = option.get_long().unwrap_or_default();
    let mut words: Vec<&str> = if name.contains('|') { name.split('|').collect() } else { well_known(long).to_vec() };
    if long == "network" {
        words.extend(names.networks.iter().map(String::as_str));
    }
    Some(words.into_iter().map(|word| Completion { word: word.to_owned(), about: about.clone() }).collect())
}

/// Values that an option's help names in words.
fn well_known(option: &str) -> &'static [&'static str] {
    match option {
        "network" => &["none", "host"],
        "restart" => &["no", "on-failure", "always", "unless-stopped"],
        "pull" => &["always", "missing", "never"],
        "log-driver" => &["json-file", "none"],
        "security-opt" => &["no-new-privileges"],
        "signal" | "stop-signal" => &["HUP", "INT", "QUIT", "TERM", "KILL", "USR1", "USR2"],
        _ => &[],
    }
}

/// What fits at the place, whatever was begun there.
fn offers(typed: &Typed<'_>, names: &Names) -> Vec<Completion> {
    let Typed { command, path, words, last } = typed;
    let mut offers: Vec<Completion> = Vec::new();
    if command.has_subcommands() {
        let about = |command: &clap::Command| command.get_about().map(ToString::to_string).unwrap_or_default();
        offers.extend(command.get_subcommands().map(|verb| Completion { word: verb.get_name().to_owned(), about: about(verb) }));
    } else if last.starts_with('-') {
        let options = command.get_arguments().filter(|option| !option.is_hide_set());
        offers.extend(options.filter_map(|option| {
            let about = option.get_help().map(ToString::to_string).unwrap_or_default();
            Some(Completion { word: format!("--{}", option.get_long()?), about })
        }));
    } else if let Some(kind) = named(&path.join(" ")) {
        let before = words.iter().filter(|word| !word.starts_with('-')).count();
        let list = |list: &[String], about: &str| list.iter().map(|word| Completion { word: word.clone(), about: about.to_owned() }).collect::<Vec<_>>();
        match kind {
            Named::NetworkFirst if before == 0 => offers.extend(list(&names.networks, "network")),
            Named::Containers | Named::NetworkFirst => offers.extend(list(&names.containers, "container")),
            Named::ContainerFirst if before == 0 => offers.extend(list(&names.containers, "container")),
            Named::Images | Named::ImageFirst => {
                offers.extend(list(&names.images, "image"));
                offers.extend(list(&[crate::container::HOST_IMAGE.to_owned()], "this machine's own files, below a fresh layer"));
            }
            Named::Networks => offers.extend(list(&names.networks, "network")),
            Named::Volumes => offers.extend(list(&names.volumes, "volume")),
            Named::All => {
                offers.extend(list(&names.containers, "container"));
                offers.extend(list(&names.images, "image"));
                offers.extend(list(&names.networks, "network"));
                offers.extend(list(&names.volumes, "volume"));
            }
            Named::ContainerFirst => {}
        }
    }
    offers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let some = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let names = Names { containers: some(&["web", "worker"]), images: some(&["busybox:1"]), networks: some(&["bridge", "lab"]), volumes: some(&["data"]) };
        complete(line, &names).1.into_iter().map(|offer| offer.word).collect()
    }

    #[test]
    fn what_fits_is_offered() {
        assert_eq!(words("unp"), ["unpause"]);
        assert_eq!(words("stop w"), ["web", "worker"]);
        assert_eq!(words("stop web; logs --fo"), ["--follow"]);
        assert_eq!(words("volume "), ["create", "ls", "inspect", "rm", "prune"]);
        assert_eq!(words("volume rm "), ["data"]);
        assert_eq!(words("network ").len(), 8);
        assert_eq!(words("network rm l"), ["lab"]);
        assert_eq!(words("network connect "), ["bridge", "lab"]);
        assert_eq!(words("network connect --alias db lab wo"), ["worker"]);
        assert_eq!(words("network explain we"), ["web"]);
        assert_eq!(words("run -d busy"), ["busybox:1"]);
        assert_eq!(complete("stop w", &Names::default()).0, 5);
    }

    #[test]
    fn values_of_options_are_offered() {
        assert_eq!(words("run --network "), ["none", "host", "bridge", "lab"]);
        assert_eq!(words("run --network=h"), ["host"]);
        assert_eq!(complete("run --network=h", &Names::default()).0, 14);
        assert_eq!(words("run --restart un"), ["unless-stopped"]);
        assert_eq!(words("run --name "), [""; 0]);
        assert_eq!(words("run --rm bus"), ["busybox:1"]);
        assert_eq!(words("exec --toolbox=o"), ["own"]);
        assert_eq!(words("exec --toolbox "), ["web", "worker"]);
    }

    #[test]
    fn a_verb_says_how_it_is_used() {
        let said = usage("rename web ").unwrap();
        assert!(said.starts_with("rename ") && said.contains('<'), "{said}");
        assert!(usage("volume create").unwrap().starts_with("volume create "));
        assert_eq!(usage("nosuch"), None);
    }
}
