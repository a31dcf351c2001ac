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
///
/// Whoever drops it, or what waits in [`JobHandle::result`], before there is a result calls the job off: nobody is left
/// to want it. The job itself goes on until it has cleaned up.
#[derive(Debug)]
pub struct JobHandle<T> {
    /// Its number, if it is kept.
    pub id: Option<JobId>,
    /// What it says of itself; ends with the job.
    pub progress: mpsc::UnboundedReceiver<Progress>,
    interest: Interest,
    task: tokio::task::JoinHandle<Result<T>>,
}

/// Someone waits for a job's result; when it is dropped unsatisfied the job is called off.
#[derive(Debug)]
struct Interest {
    canceller: Arc<watch::Sender<bool>>,
    satisfied: bool,
}

impl Drop for Interest {
    fn drop(&mut self) {
        if !self.satisfied {
            // A job that has ended listens no more.
            let _ = self.canceller.send(true);
        }
    }
}

impl<T> JobHandle<T> {
    /// Calls it off; it ends with an error of the kind `Cancelled` once it has cleaned up.
    pub fn cancel(&self) {
        let _ = self.interest.canceller.send(true);
    }

    /// A way to call it off from elsewhere.
    pub fn canceller(&self) -> impl Fn() + Send + 'static {
        let canceller = Arc::clone(&self.interest.canceller);
        move || {
            let _ = canceller.send(true);
        }
    }

    /// Waits for its result.
    pub async fn result(self) -> Result<T> {
        let Self { mut interest, task, .. } = self;
        let ended = task.await;
        // What it gave may go on by itself, such as a stream of events: it is not called off with the handle.
        interest.satisfied = true;
        match ended {
            Ok(result) => result,
            Err(error) => Err(Error::new(Kind::Failed, format!("the job broke down: {error}"))),
        }
    }
}

/// A job's row in the list while it runs. Dropped before the job told its end, the row says why there is none.
struct Entered {
    engine: Engine,
    id: Option<JobId>,
}

impl Entered {
    fn leave(mut self, error: Option<&Error>) {
        match error {
            None => self.end("done", ""),
            Some(error) if error.kind == Kind::Cancelled => self.end("cancelled", &error.message),
            Some(error) => self.end("failed", &error.message),
        }
    }

    fn end(&mut self, state: &str, text: &str) {
        let Some(id) = self.id.take() else { return };
        // The result itself is what counts; a list that cannot be written must not turn it into a failure.
        let _ = self.engine.db().finish_job(id.0, state, jiff::Timestamp::now().as_millisecond(), text);
        self.engine.changed(Event::JobFinished(id));
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.end("failed", "the job broke down");
        } else {
            self.end("cancelled", "cancelled");
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
        let entered = self.enter::<J>(&job)?;
        let result = job.run(context).await;
        entered.leave(result.as_ref().err());
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
        let entered = self.enter::<J>(&job)?;
        let id = entered.id;
        let task = tokio::spawn(async move {
            let result = job.run(context).await;
            entered.leave(result.as_ref().err());
            result
        });
        Ok(JobHandle { id, progress, interest: Interest { canceller, satisfied: false }, task })
    }

    fn enter<J: Job>(&self, job: &J) -> Result<Entered> {
        if !J::KEPT {
            return Ok(Entered { engine: self.clone(), id: None });
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
        self.changed(Event::JobStarted(id));
        Ok(Entered { engine: self.clone(), id: Some(id) })
    }
}
