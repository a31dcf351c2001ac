//! What is told of a line of the map: who reaches a port and by which rules, how a member is reached, what leads out.

use super::map::Entry;
use super::rows;
use crate::container::Endpoint;
use crate::engine::network::{Answer, Berths, Reach};
use crate::text::{self, width};
use crate::tui::widget::pager::{Kind, Line};

/// The columns of the sign and its word.
const SIGN: usize = 11;

/// What the line is, in a few words.
pub fn title(entry: &Entry) -> String {
    match entry {
        Entry::Port(forward, _) => format!("who reaches {}/{}", rows::here(forward), forward.port.protocol.as_str()),
        Entry::Member(name, _) => text::clean(&format!("who reaches {name}")).into_owned(),
        Entry::Out => "the way out".to_owned(),
    }
}

/// All that is told, and the same in a line for each who may ask.
pub fn lines(entry: &Entry, answer: Option<&Result<Vec<Answer>, String>>, berths: &Berths, room: usize) -> (Vec<Line>, Vec<Line>) {
    let same = |lines: Vec<Line>| (lines.clone(), lines);
    match entry {
        Entry::Port(..) => match answer {
            None => same(vec![Line::new("Looking …", Kind::Muted)]),
            Some(Err(sentence)) => same(wrapped(sentence, Kind::Error, 0, room)),
            Some(Ok(all)) if all.is_empty() => same(vec![Line::new("It is published no longer.", Kind::Muted)]),
            Some(Ok(all)) => explained(all, room),
        },
        Entry::Member(name, place) => same(member(name, place, berths).iter().flat_map(|(kind, words)| wrapped(words, *kind, 0, room)).collect()),
        Entry::Out => same(wrapped(way_out(berths), Kind::Plain, 0, room)),
    }
}

/// Words as lines that fit, each so many columns from the left.
fn wrapped(words: &str, kind: Kind, indent: usize, room: usize) -> Vec<Line> {
    let clean = text::clean(words);
    let pieces = text::wrap(&clean, room.saturating_sub(indent).max(8));
    pieces.into_iter().map(|piece| Line { text: format!("{:indent$}{piece}", ""), time: String::new(), kind }).collect()
}

fn explained(all: &[Answer], room: usize) -> (Vec<Line>, Vec<Line>) {
    let askers = all.iter().map(|one| width::of(&text::clean(&one.asker.to_string()))).max().unwrap_or(0).min(room / 2);
    let places = all.iter().filter_map(|one| one.place).map(|place| place.to_string().len()).max().unwrap_or(0);
    let (mut full, mut brief) = (Vec::new(), Vec::new());
    for one in all {
        let (sign, kind) = match one.reach {
            Reach::Yes => ("✓ yes", Kind::Added),
            Reach::Perhaps => ("? perhaps", Kind::Changed),
            Reach::No => ("✗ no", Kind::Removed),
        };
        let asker = text::truncate(&text::clean(&one.asker.to_string()), askers).into_owned();
        let gap = askers - width::of(&asker);
        let place = one.place.map(|place| place.to_string()).unwrap_or_default();
        let head = format!("{sign:SIGN$}{asker}{:gap$}  {place:places$}", "");
        let reason = text::clean(&one.steps.join("; ")).into_owned();
        full.push(Line { text: text::truncate(head.trim_end(), room).into_owned(), time: String::new(), kind });
        full.extend(one.steps.iter().flat_map(|step| wrapped(step, Kind::Muted, SIGN, room)));
        brief.push(Line { text: text::truncate(&format!("{head}  {reason}"), room).into_owned(), time: String::new(), kind });
    }
    (full, brief)
}

fn member(name: &str, place: &Endpoint, berths: &Berths) -> Vec<(Kind, String)> {
    let network = &berths.network;
    let addresses = place.addresses.iter().map(|(address, _)| address.to_string()).collect::<Vec<_>>().join(" and ");
    let mut told = vec![if network.internal {
        (Kind::Removed, format!("✗ From elsewhere: nothing leads into network {}, which is internal.", network.name))
    } else {
        (Kind::Removed, format!("✗ From elsewhere: no port of {name} is published by way of network {}.", network.name))
    }];
    let names: Vec<&str> = std::iter::once(name).chain(place.aliases.iter().map(String::as_str)).collect();
    told.push(if !network.icc {
        (Kind::Removed, "✗ From containers of the network: they are kept from each other (icc off).".to_owned())
    } else if network.has_names() {
        (Kind::Added, format!("✓ From containers of the network: at {addresses}, and as {}.", names.join(", ")))
    } else {
        (Kind::Added, format!("✓ From containers of the network: at {addresses}; network {} has no names.", network.name))
    });
    told.push((Kind::Added, format!("✓ From this machine: at {addresses}, by way of {}.", network.link)));
    told
}

fn way_out(berths: &Berths) -> &'static str {
    let network = &berths.network;
    match (network.internal, network.masquerade) {
        (true, _) => "Nothing leads out: what containers of an internal network send elsewhere is dropped.",
        (false, true) => "What containers send elsewhere leaves with this machine's address (masquerade), so that answers find back.",
        (false, false) => "What containers send elsewhere leaves with their own addresses (masquerade off): others must know the way back to them.",
    }
}

#[cfg(test)]
mod tests {
    use super::super::map::tests::{berths, forward, place};
    use super::*;
    use crate::engine::network::Asker;

    fn answer(asker: Asker, reach: Reach, steps: &[&str]) -> Answer {
        Answer { asker, place: "10.0.0.5:8080".parse().ok(), reach, steps: steps.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn who_reaches_a_port_stands_in_columns() {
        let all = vec![answer(Asker::Others, Reach::Yes, &["sent on", "let through"]), answer(Asker::Network("x".to_owned()), Reach::No, &["dropped\x1b[2J"])];
        let entry = Entry::Port(forward(2, "web", "0.0.0.0:8080", 80), Some(place(2)));
        let (full, brief) = lines(&entry, Some(&Ok(all)), &berths(), 90);
        let words = |lines: &[Line]| lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>();
        assert_eq!(
            words(&brief),
            ["✓ yes      other machines           10.0.0.5:8080  sent on; let through", "✗ no       containers of network x  10.0.0.5:8080  dropped\\x1b[2J"]
        );
        assert_eq!(words(&full)[..3], ["✓ yes      other machines           10.0.0.5:8080", "           sent on", "           let through"]);
        assert_eq!((full[0].kind, full[3].kind), (Kind::Added, Kind::Removed));
    }

    #[test]
    fn members_and_the_way_out_are_told_as_the_network_is() {
        let mut berths = berths();
        let told = |berths: &Berths| lines(&Entry::Member("db".to_owned(), place(3)), None, berths, 200).0;
        assert!(told(&berths)[1].text.contains("at 172.17.0.3; network bridge has no names"));
        (berths.network.name, berths.network.internal, berths.network.icc) = ("inner".to_owned(), true, false);
        assert_eq!(told(&berths).iter().filter(|line| line.kind == Kind::Removed).count(), 2);
        assert!(lines(&Entry::Out, None, &berths, 20).0.iter().all(|line| width::of(&line.text) <= 20));
    }
}
