//! A container's past, as its monitor kept it.

use super::attach::Console;
use super::{Engine, Error, Kind, Result};
use crate::container::Container;
pub use crate::container::past::{Happening, MINUTES, Moment, OCCURRENCES, Occurrence, Past, SECONDS};
use crate::monitor::protocol::{Frame, Hello, Request};
use std::time::Duration;

/// How long a monitor may take to tell.
const PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// The past of a container, as long as its monitor has been there: it goes on over restarts by the policy, and ends with
    /// the container. With `since`, the time of the last moment that is known (seconds since 1970), only what is newer, for
    /// [`Past::append`]; occurrences of that second may come once more, and all comes anew if the clock was set back since.
    ///
    /// Empty for a container that does not run, and for one whose monitor is older than this.
    ///
    /// # Errors
    /// A monitor that does not answer, or with something else.
    pub async fn past(&self, container: &Container, since: Option<i64>) -> Result<Past> {
        let Some(console) = self.connect(container, Hello::default()).await? else { return Ok(Past::default()) };
        match tokio::time::timeout(PATIENCE, told(console, since)).await {
            Ok(Err(error)) if error.kind == Kind::Unavailable => Ok(Past::default()),
            Ok(result) => result.map_err(|mut error| {
                error.message = format!("the past of container {}: {}", container.name, error.message);
                error
            }),
            Err(_) => Err(Error::new(Kind::Unavailable, format!("the monitor of container {} does not tell its past", container.name))
                .hint("is it stopped, or this machine overloaded? `pgrep kapal-monitor` finds it")),
        }
    }
}

async fn told(console: Console, since: Option<i64>) -> Result<Past> {
    let (mut reader, mut writer) = console.split();
    writer.send(&Frame::Request(Request::Past { since })).await?;
    let mut past = Past::default();
    loop {
        match reader.frame().await? {
            Some(Frame::Seconds(part)) => past.seconds.extend(part),
            Some(Frame::Minutes(part)) => past.minutes.extend(part),
            Some(Frame::Occurrences(part)) => past.occurrences.extend(part),
            Some(Frame::Reply(Err(why))) => return Err(Error::conflict(why)),
            // Or it does not know the request, or has just ended.
            Some(Frame::Reply(Ok(()))) | None => return Ok(past),
            Some(_) => {}
        }
        if past.seconds.len() > SECONDS || past.minutes.len() > MINUTES || past.occurrences.len() > OCCURRENCES {
            return Err(Error::new(Kind::Corrupt, "its monitor tells more than it can know"));
        }
    }
}
