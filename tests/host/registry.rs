//! Debian's registry on a free port of loopback, with the images of this suite, once for all its tests.

use crate::images;
use crate::store::{tool, until};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

/// A registry that runs as long as this process.
pub struct Registry {
    address: String,
    /// The OCI layout that the images were pushed from.
    pub layout: PathBuf,
    /// Its end is how the keeper learns that this process is gone.
    _keeper: ChildStdin,
}

static REGISTRY: OnceLock<Registry> = OnceLock::new();

impl Registry {
    pub fn get() -> &'static Self {
        REGISTRY.get_or_init(Self::start)
    }

    /// The full name of one of its images.
    pub fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.address)
    }

    fn start() -> Self {
        crate::store::enter_network();
        let folder = tempfile::Builder::new().prefix("registry-host-").tempdir_in(crate::store::ground()).unwrap().keep();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let config = folder.join("config.yml");
        let data = folder.join("data");
        fs::write(
            &config,
            format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\nhttp: {{addr: {address}}}\n",
                data.display()
            ),
        )
        .unwrap();
        let keeper = keep(&folder, &config);
        let layout = folder.join("oci");
        images::make(&folder, &layout);
        until("the registry listens", || TcpStream::connect(&address).is_ok());
        for tag in tool("umoci", &["ls", "--layout", layout.to_str().unwrap()]).lines() {
            let (name, version) = tag.split_once('-').unwrap();
            let from = format!("oci:{}:{tag}", layout.display());
            tool("skopeo", &["copy", "-q", "--dest-tls-verify=false", &from, &format!("docker://{address}/{name}:{version}")]);
        }
        Self { address, layout, _keeper: keeper }
    }
}

/// Starts the registry below a shell that ends it, and removes its files, when this process ends, however it does.
fn keep(folder: &Path, config: &Path) -> ChildStdin {
    let script = r#"docker-registry serve "$1" >"$0/log" 2>&1 & server=$!; read -r _; exec 2>/dev/null; kill $server; wait $server; rm -rf "$0""#;
    let mut child = Command::new("setsid").args(["sh", "-c", script]).arg(folder).arg(config).stdin(Stdio::piped()).spawn().unwrap();
    let held = child.stdin.take().unwrap();
    // It ends after this process: nobody here could wait for it but a thread.
    thread::spawn(move || child.wait());
    held
}
