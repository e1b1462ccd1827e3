"""Captions over HTTP: the server and its page.

It may import the road (the modules of `captioner` itself) and `output`.
"""
