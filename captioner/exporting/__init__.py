"""A captioner in forms that run without Keras: LiteRT, ONNX, TensorFlow's SavedModel.

Not called `export`, for that is the function `captioner.export`. It may import only the road (the
modules of `captioner` itself). The form for LiteRT is run by `captioner.lite_captioner`.
"""
