//! The room through its router, as the enclave serves it.

mod agreements;
mod canary;
mod columns;
mod expiry;
mod interface;
mod judging;
mod meeting;
mod receipts;
mod refusals;
mod samples;
mod states;
mod test_room;
mod uploads;
mod workshop;
