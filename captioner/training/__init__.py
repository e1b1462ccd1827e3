"""From a data set and settings to a trained captioner.

`run.py` is the loop; everything else here serves it. It may import the road (the modules of
`captioner` itself), `datasets`, `metrics`, `presets` and, for the learning curves, `output`.
"""
