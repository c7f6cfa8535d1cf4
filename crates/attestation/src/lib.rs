//! Evidence: strict decoding and verification of Nitro attestation documents.
#![forbid(unsafe_code)]
