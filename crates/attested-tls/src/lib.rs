//! The two sides of the attested channel: TLS 1.3 with evidence bound to its exporter.
