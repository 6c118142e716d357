"""Replies of every kind over raw sockets: each ends in a typed error or in a result."""
