//! The room: its agreement, its states, its use cases, and the HTTP router.
