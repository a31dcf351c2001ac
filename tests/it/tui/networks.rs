//! Networks by key: the list, the map, and the commands that keys become.

use super::screens::full;
use super::stage::{NOW, Stage, key};
use kapal::container::network::{Forward, Mac, Subnet};
use kapal::container::{Attachment, Endpoint, Network, NetworkMode, Protocol, Published, Status};
use kapal::engine::network::{Answer as Told, Asker, Berths, Reach, Reached};
use kapal::id::ContainerId;
use kapal::tui::effect::{Effect, Question, Ticket};
use kapal::tui::msg::{Answer, Msg, News};
use kapal::tui::update::update;
use kapal::tui::world::Rate;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

fn id(number: usize) -> ContainerId {
    format!("{number:064x}").parse().unwrap()
}

fn network(number: usize, name: &str, internal: bool) -> Network {
    let subnet = |block: &str, gateway: &str| Subnet { block: block.parse().unwrap(), gateway: gateway.parse().unwrap(), range: None, chosen: false };
    let mut subnets = vec![subnet(&format!("172.{}.0.0/16", 17 + number), &format!("172.{}.0.1", 17 + number))];
    if internal {
        subnets.push(subnet("fd12:3456::/64", "fd12:3456::1"));
    }
    Network {
        id: format!("{:064x}", 100 + number).parse().unwrap(),
        name: name.to_owned(),
        created: jiff::Timestamp::from_second(NOW).unwrap(),
        driver: "bridge".to_owned(),
        link: if number == 0 { "kapal0".to_owned() } else { format!("kp-{number:012x}") },
        subnets,
        internal,
        icc: !internal,
        masquerade: true,
        mtu: None,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
    }
}

fn member(container: usize, name: &str, network: &Network) -> (String, Endpoint) {
    let IpAddr::V4(gateway) = network.subnets[0].gateway else { panic!("an IPv4 network") };
    let [a, b, ..] = gateway.octets();
    let address = Ipv4Addr::new(a, b, 0, 1 + container as u8);
    let place = Endpoint {
        container: id(container),
        network: network.id.clone(),
        link: format!("kv{container:010x}00"),
        inside: "eth0".to_owned(),
        mac: Mac::of(address),
        addresses: vec![(address.into(), 16)],
        aliases: if container == 2 { vec!["store".to_owned()] } else { Vec::new() },
    };
    (name.to_owned(), place)
}

fn published(container: usize, name: &str, network: &Network, here: &str, inside: u16) -> Forward {
    let here: std::net::SocketAddr = here.parse().unwrap();
    let port = Published { protocol: Protocol::Tcp, address: here.ip(), port: here.port(), inside };
    Forward { container: id(container), name: name.to_owned(), network: network.id.clone(), port, target: member(container, name, network).1.addresses[0].0 }
}

/// The store's own containers, as if they ran on networks that are the same on every machine.
fn networked(columns: u16, rows: u16) -> Stage {
    let mut stage = Stage::on(columns, rows, full);
    let mut snapshot = (*stage.model.world.snapshot).clone();
    for container in snapshot.containers.iter_mut().filter(|container| container.name != "größe-日本") {
        container.state.status = Status::Running;
        container.host_config.network_mode = NetworkMode::Networks("bridge".to_owned());
        container.host_config.networks = vec![Attachment { network: "bridge".to_owned(), ..Attachment::default() }];
    }
    let (bridge, inner, spare) = (network(0, "bridge", false), network(1, "inner", true), network(2, "spare", false));
    let members = vec![member(2, "database", &bridge), member(1, "web", &bridge)];
    let forwards = vec![published(1, "web", &bridge, "0.0.0.0:8080", 80), published(1, "web", &bridge, "127.0.0.1:8443", 443)];
    snapshot.networks = vec![
        Berths { network: bridge, members, forwards },
        Berths { network: inner, members: Vec::new(), forwards: Vec::new() },
        Berths { network: spare, members: Vec::new(), forwards: Vec::new() },
    ];
    stage.tell(Msg::News(News::Snapshot(Arc::new(snapshot))));
    stage
}

/// Keys; what would be done outside, and is not.
fn pressed(stage: &mut Stage, keys: &str) -> Vec<Effect> {
    keys.split_whitespace().flat_map(|word| update(&mut stage.model, Msg::Key(key(word)))).collect()
}

/// The same for text.
fn typed(stage: &mut Stage, text: &str) -> Vec<Effect> {
    text.chars()
        .flat_map(|c| update(&mut stage.model, Msg::Key(ratatui::crossterm::event::KeyEvent::from(ratatui::crossterm::event::KeyCode::Char(c)))))
        .collect()
}

/// The verbs among what would be done.
fn verbs(effects: &[Effect]) -> Vec<String> {
    effects.iter().filter_map(|effect| if let Effect::Perform(words) = effect { Some(words.join(" ")) } else { None }).collect()
}

fn asked(effects: &[Effect]) -> Vec<(Ticket, Question)> {
    effects.iter().filter_map(|effect| if let Effect::Ask(ticket, question) = effect { Some((*ticket, question.clone())) } else { None }).collect()
}

/// What the engine would tell of a port.
fn explained(forward: &Forward) -> Vec<Reached> {
    let one =
        |asker, reach, steps: &[&str]| Told { asker, place: "192.168.1.5:8080".parse().ok(), reach, steps: steps.iter().map(ToString::to_string).collect() };
    let answers = vec![
        one(Asker::Machine, Reach::Yes, &["web: 0.0.0.0:8080 -> 172.17.0.2:80/tcp"]),
        one(Asker::Others, Reach::Perhaps, &["web: 0.0.0.0:8080 -> 172.17.0.2:80/tcp", "ufw: chain FORWARD drops what goes to containers"]),
        one(Asker::Network("inner".to_owned()), Reach::No, &["dropped"]),
    ];
    vec![Reached { forward: forward.clone(), network: "bridge".to_owned(), answers }]
}

#[test]
fn networks_are_listed_with_what_they_carry() {
    let mut stage = networked(110, 24);
    let effects = pressed(&mut stage, "3");
    let (ticket, _) = asked(&effects).into_iter().find(|(_, question)| *question == Question::Traffic).unwrap();
    let rates =
        HashMap::from([("kapal0", 1240.0, 88.0), ("kv000000000100", 1e6, 5.0)].map(|(link, received, sent)| (link.to_owned(), Rate { received, sent })));
    update(&mut stage.model, Msg::News(News::Answer(ticket, Answer::Rates(rates))));
    stage.shows("networks").resize(60, 16).shows("networks-60");
    stage.resize(110, 24);
    pressed(&mut stage, "[");
    stage.shows("networks-ports");
    pressed(&mut stage, "[");
    stage.shows("networks-members");
    // Nobody looks any more: nobody is asked.
    assert!(pressed(&mut stage, "1").contains(&Effect::Forget(ticket)));
}

#[test]
fn the_map_tells_who_reaches_what_is_selected() {
    let mut stage = networked(80, 24);
    assert!(
        asked(&pressed(&mut stage, "3 enter")).iter().all(|(_, question)| *question == Question::Traffic),
        "a member without ports is explained without asking"
    );
    stage.shows("networks-map-member");
    let effects = pressed(&mut stage, "j");
    let [(ticket, Question::Explain(container, 80))] = &asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(*container, id(1));
    let forward = stage.model.world.snapshot.networks[0].forwards[0].clone();
    update(&mut stage.model, Msg::News(News::Answer(*ticket, Answer::Explained(explained(&forward)))));
    stage.shows("networks-map-80").resize(120, 30).shows("networks-map-120").resize(200, 50).shows("networks-map-200").resize(40, 16).shows("networks-map-40");
    stage.resize(80, 24);
    pressed(&mut stage, "enter");
    stage.shows("networks-map-reading");
    pressed(&mut stage, "esc j j");
    assert!(stage.text().contains("the way out"), "{}", stage.text());
    assert!(pressed(&mut stage, "k").iter().any(|effect| matches!(effect, Effect::Ask(_, Question::Explain(_, 443)))));
    let last = asked(&pressed(&mut stage, "k"))[0].0;
    assert!(pressed(&mut stage, "1").contains(&Effect::Forget(last)));
}

#[test]
fn another_network_is_shown_from_its_beginning() {
    let mut stage = networked(80, 24);
    let mut snapshot = (*stage.model.world.snapshot).clone();
    snapshot.networks[1].members = vec![member(1, "web", &snapshot.networks[1].network)];
    stage.tell(Msg::News(News::Snapshot(Arc::new(snapshot))));
    pressed(&mut stage, "3 j");
    assert!(stage.text().contains("who reaches web"), "{}", stage.text());
    pressed(&mut stage, "k");
    assert!(stage.text().contains("who reaches database"), "web is on both: {}", stage.text());
}

#[test]
fn keys_become_the_commands_that_one_would_type() {
    let mut stage = networked(90, 24);
    pressed(&mut stage, "3 c");
    typed(&mut stage, "back");
    pressed(&mut stage, "tab");
    typed(&mut stage, "10.5.0.0/24");
    pressed(&mut stage, "tab tab space tab space");
    stage.shows("networks-create");
    assert_eq!(verbs(&pressed(&mut stage, "enter")), ["network create --subnet 10.5.0.0/24 --internal --ipv6 back"]);
    pressed(&mut stage, "j a");
    typed(&mut stage, "web");
    assert_eq!(verbs(&pressed(&mut stage, "enter")), ["network connect inner web"]);
    // In the list a container is asked for, in the details it is the selected one.
    pressed(&mut stage, "k D");
    typed(&mut stage, "web");
    assert_eq!(verbs(&pressed(&mut stage, "enter")), ["network disconnect bridge web"]);
    pressed(&mut stage, "enter D");
    stage.shows("networks-disconnect");
    assert_eq!(verbs(&pressed(&mut stage, "y")), ["network disconnect bridge database"]);
    pressed(&mut stage, "j F");
    assert!(stage.text().contains("Publish 0.0.0.0:8080->80/tcp of web no longer?"), "{}", stage.text());
    assert_eq!(verbs(&pressed(&mut stage, "y")), ["port web --unpublish 8080:80/tcp"]);
    assert_eq!(verbs(&pressed(&mut stage, "j F y")), ["port web --unpublish 127.0.0.1:8443:443/tcp"]);
    pressed(&mut stage, "f");
    assert!(verbs(&pressed(&mut stage, "enter")).is_empty() && stage.text().contains("Port is needed"), "{}", stage.text());
    typed(&mut stage, "9000:90/udp");
    assert_eq!(verbs(&pressed(&mut stage, "enter")), ["port --publish 9000:90/udp web"]);
    assert_eq!(verbs(&pressed(&mut stage, "esc G d y")), [""; 0], "none is not removed");
    assert_eq!(verbs(&pressed(&mut stage, "g j space space d y")), ["network rm inner spare"]);
    pressed(&mut stage, "esc esc g j d");
    assert_eq!(verbs(&pressed(&mut stage, "y")), ["network rm inner"]);
    pressed(&mut stage, "X");
    assert_eq!(verbs(&pressed(&mut stage, "y")), ["network prune -f"]);
}

#[test]
fn what_cannot_be_done_is_not_told_of_and_says_why() {
    let mut stage = networked(90, 24);
    let hints = |stage: &mut Stage, keys: &str| {
        pressed(stage, keys);
        stage.model.hints(1000).iter().map(|hint| hint.label).collect::<Vec<_>>()
    };
    let told = hints(&mut stage, "3");
    assert!(told.contains(&"publish") && told.contains(&"disconnect") && !told.contains(&"remove") && !told.contains(&"unpublish"), "{told:?}");
    let told = hints(&mut stage, "j");
    assert!(told.contains(&"remove") && told.contains(&"connect") && !told.contains(&"publish") && !told.contains(&"disconnect"), "{told:?}");
    let told = hints(&mut stage, "G");
    assert!(!["remove", "connect", "disconnect", "publish"].iter().any(|label| told.contains(label)), "{told:?}");
    assert!(verbs(&pressed(&mut stage, "g d")).is_empty());
    assert!(stage.text().contains("is there without being asked for"), "{}", stage.text());
    let told = hints(&mut stage, "esc enter j");
    assert!(told.contains(&"unpublish") && told.contains(&"publish"), "{told:?}");
    pressed(&mut stage, "x");
    stage.shows("networks-menu");
    let told = hints(&mut stage, "esc enter");
    assert!(!told.contains(&"unpublish") && told.contains(&"back"), "text is read: {told:?}");
}

#[test]
fn containers_show_their_ports_and_networks() {
    let mut stage = networked(120, 30);
    assert!(stage.text().contains("8080→80"), "{}", stage.text());
    pressed(&mut stage, "enter ] ] ] ] ]");
    stage.shows("details-networks");
    pressed(&mut stage, "esc f");
    assert!(stage.text().contains("kapal port web"), "{}", stage.text());
    typed(&mut stage, "81:80");
    assert_eq!(verbs(&pressed(&mut stage, "enter")), ["port --publish 81:80 web"]);
}
