//! The networks, who is on one of them, and what is published by way of it, as rows of tables.

use crate::container::network::{DEFAULT, Forward};
use crate::container::{Container, Endpoint, NetworkMode};
use crate::engine::network::Berths;
use crate::text::size;
use crate::tui::widget::table::{Cell, Column, Row};
use crate::tui::world::{Rate, World};
use ratatui::style::Style;
use std::collections::HashMap;
use std::net::SocketAddr;

/// What each link carries, by its name.
pub type Rates = HashMap<String, Rate>;

/// The columns of the list.
pub const LIST: &[Column] = &[
    Column { title: "NAME", least: 8, most: 24, right: false, sheds: 0 },
    Column { title: "DRIVER", least: 6, most: 8, right: false, sheds: 6 },
    Column { title: "SUBNET", least: 13, most: 48, right: false, sheds: 2 },
    Column { title: "LINK", least: 6, most: 15, right: false, sheds: 5 },
    Column { title: "MEMBERS", least: 7, most: 8, right: true, sheds: 0 },
    Column { title: "PORTS", least: 5, most: 6, right: true, sheds: 3 },
    Column { title: "RX/s", least: 7, most: 9, right: true, sheds: 1 },
    Column { title: "TX/s", least: 7, most: 9, right: true, sheds: 1 },
    Column { title: "FLAGS", least: 18, most: 36, right: false, sheds: 4 },
];

/// The columns of those who are on one.
pub const MEMBERS: &[Column] = &[
    Column { title: "NAME", least: 8, most: 32, right: false, sheds: 0 },
    Column { title: "ADDRESSES", least: 13, most: 56, right: false, sheds: 0 },
    Column { title: "MAC", least: 17, most: 17, right: false, sheds: 5 },
    Column { title: "ALIASES", least: 7, most: 40, right: false, sheds: 3 },
    Column { title: "LINK", least: 8, most: 24, right: false, sheds: 4 },
    Column { title: "RX/s", least: 7, most: 9, right: true, sheds: 1 },
    Column { title: "TX/s", least: 7, most: 9, right: true, sheds: 1 },
];

/// The columns of what is published.
pub const PORTS: &[Column] = &[
    Column { title: "PUBLISHED", least: 14, most: 48, right: false, sheds: 0 },
    Column { title: "PROTOCOL", least: 4, most: 8, right: false, sheds: 1 },
    Column { title: "CONTAINER", least: 8, most: 32, right: false, sheds: 0 },
    Column { title: "LEADS TO", least: 13, most: 48, right: false, sheds: 0 },
];

/// What the list has beside the networks of the store: where nothing is made for containers.
const PLAIN: [(&str, &str, &str, NetworkMode); 2] = [("host", "host", "this machine", NetworkMode::Host), ("none", "null", "loopback", NetworkMode::None)];

/// The mode that a row is of, which stands for no network of the store.
pub fn mode(key: &str) -> Option<NetworkMode> {
    PLAIN.iter().find(|(name, ..)| *name == key).map(|(.., mode)| mode.clone())
}

/// Running containers of a mode.
pub fn users<'a>(world: &'a World, mode: &NetworkMode) -> impl Iterator<Item = &'a Container> {
    world.snapshot.containers.iter().filter(move |container| container.host_config.network_mode == *mode && container.state.status.is_alive())
}

/// `1.2kB`, for a second.
pub fn rate(bytes: f64) -> String {
    size::decimal(bytes.max(0.0) as u64)
}

fn rates(of: Option<&Rate>, style: Style) -> [Cell; 2] {
    [of.map(|rate| rate.received), of.map(|rate| rate.sent)].map(|bytes| Cell::number(bytes.map_or_else(|| "–".to_owned(), rate), bytes, style))
}

fn count(number: usize, style: Style) -> Cell {
    Cell::number(number.to_string(), Some(number as f64), style)
}

/// What sets a network apart.
fn flags(berths: &Berths) -> String {
    let network = &berths.network;
    let all = [(network.internal, "internal"), (!network.icc, "icc off"), (!network.masquerade && !network.internal, "masquerade off")];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word).collect::<Vec<_>>().join(", ")
}

/// The list: the networks of the store by name, then what is there without being made.
pub fn list(world: &World, carried: &Rates) -> Vec<Row> {
    let theme = &world.theme;
    let row = |berths: &Berths| {
        let network = &berths.network;
        let style = if berths.members.is_empty() { theme.muted() } else { theme.text() };
        let subnets = network.subnets.iter().map(|subnet| subnet.block.to_string()).collect::<Vec<_>>().join(", ");
        let [received, sent] = rates(carried.get(&network.link), style);
        let cells = vec![
            Cell::text(&network.name, theme.text()),
            Cell::text(&network.driver, theme.muted()),
            Cell::text(&subnets, style),
            Cell::text(&network.link, theme.muted()),
            count(berths.members.len(), style),
            count(berths.forwards.len(), style),
            received,
            sent,
            Cell::text(&flags(berths), theme.warning()),
        ];
        Row { key: network.id.to_string(), cells }
    };
    let plain = PLAIN.iter().map(|(name, driver, about, mode)| {
        let style = theme.muted();
        let nothing = || Cell::text("–", theme.faint());
        let cells = vec![
            Cell::text(name, theme.text()),
            Cell::text(driver, style),
            Cell::text(about, style),
            nothing(),
            count(users(world, mode).count(), style),
            Cell::number("–", None, theme.faint()),
            Cell::number("–", None, theme.faint()),
            Cell::number("–", None, theme.faint()),
            Cell::text("", style),
        ];
        Row { key: (*name).to_owned(), cells }
    });
    world.snapshot.networks.iter().map(row).chain(plain).collect()
}

/// A place's addresses, `172.17.0.2, fd00::2`.
pub fn addresses(endpoint: &Endpoint) -> String {
    endpoint.addresses.iter().map(|(address, _)| address.to_string()).collect::<Vec<_>>().join(", ")
}

/// Who is on a network.
pub fn members(world: &World, key: &str, carried: &Rates) -> Vec<Row> {
    let theme = &world.theme;
    if let Some(mode) = mode(key) {
        let about = if mode == NetworkMode::Host { "this machine's" } else { "127.0.0.1" };
        let row = |container: &Container| {
            let cell = |words: &str| Cell::text(words, theme.muted());
            let cells = vec![Cell::text(&container.name, theme.text()), cell(about), cell("–"), cell("–"), cell("–"), cell("–"), cell("–")];
            Row { key: container.id.to_string(), cells }
        };
        return users(world, &mode).map(row).collect();
    }
    let row = |(name, endpoint): &(String, Endpoint)| {
        let [received, sent] = rates(carried.get(&endpoint.link), theme.text());
        let cells = vec![
            Cell::text(name, theme.text()),
            Cell::text(&addresses(endpoint), theme.text()),
            Cell::text(&endpoint.mac.to_string(), theme.muted()),
            Cell::text(&if endpoint.aliases.is_empty() { "–".to_owned() } else { endpoint.aliases.join(", ") }, theme.muted()),
            Cell::text(&format!("{} ▸ {}", endpoint.link, endpoint.inside), theme.muted()),
            received,
            sent,
        ];
        Row { key: endpoint.container.to_string(), cells }
    };
    world.network(key).map(|berths| berths.members.iter().map(row).collect()).unwrap_or_default()
}

/// What is published by way of a network.
pub fn ports(world: &World, key: &str) -> Vec<Row> {
    let theme = &world.theme;
    let row = |forward: &Forward| {
        let port = &forward.port;
        let cells = vec![
            Cell { sort: crate::tui::widget::table::Sort::Number(Some(f64::from(port.port))), ..Cell::text(&here(forward), theme.text()) },
            Cell::text(port.protocol.as_str(), theme.muted()),
            Cell::text(&forward.name, theme.text()),
            Cell::text(&SocketAddr::new(forward.target, port.inside).to_string(), theme.text()),
        ];
        Row { key: port.to_string(), cells }
    };
    world.network(key).map(|berths| berths.forwards.iter().map(row).collect()).unwrap_or_default()
}

/// Where on this machine it is published, `0.0.0.0:8080`.
pub fn here(forward: &Forward) -> String {
    SocketAddr::new(forward.port.address, forward.port.port).to_string()
}

/// Whether it can be removed: made by somebody, and nobody is on it.
pub fn is_removable(berths: &Berths) -> bool {
    berths.network.name != DEFAULT && berths.members.is_empty()
}
