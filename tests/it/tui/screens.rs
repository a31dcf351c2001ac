//! Keys on a real engine, and what is on the screen then.

use super::stage::{NOW, Stage};
use crate::engine::snapshot::image;
use kapal::container::{Config, Container, Health, HealthStatus, HostConfig, Mount, MountKind, State, Status};
use kapal::engine::Engine;
use kapal::id::{ContainerId, ImageId, LayerId};
use kapal::tui::effect::Effect;
use kapal::tui::msg::{Msg, News};
use std::collections::BTreeMap;
use std::sync::Arc;

fn moment(ago: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(NOW - ago).unwrap()
}

fn container(engine: &Engine, number: usize, name: &str, of: &(ImageId, Vec<LayerId>), state: State) -> Container {
    let mount = Mount {
        kind: MountKind::Volume,
        name: Some("data".into()),
        source: "/volumes/data".into(),
        destination: "/data".into(),
        read_only: number == 2,
        propagation: None,
        options: Vec::new(),
        anonymous: false,
    };
    let container = Container {
        id: format!("{number:064x}").parse::<ContainerId>().unwrap(),
        name: name.into(),
        created: moment(1000 * number as i64),
        image: "image0:1".into(),
        image_id: Some(of.0.clone()),
        layers: of.1.clone(),
        driver: "vfs".into(),
        config: Config { env: vec!["PATH=/bin".into(), format!("NUMBER={number}")], cmd: vec!["serve".into(), "--port=80".into()], ..Config::default() },
        host_config: HostConfig { mounts: vec![mount], ..HostConfig::default() },
        state,
    };
    let layers: Vec<String> = of.1.iter().map(ToString::to_string).collect();
    assert!(engine.enter_container(&container, &layers, &["data".to_owned()]).unwrap().is_none());
    container
}

/// A few containers of each kind that lasts without a process, two images, two volumes.
pub fn full(engine: &Engine) {
    let labels = BTreeMap::new();
    engine.create_volume("data", &labels).unwrap();
    engine.create_volume("spare", &labels).unwrap();
    let images = [image(engine, 0, 4), image(engine, 1, 4)];
    let ended =
        |code, ago| State { status: Status::Exited, exit_code: code, started_at: Some(moment(ago + 60)), finished_at: Some(moment(ago)), ..State::default() };
    container(engine, 1, "web", &images[0], State::default());
    container(engine, 2, "database", &images[0], ended(0, 300));
    container(engine, 3, "größe-日本", &images[1], ended(137, 4000));
}

#[test]
fn an_empty_store_says_what_to_do() {
    Stage::on(100, 24, |_| {}).shows("empty").resize(40, 12).shows("empty-narrow");
}

#[test]
fn containers_are_listed_with_what_is_known_of_them() {
    let mut stage = Stage::on(120, 30, full);
    stage.shows("containers").resize(80, 24).shows("containers-80").resize(40, 12).shows("containers-40").resize(20, 5).shows("containers-20");
}

#[test]
fn a_container_s_row_tells_whether_it_is_well() {
    let mut stage = Stage::on(120, 30, full);
    for (health, mark) in [(HealthStatus::Starting, "● running …"), (HealthStatus::Healthy, "● running ✓"), (HealthStatus::Unhealthy, "● running ✗")]
    {
        let mut snapshot = (*stage.model.world.snapshot).clone();
        for container in snapshot.containers.iter_mut().filter(|container| container.name == "web") {
            container.state.status = Status::Running;
            container.state.health = Some(Health { status: health, ..Health::default() });
        }
        stage.tell(Msg::News(News::Snapshot(Arc::new(snapshot.clone()))));
        assert!(stage.text().contains(mark), "{}", stage.text());
        snapshot.containers.iter_mut().for_each(|container| container.state.status = Status::Exited);
        stage.tell(Msg::News(News::Snapshot(Arc::new(snapshot))));
        assert!(!["exited …", "exited ✓", "exited ✗"].iter().any(|mark| stage.text().contains(mark)), "what does not run is neither well nor ill");
    }
}

#[test]
fn the_tabs_of_a_container_are_turned_by_key() {
    let mut stage = Stage::on(100, 24, full);
    stage.keys("enter").shows("details-logs");
    stage.keys("] ] ]").shows("details-changes");
    stage.keys("]").shows("details-mounts");
    stage.keys("]").sees("It has a loopback link alone.");
    stage.keys("]").shows("details-environment");
    stage.keys("]").sees("\"Id\": \"0000").keys("z").resize(60, 12).shows("details-inspect");
    stage.keys("& C r e a t e d enter").shows("details-inspect-only");
}

#[test]
fn rows_are_sorted_filtered_and_marked() {
    let mut stage = Stage::on(90, 16, full);
    stage.keys("o o").shows("containers-sorted");
    stage.keys("/").types("e").shows("containers-filtered");
    stage.keys("enter A").shows("containers-marked");
    stage.keys("esc esc esc").sees("Containers 3");
    assert!(!stage.text().contains("marked"), "{}", stage.text());
}

#[test]
fn what_destroys_is_asked_for_and_no_is_the_default() {
    let mut stage = Stage::on(90, 20, full);
    stage.keys("j d").shows("confirm");
    stage.keys("enter");
    assert_eq!(stage.engine.containers().unwrap().len(), 3, "the default is no");
    stage.keys("d y").sees("done: rm database").until("it is gone", |stage| stage.model.world.snapshot.containers.len() == 2);
    assert_eq!(stage.engine.containers().unwrap().len(), 2);
    stage.shows("removed");
}

#[test]
fn an_error_stays_until_it_is_dismissed() {
    let mut stage = Stage::on(90, 16, full);
    stage.keys("s").shows("notice-error");
    let later = jiff::Timestamp::from_second(NOW + 1000).unwrap();
    stage.tell(kapal::tui::msg::Msg::Tick(later));
    assert!(stage.text().contains("there is nothing to stop"), "{}", stage.text());
    stage.keys("esc");
    assert!(!stage.text().contains("there is nothing to stop"), "{}", stage.text());
}

#[test]
fn help_lists_the_keys_of_the_place() {
    let mut stage = Stage::on(90, 24, full);
    stage.keys("?").shows("help-containers");
    stage.keys("esc 4 ?").shows("help-volumes");
}

#[test]
fn the_command_line_completes_checks_does_and_remembers() {
    let mut stage = Stage::on(90, 20, full);
    stage.keys(":").types("vol").shows("command-line");
    stage.keys("tab").types("rm sp").keys("tab").shows("command-line-completed");
    stage.keys("enter").until("the volume is gone", |stage| stage.model.world.snapshot.volumes.len() == 1).sees("done: volume rm spare").keys("esc");
    stage.keys(":").types("nosuch").keys("enter").shows("command-line-wrong");
    stage.keys("esc : up").sees(":volume rm spare");
}

#[test]
fn a_prompt_becomes_the_verb_it_shows() {
    let mut stage = Stage::on(90, 20, full);
    stage.keys("4 c").types("fresh").shows("prompt");
    stage.keys("enter").sees("done: volume create fresh").until("it is there", |stage| stage.text().matches("fresh").count() > 1);
    assert!(stage.engine.volumes().unwrap().iter().any(|volume| volume.name == "fresh"));
}

#[test]
fn forms_cut_no_label_at_any_size() {
    let mut stage = Stage::on(80, 24, full);
    stage.keys("2").sees("2kB").keys("1 R").shows("form-run-80").resize(40, 12).shows("form-run-40").resize(20, 5).shows("form-run-20");
    stage.keys("tab tab tab").shows("form-run-20-switch");
    stage.keys("esc").resize(200, 60).keys("c").sees("Make an image of a container").resize(30, 10).shows("form-commit-30");
    for (keys, labels) in [("P", &["Image", "Platform", "[ ] all tags", "[ ] without TLS"][..]), ("f2", &["Container", "New name"])] {
        for (columns, rows) in [(22, 12), (40, 12), (60, 16), (120, 40), (200, 60)] {
            let text = stage.keys("esc").resize(columns, rows).keys(keys).text();
            assert!(labels.iter().all(|label| text.contains(label)), "{columns}×{rows}: {text}");
        }
    }
}

#[test]
fn each_pane_has_its_number() {
    let mut stage = Stage::on(100, 16, full);
    stage.keys("2").sees("Images 2").sees("2kB").until("it has looked", |stage| !stage.text().contains("Looking")).shows("images");
    stage.keys("3").sees("Networks 3");
    stage.keys("5").sees("Jobs").shows("jobs");
    stage.keys("4").sees("Volumes 2").keys("tab").sees("Jobs").keys("tab").sees("No console is open").keys("tab").sees("Containers 3");
}

#[test]
fn every_theme_is_one_key_away_and_says_its_name() {
    let mut stage = Stage::on(90, 16, full);
    let names = stage.model.world.config.themes.names();
    let mut seen = Vec::new();
    for _ in &names {
        stage.keys("T");
        let name = stage.model.world.theme.name().to_owned();
        assert!(stage.text().contains(&format!("theme {name}")), "{}", stage.text());
        seen.push((name, format!("{:?}", stage.buffer()[(0, 0)].style())));
    }
    seen.sort();
    let told: Vec<&String> = seen.iter().map(|(name, _)| name).collect();
    let mut all = names.clone();
    all.sort();
    assert_eq!(told, all.iter().collect::<Vec<_>>());
    let looks: std::collections::BTreeSet<&String> = seen.iter().map(|(_, look)| look).collect();
    assert!(looks.len() >= 5, "themes look the same: {seen:?}");
}

#[test]
fn keys_of_the_terminal_reach_it() {
    let mut stage = Stage::on(90, 16, full);
    stage.keys("y ctrl-l ctrl-z q");
    assert_eq!(stage.told, [Effect::Copy(format!("{:064x}", 1)), Effect::Redraw, Effect::Suspend, Effect::Quit]);
}
