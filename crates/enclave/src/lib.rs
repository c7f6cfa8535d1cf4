//! The program that runs in the enclave: platform, configuration, and the service behind the attested channel.
