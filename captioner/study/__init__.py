"""What the notebooks and the lab book measure besides captioning itself.

Comparison of cells, tuning, gradients, long memory, beam trees, and the document's other uses of a
recurrence: labelling, spelling, translating, forecasting. It may import the road (the modules of
`captioner` itself), `training`, `datasets`, `metrics` and `output`.
"""
