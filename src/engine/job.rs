//! The smallest unit of work: a job with arguments, progress, a way to call it off, and a typed result.

use super::{Engine, Error, Event, Result};
use crate::engine::error::Kind;
use crate::graphdb::JobRow;
use crate::id::JobId;
use serde::Serialize;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// A verb with its arguments.
///
/// Its fields are what a command line, a batch line, an HTTP request and a key in the UI all fill in.
pub trait Job: Send + 'static {
    /// What it gives.
    type Output: Send + 'static;
    /// Its name on the command line.
    const VERB: &'static str;
    /// Whether it is entered in the list of jobs; queries that change nothing are not.
    const KEPT: bool = true;

    /// The command line it equals, for the list of jobs.
    fn title(&self) -> String;

    /// Does it.
    fn run(self, context: JobContext) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// What a job says of itself while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Which part: a layer's short id; empty for the job as a whole.
    pub id: String,
    /// `Downloading`, `Extracting`, `Pull complete` …
    pub status: String,
    /// Bytes done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
    /// Bytes in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// What a job works with.
#[derive(Clone, Debug)]
pub struct JobContext {
    /// The engine.
    pub engine: Engine,
    progress: Option<mpsc::UnboundedSender<Progress>>,
    cancel: watch::Receiver<bool>,
}

impl JobContext {
    /// Says how far a part of the work is.
    pub fn progress(&self, progress: Progress) {
        if let Some(sender) = &self.progress {
            // A front-end that stopped listening is no reason to stop working.
            let _ = sender.send(progress);
        }
    }

    /// Says a sentence about the whole.
    pub fn say(&self, status: impl Into<String>) {
        self.progress(Progress { id: String::new(), status: status.into(), current: None, total: None });
    }

    /// Whether someone called the job off.
    pub fn is_cancelled(&self) -> bool {
        *self.cancel.borrow()
    }

    /// An error if someone called the job off.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::new(Kind::Cancelled, "cancelled")) } else { Ok(()) }
    }

    /// Waits until someone calls the job off.
    pub async fn cancelled(&self) {
        let mut cancel = self.cancel.clone();
        if cancel.wait_for(|off| *off).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Runs `work` on the blocking pool; the caller's thread stays free.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let context = self.clone();
        match tokio::task::spawn_blocking(move || work(&context)).await {
            Ok(result) => result,
            Err(error) => Err(Error::new(Kind::Failed, format!("the job broke down: {error}"))),
        }
    }
}

/// A job that runs.
#[derive(Debug)]
pub struct JobHandle<T> {
    /// Its number, if it is kept.
    pub id: Option<JobId>,
    /// What it says of itself; ends with the job.
    pub progress: mpsc::UnboundedReceiver<Progress>,
    canceller: Arc<watch::Sender<bool>>,
    task: tokio::task::JoinHandle<Result<T>>,
}

impl<T> JobHandle<T> {
    /// Calls it off; it ends with an error of the kind `Cancelled` once it has cleaned up.
    pub fn cancel(&self) {
        let _ = self.canceller.send(true);
    }

    /// A way to call it off from elsewhere.
    pub fn canceller(&self) -> impl Fn() + Send + 'static {
        let canceller = Arc::clone(&self.canceller);
        move || {
            let _ = canceller.send(true);
        }
    }

    /// Waits for its result.
    pub async fn result(self) -> Result<T> {
        match self.task.await {
            Ok(result) => result,
            Err(error) => Err(Error::new(Kind::Failed, format!("the job broke down: {error}"))),
        }
    }
}

impl Engine {
    /// Does a job and waits for its result.
    pub async fn run<J: Job>(&self, job: J) -> Result<J::Output> {
        let (canceller, cancel) = watch::channel(false);
        let context = JobContext { engine: self.clone(), progress: None, cancel };
        // Kept to the end: without it the job would take itself for one that nobody can call off.
        let _canceller = canceller;
        let id = self.enter::<J>(&job)?;
        let result = job.run(context).await;
        self.leave(id, result.as_ref().err());
        result
    }

    /// Does a job as part of another: its progress and its end are the other's.
    pub async fn run_within<J: Job>(&self, job: J, context: &JobContext) -> Result<J::Output> {
        job.run(context.clone()).await
    }

    /// Starts a job; the handle tells how it goes.
    pub fn submit<J: Job>(&self, job: J) -> Result<JobHandle<J::Output>> {
        let (canceller, cancel) = watch::channel(false);
        let canceller = Arc::new(canceller);
        let (sender, progress) = mpsc::unbounded_channel();
        let context = JobContext { engine: self.clone(), progress: Some(sender), cancel };
        let id = self.enter::<J>(&job)?;
        let engine = self.clone();
        let task = tokio::spawn(async move {
            let result = job.run(context).await;
            engine.leave(id, result.as_ref().err());
            result
        });
        Ok(JobHandle { id, progress, canceller, task })
    }

    fn enter<J: Job>(&self, job: &J) -> Result<Option<JobId>> {
        if !J::KEPT {
            return Ok(None);
        }
        let (pid, pid_start) = super::process::own();
        let row = JobRow {
            id: 0,
            verb: J::VERB.to_owned(),
            title: job.title(),
            state: "running".to_owned(),
            started: jiff::Timestamp::now().as_millisecond(),
            finished: None,
            error: String::new(),
            progress: String::new(),
            pid: i64::from(pid),
            pid_start: pid_start as i64,
        };
        let id = JobId(self.db().insert_job(&row)?);
        self.publish(Event::JobStarted(id));
        Ok(Some(id))
    }

    fn leave(&self, id: Option<JobId>, error: Option<&Error>) {
        let Some(id) = id else { return };
        let (state, text) = match error {
            None => ("done", ""),
            Some(error) if error.kind == Kind::Cancelled => ("cancelled", error.message.as_str()),
            Some(error) => ("failed", error.message.as_str()),
        };
        // The result itself is what counts; a list that cannot be written must not turn it into a failure.
        let _ = self.db().finish_job(id.0, state, jiff::Timestamp::now().as_millisecond(), text);
        self.publish(Event::JobFinished(id));
    }
}
