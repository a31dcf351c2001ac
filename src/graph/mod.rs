//! Images as bytes: references, configuration documents, layers' tar streams in and out, the content store, archives.
//!
//! # What is where
//! - [`mod@reference`]: the names people give images, read and written by Docker's rules.
//! - [`image`] and [`manifest`]: the two documents that make an image, kept byte for byte.
//! - [`tar`]: the format itself, a streaming reader and writer without any file system.
//! - [`diff`]: a layer's tar stream to a folder in diff form and back; everything hostile ends here.
//! - [`stream`]: readers that measure, copy and decompress what passes through them.
//! - [`layer`]: one layer's whole way, from compressed bytes to a folder, in one pass.
//! - [`content`]: blobs by digest.
//! - [`archive`]: `save` and `load`.
//!
//! This room knows no database and no driver: the engine's jobs join them. Errors are [`std::io::Error`]: the kind
//! `InvalidData` means that what came from outside is wrong, any other kind is this machine's.

pub mod archive;
pub mod content;
pub mod diff;
pub mod image;
pub mod layer;
pub mod manifest;
pub mod reference;
pub mod stream;
pub mod tar;

use std::io;

/// What came from outside is not what it should be.
fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// The same error with the name of what it happened to before it; keeps the kind.
fn named(what: impl std::fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
