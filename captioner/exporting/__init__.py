"""A captioner in forms that run without Keras: LiteRT, ONNX, SavedModel, a page for browsers.

It is not called `export` because that is the function `captioner.export`. It may import the road
(the modules of `captioner` itself), and `web`, whose page shares files with the one in
`browser_page/`. `captioner.lite_captioner` runs the form for LiteRT.
"""
