"""A captioner in forms that run without Keras: LiteRT, ONNX, SavedModel, a page for browsers.

It is not called `export` because that is the function `captioner.export`. It may import the road
only (the modules of `captioner` itself). `captioner.lite_captioner` runs the form for LiteRT.
"""
