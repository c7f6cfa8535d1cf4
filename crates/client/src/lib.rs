//! The verifying client and its local proxy, as a library.
