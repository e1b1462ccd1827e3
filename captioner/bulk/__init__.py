"""Captioning files, one or millions: lists, object stores, work that can be resumed, Ray actors.

It may import the road (the modules of `captioner` itself) and `output`. The public names are
imported when first used: captioning one picture needs a few of these modules only.
"""

import importlib

_HOME = {
    "CaptionOptions": "captioner.bulk.local_captioning",
    "Listener": "captioner.bulk.progress",
    "Outcome": "captioner.bulk.progress",
    "RayOptions": "captioner.bulk.ray_captioning",
    "caption_files": "captioner.bulk.local_captioning",
    "caption_with_ray": "captioner.bulk.ray_captioning",
}

__all__ = [*_HOME]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'captioner.bulk' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
