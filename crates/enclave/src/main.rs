//! The enclave program.

fn main() {}
