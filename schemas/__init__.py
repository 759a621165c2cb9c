"""The XML schemas of the messages, and `catalogue.toml` that says which file serves which message type."""
