"""Text: what is shown of other people's words, which secrets are hidden in it, JSON read leniently.

It imports nothing of the package, so that even ``errors`` can stand on it.
"""
