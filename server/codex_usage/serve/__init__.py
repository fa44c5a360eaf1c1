"""Servers: requests in, answers out. The only room that imports mcp."""
