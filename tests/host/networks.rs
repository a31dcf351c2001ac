//! Networks by the command line: made, listed, joined, left and removed; ports published while a container runs; who reaches them.

use crate::store::Store;
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn networks_are_made_listed_and_removed() {
    let Some(store) = Store::new() else { return };
    let names = |filter: &str| store.ok(&["network", "ls", "--format", "{{.Name}}", "--filter", filter]);
    assert_eq!(store.ok(&["network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"]), "bridge bridge local\nhost host local\nnone null local");
    let options = ["--subnet", "10.201.0.0/24", "--gateway", "10.201.0.9", "--ip-range", "10.201.0.128/25", "--label", "a=b", "-o", "mtu=1400"];
    let id = store.ok(&[&["network", "create"], &options[..], &["lab"]].concat());
    assert_eq!(id.len(), 64);
    store.ok(&["network", "create", "--internal", "--ipv6", "inner"]);
    assert_eq!((names("type=custom").as_str(), names("label=a=b").as_str(), names("driver=null").as_str()), ("inner\nlab", "lab", "none"));
    assert_eq!(store.ok(&["network", "ls", "-q", "--filter", "name=lab"]), id[..12]);
    assert!(store.ok(&["network", "ls", "-q", "--no-trunc"]).contains(&id));

    let shown = json(&store.ok(&["network", "inspect", "lab", "host"]));
    assert_eq!(shown[0]["IPAM"]["Config"][0]["Gateway"], "10.201.0.9");
    assert_eq!((&shown[0]["Id"], &shown[0]["Labels"]["a"], &shown[1]["Driver"]), (&Value::from(id.as_str()), &Value::from("b"), &Value::from("host")));
    assert_eq!(store.ok(&["inspect", "--format", "{{.EnableIPv6}} {{.Internal}}", "inner"]), "true true");
    assert_eq!(store.ok(&["inspect", "--type", "network", "--format", "{{.Name}}", &id[..8]]), "lab");
    assert!(store.fails(1, &["network", "inspect", "nosuch"]).contains("network nosuch not found"));

    assert!(store.fails(1, &["network", "create", "lab"]).contains("network with name lab already exists"));
    assert!(store.fails(1, &["network", "create", "--subnet", "10.201.0.0/16", "other"]).contains("network lab"));
    assert!(store.fails(1, &["network", "create", "-d", "macvlan", "other"]).contains("macvlan"));
    assert!(store.fails(1, &["network", "create", "--attachable", "other"]).contains("--attachable is not in this version"));
    for name in ["bridge", "host", "none"] {
        assert!(store.fails(1, &["network", "rm", name]).contains(&format!("{name} is a pre-defined network and cannot be removed")));
    }
    store.fails(1, &["network", "rm", "nosuch"]);
    store.ok(&["network", "rm", "-f", "nosuch"]);
    assert_eq!(store.ok(&["network", "rm", "lab", "inner"]), "lab\ninner");
    store.ok(&["network", "create", "n"]);
    store.ok(&["run", "--rm", "--network", "n", "host", "true"]);
    store.ok(&["network", "rm", "n"]);
    assert!(store.fails(1, &["network", "create", "a b"]).contains("invalid network name"));
}

#[test]
fn containers_come_to_networks_and_leave_them() {
    let Some(store) = Store::new() else { return };
    store.ok(&["network", "create", "--subnet", "10.202.0.0/24", "lab"]);
    store.ok(&["network", "create", "other"]);
    store.ok(&["run", "-d", "--name", "web", "--network", "lab", "host", "sleep", "1000"]);
    store.ok(&["network", "connect", "--alias", "db", "other", "web"]);
    assert_eq!(store.ok(&["ps", "--format", "{{.Networks}}"]), "lab,other");
    for network in ["lab", "other"] {
        assert_eq!(store.ok(&["ps", "--format", "{{.Names}}", "--filter", &format!("network={network}")]), "web");
    }
    let id = store.ok(&["network", "ls", "-q", "--filter", "name=other"]);
    assert_eq!(store.ok(&["ps", "--format", "{{.Names}}", "--filter", &format!("network={id}")]), "web");
    assert_eq!(store.ok(&["ps", "-q", "--filter", "network=bridge"]), "");
    assert!(store.ok(&["network", "inspect", "--format", "{{json .Containers}}", "other"]).contains("\"Name\":\"web\""));
    assert!(store.fails(1, &["network", "connect", "lab", "web"]).contains("on network lab already"));
    assert!(store.fails(1, &["network", "connect", "host", "web"]).contains("made with --network host"));
    let refused = store.fails(1, &["network", "rm", "lab"]);
    assert!(refused.contains("network lab has active endpoints (name:\"web\" id:\""), "{refused}");

    store.ok(&["network", "disconnect", "other", "web"]);
    assert!(store.fails(1, &["network", "disconnect", "other", "web"]).contains("not on network other"));
    store.ok(&["network", "disconnect", "-f", "other", "web"]);
    store.ok(&["network", "disconnect", "-f", "other", "nosuch"]);
    store.ok(&["stop", "-t", "0", "web"]);
    store.ok(&["network", "disconnect", "lab", "web"]);
    store.ok(&["network", "connect", "--ip", "10.202.0.77", "lab", "web"]);
    store.ok(&["start", "web"]);
    assert_eq!(store.field("web", ".NetworkSettings.Networks.lab.IPAddress"), "10.202.0.77");
    let told = |filter: &str| store.ok(&["events", "--since", "10m", "--until", "0s", "--filter", filter, "--format", "{{.Action}}"]);
    assert!(told("type=network").contains("disconnect") && told("network=lab").starts_with("create"), "{}", told("type=network"));
}

#[test]
fn ports_are_published_while_a_container_runs() {
    let Some(store) = Store::new() else { return };
    store.ok(&["run", "-d", "--name", "web", "-p", "127.0.0.1:18080:80", "-p", "127.0.0.1:19000-19002:90-92", "host", "sleep", "1000"]);
    assert_eq!(store.ok(&["ps", "--format", "{{.Ports}}"]), "127.0.0.1:18080->80/tcp, 127.0.0.1:19000-19002->90-92/tcp");
    assert_eq!(store.ok(&["port", "web", "80"]), "127.0.0.1:18080");
    assert!(store.fails(1, &["port", "web", "81/udp"]).contains("no public port '81/udp' published for web"));
    let filtered = |filter: &str| store.ok(&["ps", "--format", "{{.Names}}", "--filter", filter]);
    assert_eq!((filtered("publish=18080").as_str(), filtered("expose=85-95").as_str(), filtered("publish=80").as_str()), ("web", "web", ""));
    assert_eq!(store.ok(&["port", "web", "--publish", "127.0.0.1:17000:70/udp", "--unpublish", "91-92"]), "70/udp -> 127.0.0.1:17000");
    assert_eq!(store.ok(&["port", "web"]), "70/udp -> 127.0.0.1:17000\n80/tcp -> 127.0.0.1:18080\n90/tcp -> 127.0.0.1:19000");
    store.fails(1, &["port", "web", "--unpublish", "12"]);
    assert!(store.field("web", "json .HostConfig.PortBindings").contains(r#""70/udp":[{"HostIp":"127.0.0.1","HostPort":"17000"}]"#));

    store.ok(&["stop", "-t", "0", "web"]);
    assert_eq!(store.ok(&["ps", "-a", "--format", "{{.Ports}}"]), "");
    let done = store.kapal(&["port", "web", "--unpublish", "90", "--publish", "127.0.0.1:16000:60"]);
    assert_eq!((done.status, done.out.as_str()), (0, ""), "{}", done.err);
    assert!(done.err.contains("published at the next start"), "{}", done.err);
    store.ok(&["start", "web"]);
    assert_eq!(store.ok(&["port", "web"]), "60/tcp -> 127.0.0.1:16000\n70/udp -> 127.0.0.1:17000\n80/tcp -> 127.0.0.1:18080");
}

#[test]
fn who_reaches_a_port_is_told() {
    let Some(store) = Store::new() else { return };
    store.ok(&["network", "create", "lab"]);
    store.ok(&["run", "-d", "--name", "web", "--network", "lab", "-p", "127.0.0.1:18081:80", "host", "sleep", "1000"]);
    let told = store.ok(&["network", "explain", "web"]);
    assert!(told.starts_with("127.0.0.1:18081 -> web "), "{told}");
    let line = |asker: &str| told.lines().find(|line| line.contains(asker)).unwrap_or_else(|| panic!("{asker}: {told}")).trim_start();
    assert!(line("this machine by loopback").starts_with("yes") && line("other machines").starts_with("no"), "{told}");
    let shown = json(&store.ok(&["network", "explain", "web:80/tcp", "--format", "json"]));
    assert_eq!((&shown["Ports"][0]["HostPort"], &shown["Ports"][0]["Answers"][0]["Reach"]), (&Value::from("18081"), &Value::from("yes")));
    let told = store.ok(&["network", "explain", "web:443"]);
    assert!(told.contains("port 443/tcp of web is not published") && told.contains("--publish 443:443/tcp"), "{told}");
    store.ok(&["run", "-d", "--name", "alone", "--network", "none", "host", "sleep", "1000"]);
    assert!(store.ok(&["network", "explain", "alone"]).contains("on no network"));
    store.fails(1, &["network", "explain", "web:x"]);
    store.ok(&["stop", "-t", "0", "web"]);
    assert!(store.ok(&["network", "explain", "web"]).contains("does not run"));
}

#[test]
fn a_wall_in_the_way_is_told_at_the_start() {
    let Some(store) = Store::new() else { return };
    let nft = |rules: &str| assert_eq!(crate::store::finish(std::process::Command::new("nft").args(["-f", "-"]), Some(rules.as_bytes())).status, 0, "{rules}");
    store.ok(&["network", "create", "--internal", "inner"]);
    store.ok(&["create", "--name", "made", "-p", "80", "host", "sleep", "1000"]);
    let warned = |options: &[&str]| store.kapal(&[&["run", "--rm"], options, &["host", "true"]].concat()).err;
    assert_eq!(warned(&[]), "");
    nft("table inet wall { chain guard { type filter hook forward priority 10; ct state established accept; ct status dnat accept; reject; }; }");
    let told = warned(&["-p", "80"]);
    assert!(told.starts_with("WARNING: nft: chain guard of table inet wall drops what containers send (not what comes to published ports)"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    let started = store.kapal(&["start", "made"]);
    assert_eq!((started.err.as_str(), started.out.as_str()), (told.as_str(), "made"));
    assert_eq!(store.kapal(&["restart", "-t", "0", "made"]).err, told);
    store.ok(&["rm", "-f", "made"]);
    assert_eq!((warned(&["--network", "none"]).as_str(), warned(&["--network", "inner"]).as_str()), ("", ""));
    let ways = told.split_once("to let it through: ").unwrap().1.replace("; ", "\n");
    nft(&ways.lines().map(|way| way.trim_start_matches("nft ")).collect::<Vec<_>>().join("\n"));
    assert_eq!(warned(&["-p", "80"]), "", "what lets it through is seen");
    nft("delete table inet wall");
}

#[test]
fn networks_that_nobody_is_on_are_pruned() {
    let Some(store) = Store::new() else { return };
    for name in ["idle", "named", "used"] {
        store.ok(&["network", "create", name]);
    }
    store.ok(&["network", "create", "--label", "keep", "kept"]);
    store.ok(&["run", "-d", "--name", "web", "--network", "used", "host", "sleep", "1000"]);
    // As with docker, one that does not run keeps no network.
    store.ok(&["create", "--name", "stopped", "--network", "named", "host", "true"]);
    store.fails(1, &["network", "prune"]);
    assert_eq!(store.ok(&["network", "prune", "-f", "--filter", "until=1h"]), "");
    assert_eq!(store.ok(&["network", "prune", "-f", "--filter", "label!=keep"]), "Deleted Networks:\nidle\nnamed");
    assert!(store.fails(1, &["start", "stopped"]).contains("network named not found"));
    assert!(store.ok(&["system", "prune", "-f"]).contains("kept"));
    assert_eq!(store.ok(&["network", "ls", "--format", "{{.Name}}", "--filter", "type=custom"]), "used");
    let script = b"network create made\nN=$(network ls -q --filter name=made)\nnetwork connect $N web\nnetwork disconnect $N web\nnetwork rm $N\n";
    let done = store.fed(script, &["--batch", "-"]);
    assert_eq!(done.status, 0, "{}", done.err);
}
