//! The images of this suite, made by umoci from the machine's own static busybox.

use crate::store::tool;
use std::fs;
use std::path::Path;

/// What every tree begins with: busybox with all its names, users, and the folders that a container mounts on. One program
/// makes the hundreds of links: one for each takes minutes on an emulated machine.
const BASE: &str = r#"
set -eu
mkdir -p bin dev etc home/someone proc root sys tmp var/empty
chmod 1777 tmp; chmod 700 root; chown 1000:1000 home/someone
cp /usr/bin/busybox bin/busybox
bin/busybox --list | perl -lne 'next if $_ eq "busybox"; symlink "busybox", "bin/$_" or die "$_: $!"'
printf 'root:x:0:0:root:/root:/bin/sh\nsomeone:x:1000:1000::/home/someone:/bin/sh\n' >etc/passwd
printf 'root:x:0:\nsomeone:x:1000:\nmore:x:2000:someone\n' >etc/group
: >etc/hosts; : >etc/hostname; : >etc/resolv.conf
printf 'not a program' >bin/data; chmod 644 bin/data
"#;

/// Everything a tar stream can say of a file.
const RICH: &str = r#"
mkdir -p opt/kinds opt/links "opt/long" opt/gone/inside opt/opaque/below opt/times
for word in one two three; do echo $word >opt/gone/inside/$word; echo $word >opt/opaque/below/$word; done
echo removed >opt/removed; echo stays >opt/stays
cp bin/busybox opt/kinds/setuid; chmod 4755 opt/kinds/setuid
echo x >opt/kinds/setgid; chmod 2711 opt/kinds/setgid; mkdir opt/kinds/sticky; chmod 3777 opt/kinds/sticky
mkfifo -m 0620 opt/kinds/fifo; mknod -m 0604 opt/kinds/null c 1 3; mknod opt/kinds/disk b 7 200
echo y >opt/kinds/owned; chown 4711:815 opt/kinds/owned; echo z >opt/kinds/far; chown 3000000:2999999 opt/kinds/far
echo w >opt/kinds/secret; chmod 000 opt/kinds/secret; mkdir -m 0111 opt/kinds/closed; : >opt/kinds/empty
truncate -s 3M opt/kinds/sparse; printf end >>opt/kinds/sparse
echo same >opt/links/a; ln opt/links/a opt/links/b; ln opt/links/a opt/kinds/c
ln -s a opt/links/near; ln -s /etc/passwd opt/links/absolute; ln -s ../../../../../../etc/shadow opt/links/outside; ln -s nowhere opt/links/dangling
chown -h 12:34 opt/links/near
long=$(printf '%0200d' 7); mkdir -p opt/long/$long/$long; echo deep >opt/long/$long/$long/$long; ln -s $long/$long/$long opt/long/link
printf 'odd' >"opt/$(printf 'sp ace\ttab\nline')"; printf 'utf' >opt/ünï; printf 'raw' >"opt/$(printf '\377\376')"; : >opt/-dash; : >'opt/*'
touch -d @0 opt/times/epoch; touch -d @1000000000.123456789 opt/times/fine; touch -d @4294967296 opt/times/late; touch -h -d @86400 opt/links/dangling
cp bin/busybox opt/kinds/capable; setcap cap_net_raw,cap_chown+ep opt/kinds/capable
setfattr -n user.colour -v blue opt/stays; setfattr -n user.empty -v '' opt/stays; setfattr -n user.folder -v yes opt/gone
touch -d @1111111111 opt
"#;

/// Removes, replaces and adds, so that a layer of it has whiteouts.
const CHANGED: &str = r"
rm opt/removed; rm -r opt/gone/inside; rm -r opt/opaque; mkdir -p opt/opaque/below; echo new >opt/opaque/below/four
rm opt/kinds/fifo; mkdir opt/kinds/fifo; echo was a fifo >opt/kinds/fifo/file
rm -r opt/kinds/sticky; echo was a folder >opt/kinds/sticky; rm opt/links/absolute; echo was a link >opt/links/absolute
chmod 600 opt/stays; rm opt/links/b; mkdir -p opt/new/folder; chown 5:6 opt/new; touch -d @1222222222 opt/new
";

/// Again, so that what the second layer removed comes back in a third.
const AGAIN: &str = r"
mkdir -p opt/gone/inside; echo back >opt/gone/inside/one; echo again >opt/removed; ln opt/removed opt/again; rm -r opt/new
touch -d @1333333333 opt/gone
";

/// Enough for a pull to be interrupted in: many small files and some that do not compress.
const LARGE: &str = r"
for a in $(seq 20); do mkdir -p data/$a; for b in $(seq 50); do echo $a $b >data/$a/$b; done; done
head -c 4000000 /dev/urandom >data/noise
";

const LARGER: &str = r"
for a in $(seq 20); do mkdir -p more/$a; for b in $(seq 50); do echo $a $b >more/$a/$b; done; done
head -c 4000000 /dev/urandom >more/noise; rm -r data/7
";

/// One static program and nothing else: no shell, no tools, no users.
const BARE: &str = "cp /usr/bin/busybox sleep";

/// Makes an image of this name in the layout: `box-1` is image `box`, tag `1`. `box`, `rich`, `large` and `bare` are made of
/// nothing, `volume` and `point` are `box` with another configuration. Whether there is such an image.
pub fn make(folder: &Path, layout: &Path, name: &str) -> bool {
    let layout = layout.to_str().unwrap();
    let boxed = format!("{layout}:box-1");
    match name {
        "box" => image(folder, layout, "box-1", &[BASE], &["--config.env", "COLOUR=blue", "--config.cmd", "/bin/sh"]),
        "rich" => image(folder, layout, "rich-1", &[BASE, RICH, CHANGED, AGAIN], &[]),
        "large" => image(folder, layout, "large-1", &[BASE, LARGE, LARGER], &[]),
        "bare" => image(folder, layout, "bare-1", &[BARE], &[]),
        "volume" => configured(&boxed, &["--tag", "volume-1", "--config.volume", "/home/someone", "--config.user", "someone"]),
        "point" => {
            configured(&boxed, &["--tag", "point-1", "--config.entrypoint", "/bin/echo", "--config.entrypoint", "said", "--config.cmd", "it"]);
        }
        _ => return false,
    }
    true
}

fn image(folder: &Path, layout: &str, name: &str, layers: &[&str], more: &[&str]) {
    let name = format!("{layout}:{name}");
    tool("umoci", &["new", "--image", &name]);
    for script in layers {
        let bundle = folder.join("bundle");
        let at = bundle.to_str().unwrap();
        tool("umoci", &["unpack", "--image", &name, at]);
        let script = format!("cd {at}/rootfs\n{script}");
        tool("bash", &["-c", &format!("set -eu\n{script}")]);
        tool("umoci", &["repack", "--image", &name, at]);
        fs::remove_dir_all(&bundle).unwrap();
    }
    configured(&name, &[&["--config.env", "PATH=/bin"], more].concat());
}

fn configured(image: &str, more: &[&str]) {
    tool("umoci", &[&["config", "--image", image], more].concat());
}
