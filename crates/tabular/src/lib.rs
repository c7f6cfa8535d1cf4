//! Schemas, coded tables, CSV and Parquet, the join, contingency counts, private domain discovery.
#![forbid(unsafe_code)]
