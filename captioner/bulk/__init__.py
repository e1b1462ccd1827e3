"""Very many pictures: lists of them, object stores, work that can be resumed, Ray actors.

It may import the road (the modules of `captioner` itself) and `output`.
"""
