"""From a data set and settings to a trained captioner.

`run` is the loop. Read on in the order in which it uses the others: `starting_point` and `data`,
then `stages` with their losses (`teacher_forcing`, `self_critical`), `steps` and `optimizers`, then
`validation`, and `resuming`, which keeps the best epoch and all that a run needs to continue.
Everything else here serves these.

It may import the road (the modules of `captioner` itself), `datasets`, `metrics`, `presets` and,
for the learning curves, `output`.
"""
