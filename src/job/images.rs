//! `images`: images at hand.

use super::values;
use crate::engine::images::Image;
use crate::engine::{Error, Job, JobContext, Result};
use clap::Args;

/// List images
#[derive(Args, Clone, Debug, Default)]
pub struct Images {
    /// With digests
    #[arg(long)]
    pub digests: bool,
    /// All, as docker has it; kapal keeps no unnamed intermediate images
    #[arg(short, long)]
    pub all: bool,
    /// Filter: dangling, label, reference, before, since (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub filter: Vec<String>,
    /// Only this repository or reference
    #[arg(value_name = "NAME[:TAG]")]
    pub name: Option<String>,
}

impl Job for Images {
    /// The images, and what is wrong with those that cannot be read and are left out.
    type Output = (Vec<Image>, Vec<Error>);
    const VERB: &'static str = "images";
    const KEPT: bool = false;

    fn title(&self) -> String {
        "images".to_owned()
    }

    async fn run(self, context: JobContext) -> Result<(Vec<Image>, Vec<Error>)> {
        context.blocking(move |context| list(&self, context)).await
    }
}

fn list(job: &Images, context: &JobContext) -> Result<(Vec<Image>, Vec<Error>)> {
    let (mut images, damaged) = context.engine.sound_images()?;
    if let Some(name) = &job.name {
        keep_named(&mut images, name);
    }
    for filter in &job.filter {
        let (key, value) = values::pair("--filter", filter)?;
        match key {
            "dangling" => {
                let wanted = match value {
                    "true" | "1" => true,
                    "false" | "0" => false,
                    _ => return Err(Error::invalid(format!("invalid filter dangling={value}: expected true or false"))),
                };
                images.retain(|image| image.tags.is_empty() == wanted);
            }
            "label" => images.retain(|image| match value.split_once('=') {
                Some((name, expected)) => image.config.labels.get(name).is_some_and(|found| found == expected),
                None => image.config.labels.contains_key(value),
            }),
            "reference" => keep_named(&mut images, value),
            "before" => {
                let limit = context.engine.image(value)?.created;
                images.retain(|image| image.created < limit);
            }
            "since" => {
                let limit = context.engine.image(value)?.created;
                images.retain(|image| image.created > limit);
            }
            _ => return Err(Error::invalid(format!("invalid filter key {key:?}: expected dangling, label, reference, before or since"))),
        }
    }
    Ok((images, damaged))
}

/// Keeps the names that match `NAME` (any tag) or `NAME:TAG`, with `*` for any letters but the slash.
fn keep_named(images: &mut Vec<Image>, wanted: &str) {
    for image in images.iter_mut() {
        let fits = |name: &String| {
            let repository = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name.as_str(), |(repository, _)| repository);
            glob(wanted.as_bytes(), name.as_bytes()) || glob(wanted.as_bytes(), repository.as_bytes())
        };
        image.tags.retain(fits);
        if image.tags.is_empty() {
            image.digests.retain(|digest| glob(wanted.as_bytes(), digest.split('@').next().unwrap_or_default().as_bytes()));
        }
    }
    images.retain(|image| !image.tags.is_empty() || !image.digests.is_empty());
}

/// Whether `text` fits `pattern`; `*` stands for any run without a slash. Linear but for the last star.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && pattern[p] == text[t] {
            p += 1;
            t += 1;
        } else {
            match star {
                Some((at, from)) if text[from] != b'/' => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                _ => return false,
            }
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn stars_stop_at_slashes() {
        assert!(glob(b"bus*", b"busybox"));
        assert!(glob(b"*/busybox:*", b"a/busybox:1"));
        assert!(!glob(b"bus*", b"bus/box"));
        assert!(!glob(b"busybox", b"busybox:1"));
        assert!(glob(b"*", b""));
    }
}
