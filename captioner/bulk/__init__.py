"""Captioning files, one or millions: lists, object stores, work that can be resumed, Ray actors.

It may import the road (the modules of `captioner` itself) and `output`.
"""

from captioner.bulk.local_captioning import CaptionOptions, caption_files
from captioner.bulk.progress import Listener, Outcome
from captioner.bulk.ray_captioning import RayOptions, caption_with_ray

__all__ = [
    "CaptionOptions",
    "Listener",
    "Outcome",
    "RayOptions",
    "caption_files",
    "caption_with_ray",
]
