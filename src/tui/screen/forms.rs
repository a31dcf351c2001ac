//! What each dialog asks for: run, exec, pull, commit, kill, tag, rename.

use crate::tui::screen::form::Form;
use crate::tui::widget::field::{Field, Offered, Place};
use crate::tui::world::World;

const NETWORKS: &[(&str, &str)] = &[("none", "loopback alone"), ("host", "this machine's own")];
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
        Field::line("Network", "none, host", Place::Option("--network")).offering(Offered::These(NETWORKS)),
        Field::line("Restart", "no", Place::Option("--restart")).offering(Offered::These(RESTARTS)).beside(),
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
