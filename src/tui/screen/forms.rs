//! What each dialog asks for: run, exec, pull, commit, kill, tag, rename, and what is done to networks.

use crate::tui::screen::form::Form;
use crate::tui::widget::field::{Field, Offered, Place};
use crate::tui::world::World;

const RESTARTS: &[(&str, &str)] = &[
    ("no", "it stays as it ended"),
    ("on-failure", "when it failed"),
    ("on-failure:3", "when it failed, three times at most"),
    ("always", "whenever it ends, also after a reboot"),
    ("unless-stopped", "unless someone stopped it"),
];
const PLATFORMS: &[(&str, &str)] =
    &[("linux/amd64", ""), ("linux/arm64", ""), ("linux/arm/v7", ""), ("linux/riscv64", ""), ("linux/s390x", ""), ("linux/ppc64le", ""), ("linux/386", "")];
const SIGNALS: &[(&str, &str)] = &[
    ("HUP", "hang up: many read their settings anew"),
    ("INT", "as ctrl-c"),
    ("QUIT", "end with a core dump"),
    ("TERM", "end politely"),
    ("KILL", "end at once"),
    ("USR1", "of its own"),
    ("USR2", "of its own"),
    ("WINCH", "the terminal's size changed"),
    ("STOP", "hold"),
    ("CONT", "go on"),
];

/// A new container, from `image` if one is given.
pub fn run(image: &str, world: &World) -> Form {
    let fields = vec![
        Field::line("Image", "name, or host", Place::Word).offering(Offered::Images).with(image),
        Field::lines("Command", "the image's own", Place::Words),
        Field::line("Name", "random", Place::Option("--name")),
        Field::line("User", "the image's", Place::Option("-u")).beside(),
        Field::switch("terminal", "-it", true),
        Field::switch("detached", "-d", false).beside(),
        Field::switch("rm at end", "--rm", false).beside(),
        Field::switch("read-only", "--read-only", false).beside(),
        Field::switch("init", "--init", false).beside(),
        Field::lines("Environment", "NAME=VALUE, one a line", Place::Each("-e")),
        Field::lines("Volumes", "SOURCE:DEST[:ro], one a line", Place::Each("-v")),
        Field::line("Memory", "512m, 2g", Place::Option("-m")),
        Field::line("CPUs", "0.5, 2", Place::Option("--cpus")).beside(),
        Field::line("Processes", "100", Place::Option("--pids-limit")).beside(),
        Field::line("Network", "bridge", Place::Option("--network")).offering(Offered::Given(networks(world, true))),
        Field::line("Restart", "no", Place::Option("--restart")).offering(Offered::These(RESTARTS)).beside(),
        Field::lines("Ports", "8080:80, 127.0.0.1::53/udp, one a line", Place::Each("-p")),
        Field::line("Folder", "working folder inside", Place::Option("-w")),
        Field::line("Host name", "its id", Place::Option("--hostname")).beside(),
    ];
    let form = Form::new("Run a container", "Run", "run", fields, world);
    if image.is_empty() { form } else { form.from("Command") }
}

/// A command in a running container.
pub fn exec(container: &str, world: &World) -> Form {
    let fields = vec![
        Field::line("Container", "name", Place::Word).offering(Offered::Containers).with(container),
        Field::lines("Command", "sh -c 'ls | head'", Place::Words).with("sh"),
        Field::switch("terminal", "-it", true),
        Field::switch("detached", "-d", false).beside(),
        Field::switch("privileged", "--privileged", false).beside(),
        Field::line("User", "the container's", Place::Option("-u")),
        Field::line("Folder", "the container's", Place::Option("-w")).beside(),
        Field::lines("Environment", "NAME=VALUE, one a line", Place::Each("-e")),
    ];
    Form::new("Run a command in a container", "Run", "exec", fields, world).from("Command")
}

/// An image from a registry.
pub fn pull(world: &World) -> Form {
    let fields = vec![
        Field::line("Image", "busybox, quay.io/name/image:tag", Place::Word).offering(Offered::Images),
        Field::line("Platform", "this machine's", Place::Option("--platform")).offering(Offered::These(PLATFORMS)),
        Field::switch("all tags", "-a", false),
        Field::switch("without TLS", "--insecure", false).beside(),
    ];
    Form::new("Pull an image", "Pull", "pull", fields, world)
}

/// An image of what a container has become.
pub fn commit(container: &str, world: &World) -> Form {
    let fields = vec![
        Field::line("Container", "name", Place::Word).offering(Offered::Containers).with(container),
        Field::line("Image", "name:tag", Place::Word).offering(Offered::Images),
        Field::line("Message", "what was done", Place::Option("-m")),
        Field::line("Author", "who did it", Place::Option("-a")),
        Field::lines("Changes", "CMD [\"sh\"], ENV A=B …, one a line", Place::Each("-c")),
    ];
    Form::new("Make an image of a container", "Commit", "commit", fields, world)
}

/// A signal for containers.
pub fn kill(containers: &[String], world: &World) -> Form {
    let fields = vec![
        Field::line("Signal", "KILL", Place::Option("-s")).offering(Offered::These(SIGNALS)).with("TERM"),
        Field::line("Containers", "names", Place::Words).with(&world.line.quote(containers)),
    ];
    Form::new("Send a signal", "Send", "kill", fields, world)
}

/// Another name for an image.
pub fn tag(image: &str, world: &World) -> Form {
    let fields = vec![
        Field::line("Image", "name", Place::Word).offering(Offered::Images).with(image),
        Field::line("New name", "name:tag", Place::Word).offering(Offered::Images),
    ];
    Form::new("Give an image another name", "Tag", "tag", fields, world).from("New name")
}

/// Another name for a container.
pub fn rename(container: &str, world: &World) -> Form {
    let fields = vec![
        Field::line("Container", "name", Place::Word).offering(Offered::Containers).with(container),
        Field::line("New name", "letters, digits and _.-", Place::Word).with(container),
    ];
    Form::new("Give a container another name", "Rename", "rename", fields, world).from("New name")
}

/// The networks that a container can be on, with those that it can only be made for if `all`.
fn networks(world: &World, all: bool) -> Vec<String> {
    let own = world.snapshot.networks.iter().map(|berths| berths.network.name.clone());
    own.chain(["none", "host"].map(str::to_owned).into_iter().filter(|_| all)).collect()
}

/// A new network.
pub fn network(world: &World) -> Form {
    let fields = vec![
        Field::line("Name", "letters, digits and _.-", Place::Word),
        Field::line("Subnet", "172.30.0.0/16; one that is free", Place::Option("--subnet")),
        Field::line("Gateway", "the subnet's first address", Place::Option("--gateway")),
        Field::switch("internal: nothing leads out", "--internal", false),
        Field::switch("IPv6 as well", "--ipv6", false).beside(),
    ];
    Form::new("Make a network", "Create", "network create", fields, world)
}

/// A container on one network more.
pub fn connect(network: &str, world: &World) -> Form {
    let berths = world.snapshot.networks.iter().find(|berths| berths.network.name == network);
    let is_on = |name: &str| berths.is_some_and(|berths| berths.members.iter().any(|(member, _)| member == name));
    let others = world.snapshot.containers.iter().filter(|container| !container.host_config.networks.is_empty() && !is_on(&container.name));
    let fields = vec![
        Field::line("Network", "name", Place::Word).offering(Offered::Given(networks(world, false))).with(network),
        Field::line("Container", "name", Place::Word).offering(Offered::Given(others.map(|container| container.name.clone()).collect())),
        Field::line("Address", "one that is free", Place::Option("--ip")),
        Field::lines("Aliases", "names beside its own, one a line", Place::Each("--alias")),
    ];
    Form::new("Connect a container with a network", "Connect", "network connect", fields, world)
}

/// One of these containers taken off a network.
pub fn disconnect(network: &str, members: Vec<String>, world: &World) -> Form {
    let only = if let [one] = members.as_slice() { one.clone() } else { String::new() };
    let fields = vec![
        Field::line("Network", "name", Place::Word).with(network),
        Field::line("Container", "name", Place::Word).offering(Offered::Given(members)).with(&only),
    ];
    Form::new("Take a container off a network", "Disconnect", "network disconnect", fields, world).from("Container")
}

/// A port of a container, published on this machine: of `container`, or one of `members`.
pub fn publish(container: &str, members: Vec<String>, world: &World) -> Form {
    let offered = if members.is_empty() { Offered::Containers } else { Offered::Given(members) };
    let fields = vec![
        Field::line("Container", "name", Place::Word).offering(offered).with(container),
        Field::line("Port", "8080:80, 127.0.0.1:8080:80/udp, 80", Place::Option("--publish")).needed(),
    ];
    Form::new("Publish a port", "Publish", "port", fields, world)
}
