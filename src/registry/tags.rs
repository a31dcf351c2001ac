//! The tags of a repository, page by page.

use super::Client;
use super::error::{Error, Kind, clean};
use super::repository::Repository;
use super::session::join;
use super::wire::Ask;
use oci_distribution::client::TagResponse;
use reqwest::Method;

/// The largest page, in bytes.
const PAGE: usize = 4 << 20;

/// How many pages are read.
const PAGES: usize = 100;

impl Client {
    /// The tags that a registry lists for a repository, in its order.
    ///
    /// # Errors
    /// [`Kind::NotFound`] for a repository that is not there, and whatever the way to the registry brings.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<String>, Error> {
        let session = self.wire.session(&repository.host)?;
        let what = format!("tags of {repository}");
        let mut address = session.address(self, repository, "tags/list").await?;
        let mut tags = Vec::new();
        for _ in 0..PAGES {
            let ask = Ask::plain(Method::GET, address.clone(), vec![repository.scope("pull")], what.clone());
            let (headers, body) = self.document(&session, &ask, PAGE).await?;
            let page: TagResponse = serde_json::from_slice(&body).map_err(|e| Error::new(Kind::Protocol, format!("{what}: {}", clean(&e.to_string()))))?;
            tags.extend(page.tags.into_iter().map(|tag| clean(&tag)));
            let Some(next) = headers.get("link").and_then(|v| v.to_str().ok()).and_then(next_page) else { return Ok(tags) };
            let next = join(&address, next)?;
            if next.origin() != address.origin() {
                return Err(Error::new(Kind::Protocol, format!("{what}: the next page lies at another registry")));
            }
            address = next;
        }
        Ok(tags)
    }
}

/// `</v2/a/tags/list?last=x>; rel="next"` → the address.
fn next_page(link: &str) -> Option<&str> {
    let (address, relation) = link.strip_prefix('<')?.split_once('>')?;
    relation.contains("next").then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found() {
        assert_eq!(next_page("</v2/a/tags/list?last=x&n=2>; rel=\"next\""), Some("/v2/a/tags/list?last=x&n=2"));
        assert_eq!(next_page("<x>; rel=\"prev\""), None);
        assert_eq!(next_page("x"), None);
    }
}
