//! The channel over real handshakes: what is accepted, and what is refused before anything is sent.

mod accepted;
mod lying_evidence;
mod man_in_the_middle;
mod other_clients;
mod other_platform;
mod other_servers;
mod raw_tls;
mod test_room;
