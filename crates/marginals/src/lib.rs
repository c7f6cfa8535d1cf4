//! Cliques, factors, junction trees, inference, estimation and sampling of Markov random fields. No private data here.
#![forbid(unsafe_code)]
