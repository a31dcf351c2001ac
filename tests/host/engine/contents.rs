//! What containers changed, with the content.

use crate::store::{Store, until};
use kapal::engine::FileKind;
use std::path::Path;

const SCRIPT: &str = "echo more >>/etc/passwd; chmod 600 /opt/again; rm /opt/stays; head -c 100 /dev/urandom >/opt/noise; printf '\\033[2Jraw' >/opt/raw;
ln -sf /nowhere /opt/links/near; chown 5:6 /opt/removed; rm -r /opt/times; touch /opt/done";

fn compared(driver: &'static str) {
    let Some(store) = Store::with(driver) else { return };
    let image = store.image("rich:1");
    store.ok(&["run", "--name", "ended", &image, "sh", "-c", SCRIPT]);
    let whole = store.ok(&["diff", "--content", "ended"]);
    for expected in [
        "--- a/etc/passwd\n+++ b/etc/passwd\n@@ -1,2 +1,3 @@\n root:x:0:0:root:/root:/bin/sh\n someone:x:1000:1000::/home/someone:/bin/sh\n+more\n",
        "diff a/opt/again b/opt/again\nold mode 0644\nnew mode 0600\n",
        "diff a/opt/stays b/opt/stays\ndeleted file mode 0600 owner 0:0\n--- a/opt/stays\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-stays\n",
        "binary content: 0B before, 100B now",
        "+\\x1b[2Jraw",
        "--> a\n+-> /nowhere",
        "old owner 0:0\nnew owner 5:6",
        "diff a/opt/times b/opt/times\ndeleted folder",
    ] {
        assert!(whole.contains(expected), "{driver}: {expected:?} is not in\n{whole}");
    }
    assert!(!whole.contains('\x1b') && !whole.contains("diff a/opt b/opt\n"), "{driver}: {whole}");
    let part = store.ok(&["diff", "--content", "ended", "/etc"]);
    assert!(part.contains("+more") && !part.contains("/opt"), "{part}");
    assert_eq!(store.ok(&["diff", "--content", "ended", "/bin/busybox"]), "", "it is as it was");
    assert!(store.fails(1, &["diff", "--content", "ended", "/no/such"]).contains("/no/such"));
    store.fails(1, &["diff", "--content", "ended", "/etc/../x"]);
    store.fails(1, &["diff", "ended", "/etc"]);
    // The same while it runs, and through its own links nothing of this machine is read.
    store.ok(&["run", "-d", "--name", "runs", &image, "sh", "-c", &format!("{SCRIPT}; rm -r /root; ln -s {} /root; sleep 1000", store.base.display())]);
    until("it wrote", || store.kapal(&["exec", "runs", "test", "-h", "/root"]).status == 0);
    let engine = store.engine();
    let container = engine.container("runs").unwrap();
    let passwd = engine.content_change(&container, Path::new("/etc/passwd")).unwrap();
    assert_eq!((passwd.text.unwrap().len(), passwd.old.unwrap().kind), (1, FileKind::File));
    assert_eq!(engine.content_change(&container, Path::new("root")).unwrap().new.unwrap().kind, FileKind::Link);
    std::fs::write(store.path("secret"), "s").unwrap();
    assert!(engine.content_change(&container, Path::new("root/secret")).is_err());
}

#[test]
fn content_is_compared_with_the_image() {
    compared("overlay");
}

#[test]
fn content_is_compared_where_all_is_copied() {
    compared("vfs");
}
