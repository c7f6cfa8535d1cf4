//! The command line of synclave.

fn main() {}
