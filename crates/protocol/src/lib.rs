//! What crosses the wire: the agreement, requests, replies, the receipt, and stable error codes.
