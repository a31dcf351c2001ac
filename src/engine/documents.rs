//! Image documents that were read before: an engine that lives long shows the same images again and again.

use super::Result;
use crate::graph::image::Image as Document;
use crate::id::ImageId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes of documents that are kept, as they lie in the content store.
const MOST: usize = 16 << 20;

/// Documents by identity. What an identity names never changes, so that none grows old.
#[derive(Debug, Default)]
pub struct Documents(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    documents: HashMap<ImageId, Arc<Document>>,
    bytes: usize,
}

impl Documents {
    /// The document, read with `read` if it was not read before.
    ///
    /// # Errors
    /// Those of `read`; they are not remembered.
    pub fn get(&self, id: &ImageId, read: impl FnOnce() -> Result<Document>) -> Result<Arc<Document>> {
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).documents.get(id) {
            return Ok(Arc::clone(known));
        }
        let document = Arc::new(read()?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + document.raw().len() > MOST {
            *kept = Kept::default();
        }
        kept.bytes += document.raw().len();
        kept.documents.insert(id.clone(), Arc::clone(&document));
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Error;

    fn document(filling: usize) -> Document {
        let raw = format!(r#"{{"rootfs":{{"type":"layers","diff_ids":[]}},"author":"{}"}}"#, "a".repeat(filling));
        Document::parse(raw.into_bytes()).unwrap()
    }

    #[test]
    fn a_document_is_read_once_and_a_failure_is_not_kept() {
        let documents = Documents::default();
        let one = document(1);
        assert!(documents.get(one.id(), || Err(Error::not_found("gone"))).is_err());
        let first = documents.get(one.id(), || Ok(one.clone())).unwrap();
        let again = documents.get(one.id(), || panic!("read a second time")).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn no_more_is_kept_than_fits() {
        let documents = Documents::default();
        for filling in 0..10 {
            let large = document((3 << 20) + filling);
            documents.get(&large.id().clone(), || Ok(large)).unwrap();
            assert!(documents.0.lock().unwrap().bytes <= MOST);
        }
        assert!(documents.0.lock().unwrap().documents.len() < 10);
    }
}
