"""What becomes of captions: files, pages, figures, picture metadata, alternative texts.

It may import the road (the modules of `captioner` itself), `datasets` and `metrics`.
"""
