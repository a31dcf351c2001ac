//! The verbs as the command line spells them, each a job with the options that shape its printing.

use crate::job;
use clap::{Args, Subcommand, ValueEnum};

/// How a list is printed.
#[derive(Args, Clone, Debug, Default)]
pub struct Shape {
    /// Print with a template such as '{{.ID}}', 'table {{.ID}}\t{{.Names}}', or json
    #[arg(long, value_name = "TEMPLATE|json")]
    pub format: Option<String>,
    /// Only identities
    #[arg(short, long)]
    pub quiet: bool,
    /// Cut nothing short
    #[arg(long)]
    pub no_trunc: bool,
}

/// How one thing is printed.
#[derive(Args, Clone, Debug, Default)]
pub struct Format {
    /// Print with a template such as '{{.State.Status}}', or json
    #[arg(short, long, value_name = "TEMPLATE|json")]
    pub format: Option<String>,
}

/// A list: the job, and how its result is printed.
#[derive(Args, Clone, Debug)]
pub struct Listing<J: Args> {
    /// The job.
    #[command(flatten)]
    pub job: J,
    /// How it is printed.
    #[command(flatten)]
    pub shape: Shape,
}

/// Something shown in full.
#[derive(Args, Clone, Debug)]
pub struct Showing<J: Args> {
    /// The job.
    #[command(flatten)]
    pub job: J,
    /// How it is printed.
    #[command(flatten)]
    pub format: Format,
}

/// Something that goes on, and how each piece is printed; `-f` is the filter.
#[derive(Args, Clone, Debug)]
pub struct Streaming<J: Args> {
    /// The job.
    #[command(flatten)]
    pub job: J,
    /// Print with a template such as '{{.Action}}', or json
    #[arg(long, value_name = "TEMPLATE|json")]
    pub format: Option<String>,
}

/// Figures again and again, and how they are printed.
#[derive(Args, Clone, Debug)]
pub struct Measuring {
    /// The job.
    #[command(flatten)]
    pub job: job::stats::Stats,
    /// Print with a template such as '{{.Name}} {{.CPUPerc}}', 'table {{.Name}}\t{{.PSI}}', or json
    #[arg(long, value_name = "TEMPLATE|json")]
    pub format: Option<String>,
    /// Cut nothing short
    #[arg(long)]
    pub no_trunc: bool,
}

/// How a graph is written down.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Picture {
    /// Drawn with branches, for people
    #[default]
    Text,
    /// For graphviz
    Dot,
    /// One document, for programs
    Json,
}

/// The graph of images, and how it is drawn.
#[derive(Args, Clone, Debug)]
pub struct Drawing {
    /// The job.
    #[command(flatten)]
    pub job: job::graph::Graph,
    /// How it is drawn
    #[arg(long, value_enum, default_value_t)]
    pub format: Picture,
    /// Cut nothing short
    #[arg(long)]
    pub no_trunc: bool,
}

/// A container's changed files, and whether their content is shown.
#[derive(Args, Clone, Debug)]
pub struct Differing {
    /// The job.
    #[command(flatten)]
    pub job: job::diff::Diff,
    /// With the lines that differ, modes and owners, as a patch
    #[arg(long)]
    pub content: bool,
    /// Only what is at or below this path
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
}

/// Something destroyed, after a question.
#[derive(Args, Clone, Debug)]
pub struct Asking<J: Args> {
    /// The job.
    #[command(flatten)]
    pub job: J,
    /// Do not ask
    #[arg(short, long)]
    pub force: bool,
}

/// Every verb.
#[derive(Subcommand, Clone, Debug)]
pub enum Verb {
    /// Make a container from an image and start it
    #[command(disable_help_flag = true)]
    Run(Box<job::run::Run>),
    /// Make a container without starting it
    #[command(disable_help_flag = true)]
    Create(Box<job::create::Create>),
    /// Run a command in a running container
    Exec(job::exec::Exec),
    /// Start containers
    Start(job::start::Start),
    /// Stop containers: the stop signal, and SIGKILL when the time is over
    Stop(job::stop::Stop),
    /// Restart containers
    Restart(job::restart::Restart),
    /// Send a signal to containers
    Kill(job::kill::Kill),
    /// Freeze all processes of containers
    Pause(job::pause::Pause),
    /// Thaw all processes of containers
    Unpause(job::pause::Unpause),
    /// Wait until containers have ended, and print their exit statuses
    Wait(job::wait::Wait),
    /// Work on health checks
    #[command(subcommand)]
    Healthcheck(HealthcheckVerb),
    /// List containers
    Ps(Listing<job::ps::Ps>),
    /// Show what a container wrote
    Logs(job::logs::Logs),
    /// Connect to a running container's console
    Attach(job::attach::Attach),
    /// Show the processes of a container
    Top(job::top::Top),
    /// Show what containers use, as they use it
    Stats(Measuring),
    /// Change limits and restart policies of containers, running or not
    Update(Box<job::update::Update>),
    /// Rename a container
    Rename(job::rename::Rename),
    /// Remove containers
    Rm(job::rm::Rm),
    /// List the published ports of a container, or change them while it runs
    Port(job::port::Port),
    /// Copy files between a container and this machine
    Cp(job::copy::Copy),
    /// Show how a container's files differ from its image
    Diff(Differing),
    /// Make an image from a container's files
    Commit(job::commit::Commit),
    /// Write a container's files as a tar archive
    Export(job::export::Export),
    /// Download an image from a registry
    Pull(job::pull::Pull),
    /// Upload an image to a registry
    Push(job::push::Push),
    /// Log in to a registry
    Login(job::login::Login),
    /// Log out from a registry
    Logout(job::login::Logout),
    /// List images
    Images(Listing<job::images::Images>),
    /// Show how an image was made
    History(Listing<job::history::History>),
    /// Show how images share their layers, and what each has to itself
    Graph(Drawing),
    /// Show containers, images, networks or volumes in full
    Inspect(Showing<job::inspect::Inspect>),
    /// Give an image another name
    Tag(job::tag::Tag),
    /// Remove images
    Rmi(job::rmi::Rmi),
    /// Write images into a tar archive
    Save(job::save::Save),
    /// Make an image from a tar archive of a file system
    Import(job::import::Import),
    /// Read images from a tar archive
    Load(job::load::Load),
    /// Work on containers
    #[command(subcommand)]
    Container(ContainerVerb),
    /// Work on images
    #[command(subcommand)]
    Image(ImageVerb),
    /// Work on networks
    #[command(subcommand)]
    Network(NetworkVerb),
    /// Work on volumes
    #[command(subcommand)]
    Volume(VolumeVerb),
    /// Look after the store
    #[command(subcommand)]
    System(SystemVerb),
    /// List jobs, those that run and the last thousand that ended
    Jobs(Listing<job::jobs::Jobs>),
    /// Show what happens, as it happens
    Events(Streaming<job::events::Events>),
    /// Print figures of all running containers for Prometheus, or serve them
    Metrics(super::metrics::Metrics),
    /// Show what this machine and this store are
    Info(Showing<job::info::Info>),
    /// Show the version
    Version(Showing<job::version::Version>),
    /// Run a short real session on this machine's own files
    Demo,
}

/// What can be done to containers as a family.
#[derive(Subcommand, Clone, Debug)]
pub enum ContainerVerb {
    /// List containers
    #[command(visible_alias = "list")]
    Ls(Listing<job::ps::Ps>),
    /// Remove all containers that do not run
    Prune(Asking<job::system::ContainerPrune>),
    /// Any other verb, as without `container`
    #[command(flatten)]
    Other(ContainerOther),
}

/// The verbs that `container` may stand before.
#[derive(Subcommand, Clone, Debug)]
pub enum ContainerOther {
    /// Make a container from an image and start it
    #[command(disable_help_flag = true)]
    Run(Box<job::run::Run>),
    /// Make a container without starting it
    #[command(disable_help_flag = true)]
    Create(Box<job::create::Create>),
    /// Run a command in a running container
    Exec(job::exec::Exec),
    /// Start containers
    Start(job::start::Start),
    /// Stop containers
    Stop(job::stop::Stop),
    /// Restart containers
    Restart(job::restart::Restart),
    /// Send a signal to containers
    Kill(job::kill::Kill),
    /// Freeze containers
    Pause(job::pause::Pause),
    /// Thaw containers
    Unpause(job::pause::Unpause),
    /// Wait for containers
    Wait(job::wait::Wait),
    /// Show what a container wrote
    Logs(job::logs::Logs),
    /// Connect to a running container's console
    Attach(job::attach::Attach),
    /// Show the processes of a container
    Top(job::top::Top),
    /// Show what containers use, as they use it
    Stats(Measuring),
    /// Change limits and restart policies of containers, running or not
    Update(Box<job::update::Update>),
    /// Rename a container
    Rename(job::rename::Rename),
    /// Remove containers
    Rm(job::rm::Rm),
    /// List the published ports of a container, or change them while it runs
    Port(job::port::Port),
    /// Copy files
    Cp(job::copy::Copy),
    /// Show changed files
    Diff(Differing),
    /// Make an image from a container's files
    Commit(job::commit::Commit),
    /// Write a container's files as a tar archive
    Export(job::export::Export),
    /// Show containers in full
    Inspect(Showing<job::inspect::Inspect>),
}

/// What can be done to images as a family.
#[derive(Subcommand, Clone, Debug)]
pub enum ImageVerb {
    /// List images
    #[command(visible_alias = "list")]
    Ls(Listing<job::images::Images>),
    /// Remove images
    Rm(job::rmi::Rmi),
    /// Remove images that have no name, or that no container uses
    Prune(job::image_prune::ImagePrune),
    /// Show images in full
    Inspect(Showing<job::inspect::Inspect>),
    /// Show how an image was made
    History(Listing<job::history::History>),
    /// Copy a file out of one layer
    Extract(job::extract::Extract),
    /// Download an image
    Pull(job::pull::Pull),
    /// Upload an image
    Push(job::push::Push),
    /// Give an image another name
    Tag(job::tag::Tag),
    /// Write images into a tar archive
    Save(job::save::Save),
    /// Make an image from a tar archive of a file system
    Import(job::import::Import),
    /// Read images from a tar archive
    Load(job::load::Load),
}

/// What can be done with health checks.
#[derive(Subcommand, Clone, Debug)]
pub enum HealthcheckVerb {
    /// Ask a container now whether it is well
    Run(job::healthcheck::HealthcheckRun),
}

/// What can be done to networks.
#[derive(Subcommand, Clone, Debug)]
pub enum NetworkVerb {
    /// Put a container on a network, running or not
    Connect(job::connect::NetworkConnect),
    /// Make a network
    Create(job::network::NetworkCreate),
    /// Take a container off a network, running or not
    Disconnect(job::connect::NetworkDisconnect),
    /// Show who reaches a container's ports, and by which rules
    Explain(Showing<job::explain::NetworkExplain>),
    /// Show networks in full, with the containers on them
    Inspect(Showing<job::network::NetworkInspect>),
    /// List networks
    #[command(visible_alias = "list")]
    Ls(Listing<job::network::NetworkLs>),
    /// Remove all networks that no running container is on
    Prune(job::network::NetworkPrune),
    /// Remove networks
    #[command(visible_alias = "remove")]
    Rm(job::network::NetworkRm),
}

/// What can be done to volumes.
#[derive(Subcommand, Clone, Debug)]
pub enum VolumeVerb {
    /// Make a volume
    Create(job::volume::VolumeCreate),
    /// List volumes
    #[command(visible_alias = "list")]
    Ls(Listing<job::volume::VolumeLs>),
    /// Show volumes in full
    Inspect(Showing<job::volume::VolumeInspect>),
    /// Remove volumes
    #[command(visible_alias = "remove")]
    Rm(job::volume::VolumeRm),
    /// Remove volumes that no container holds
    Prune(job::volume::VolumePrune),
}

/// What can be done to the store.
#[derive(Subcommand, Clone, Debug)]
pub enum SystemVerb {
    /// Show what takes how much space
    Df(Showing<job::df::Df>),
    /// Remove stopped containers, unused networks, images and volumes
    Prune(job::system::SystemPrune),
    /// Say whether the store is consistent, a line for each fault
    Check(job::system::Check),
    /// Show what this machine and this store are
    Info(Showing<job::info::Info>),
    /// Show what happens, as it happens
    Events(Streaming<job::events::Events>),
}

/// An `inspect` that stands behind a family's name finds that family's members only.
fn only(kind: &str, mut inspect: Showing<job::inspect::Inspect>) -> Showing<job::inspect::Inspect> {
    inspect.job.kind.get_or_insert_with(|| kind.to_owned());
    inspect
}

impl From<ContainerOther> for Verb {
    fn from(verb: ContainerOther) -> Self {
        use ContainerOther as C;
        match verb {
            C::Run(job) => Self::Run(job),
            C::Create(job) => Self::Create(job),
            C::Exec(job) => Self::Exec(job),
            C::Start(job) => Self::Start(job),
            C::Stop(job) => Self::Stop(job),
            C::Restart(job) => Self::Restart(job),
            C::Kill(job) => Self::Kill(job),
            C::Pause(job) => Self::Pause(job),
            C::Unpause(job) => Self::Unpause(job),
            C::Wait(job) => Self::Wait(job),
            C::Logs(job) => Self::Logs(job),
            C::Attach(job) => Self::Attach(job),
            C::Top(job) => Self::Top(job),
            C::Stats(job) => Self::Stats(job),
            C::Update(job) => Self::Update(job),
            C::Rename(job) => Self::Rename(job),
            C::Rm(job) => Self::Rm(job),
            C::Port(job) => Self::Port(job),
            C::Cp(job) => Self::Cp(job),
            C::Diff(job) => Self::Diff(job),
            C::Commit(job) => Self::Commit(job),
            C::Export(job) => Self::Export(job),
            C::Inspect(job) => Self::Inspect(only("container", job)),
        }
    }
}

impl From<ImageVerb> for Option<Verb> {
    /// `prune` and `extract` have no short form.
    fn from(verb: ImageVerb) -> Self {
        use ImageVerb as I;
        Some(match verb {
            I::Prune(_) | I::Extract(_) => return None,
            I::Ls(job) => Verb::Images(job),
            I::Rm(job) => Verb::Rmi(job),
            I::Inspect(job) => Verb::Inspect(only("image", job)),
            I::History(job) => Verb::History(job),
            I::Pull(job) => Verb::Pull(job),
            I::Push(job) => Verb::Push(job),
            I::Tag(job) => Verb::Tag(job),
            I::Save(job) => Verb::Save(job),
            I::Import(job) => Verb::Import(job),
            I::Load(job) => Verb::Load(job),
        })
    }
}
