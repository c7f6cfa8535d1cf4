//! For tests only: a made-up Nitro authority, seeded noise, small tables.
