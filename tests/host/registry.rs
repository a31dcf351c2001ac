//! Debian's registry on a free port of loopback, once for all tests of the suite, with the images that they ask for.

use crate::images;
use crate::store::{tool, until};
use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

/// A registry that runs as long as this process.
pub struct Registry {
    address: String,
    folder: PathBuf,
    /// The images that are there. Making all of them takes minutes on a slow machine, and most tests want one.
    made: Mutex<BTreeSet<String>>,
    /// Its end is how the keeper learns that this process is gone.
    _keeper: ChildStdin,
}

static REGISTRY: OnceLock<Registry> = OnceLock::new();

impl Registry {
    pub fn get() -> &'static Self {
        REGISTRY.get_or_init(Self::start)
    }

    /// The full name of one of its images, which is made when it is asked for first; or of one that is not there.
    pub fn name(&self, image: &str) -> String {
        self.provide(image.split(':').next().unwrap());
        format!("{}/{image}", self.address)
    }

    /// Where one of its images was pushed from, as other tools name it: an OCI layout and its tag there.
    pub fn source(&self, image: &str) -> String {
        self.provide(image.split(':').next().unwrap());
        format!("{}:{}", self.layout().display(), image.replace(':', "-"))
    }

    fn layout(&self) -> PathBuf {
        self.folder.join("oci")
    }

    fn provide(&self, name: &str) {
        if ["volume", "point"].contains(&name) {
            self.provide("box");
        }
        // An image that could not be made is tried again, and fails the next test, too.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.contains(name) || !images::make(&self.folder, &self.layout(), name) {
            return;
        }
        crate::store::enter_network();
        let from = format!("oci:{}:{name}-1", self.layout().display());
        tool("skopeo", &["copy", "-q", "--dest-tls-verify=false", &from, &format!("docker://{}/{name}:1", self.address)]);
        made.insert(name.to_owned());
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
        tool("umoci", &["init", "--layout", folder.join("oci").to_str().unwrap()]);
        until("the registry listens", || TcpStream::connect(&address).is_ok());
        Self { address, folder, made: Mutex::default(), _keeper: keeper }
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
