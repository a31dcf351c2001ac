//! The one binary: a container's monitor if it was executed as one, the command line otherwise.

fn main() {}
