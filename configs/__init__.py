"""Configurations: what differs from `jaxssl.config`."""
