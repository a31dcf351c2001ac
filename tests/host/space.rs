//! Space: what is told of it, and what prunes give back.

use crate::store::Store;

#[test]
fn a_prune_takes_what_its_filters_mean() {
    let Some(store) = Store::new() else { return };
    let image = store.image("box:1");
    for (name, label) in [("one", "stage=test"), ("two", "stage=live"), ("three", "other")] {
        store.ok(&["create", "--name", name, "--label", label, &image, "true"]);
        store.ok(&["volume", "create", "-d", "local", "--label", label, name]);
    }
    let names = || store.ok(&["ps", "-a", "--format", "{{.Names}}"]);
    store.ok(&["container", "prune", "-f", "--filter", "until=1h"]);
    assert_eq!(names(), "three\ntwo\none");
    store.ok(&["container", "prune", "-f", "--filter", "label=stage=test"]);
    assert_eq!(names(), "three\ntwo");
    store.ok(&["system", "prune", "-f", "--filter", "label!=other"]);
    assert_eq!(names(), "three");
    store.ok(&["volume", "prune", "-f", "--filter", "all=true", "--filter", "label=stage"]);
    assert_eq!(store.ok(&["volume", "ls", "-q"]), "three");
    store.ok(&["image", "prune", "-af", "--filter", "label=none"]);
    assert_eq!(store.ok(&["images", "-q"]).lines().count(), 1);
    assert!(store.fails(1, &["container", "prune", "-f", "--filter", "until=never"]).contains("never"));
    assert!(store.fails(1, &["volume", "prune", "-f", "--filter", "until=1h"]).contains("until"));
    assert!(store.fails(1, &["system", "prune", "-f", "--volumes", "--filter", "until=1h"]).contains("--volumes"));
    assert!(store.fails(1, &["volume", "create", "-d", "nfs", "far"]).contains("nfs"));
}

#[test]
fn a_prune_takes_its_answer_from_a_pipe() {
    let Some(store) = Store::new() else { return };
    store.ok(&["volume", "create", "kept"]);
    let answered = |answer: &[u8]| store.fed(answer, &["volume", "prune", "-a"]);
    let unanswered = answered(b"");
    assert!(unanswered.status == 1 && unanswered.err.contains("-f"), "{unanswered:?}");
    assert_eq!(answered(b"n\n").status, 1);
    assert_eq!(answered(&[0xff; 1000]).status, 1);
    assert!(store.fails(1, &["-c", "volume prune -a"]).contains("-f"));
    assert_eq!(store.ok(&["volume", "ls", "-q"]), "kept");
    assert_eq!(answered(b"y\n").status, 0);
    assert_eq!(store.ok(&["volume", "ls", "-q"]), "");
}

#[test]
fn each_thing_and_its_space() {
    let Some(store) = Store::new() else { return };
    let image = store.image("large:1");
    store.ok(&["run", "--name", "big", "-v", "data:/mine", &image, "sh", "-c", "head -c 3000000 /dev/zero >/file; head -c 2000000 /dev/zero >/mine/file"]);
    let told = store.ok(&["system", "df", "-v"]);
    for (title, header) in [("Images", "UNIQUE SIZE"), ("Containers", "LOCAL VOLUMES"), ("Local Volumes", "LINKS")] {
        assert!(told.contains(&format!("{title} space usage:")) && told.contains(header), "{told}");
    }
    assert!(told.lines().any(|line| line.ends_with("big") && line.contains("3MB")), "{told}");
    let of = |template: &str| store.ok(&["system", "df", "-v", "--format", template]);
    assert_eq!(of("{{range .Volumes}}{{.Name}} {{.Links}} {{.Size}}{{end}}"), "data 1 2MB");
    assert_eq!(of("{{range .Images}}{{.SharedSize}} {{.Containers}}{{end}}"), "0B 1");
}

#[test]
fn docker_s_names_for_both_sides_are_known() {
    let Some(store) = Store::new() else { return };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(store.ok(&["version", "--format", "{{.Client.Version}} {{.Server.Version}} {{.Server.Os}}"]), format!("{version} {version} linux"));
    assert_eq!(store.ok(&["info", "--format", "{{.ServerVersion}}"]), version);
}
