"""Caption a photo with an export to a SavedModel, word by word, in plain Python.

  python -m captioner export --out runs/saved_model --format saved_model
  python examples/caption_saved_model.py runs/saved_model data/samples/photographer.jpg

Needs TensorFlow, NumPy and Pillow; neither Keras nor this project.
"""

import json
import sys

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

folder, photo = sys.argv[1:]
with open(f"{folder}/manifest.json", encoding="utf-8") as file:
    manifest = json.load(file)
networks = tf.saved_model.load(f"{folder}/saved_model").signatures


def run(name, **arrays):
    found = networks[name](**{key: tf.constant(array) for key, array in arrays.items()})
    return {key: array.numpy() for key, array in found.items()}


size = manifest["picture_size"]
picture = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
pixels = np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))
state = run("start", image=run("encode", pixels=pixels[None])["image"])
words = ["<pad>", "<start>", "<end>", "<unknown>", *manifest["vocabulary"]["words"]]
caption = ["<start>"]
while caption[-1] != "<end>" and len(caption) <= manifest["generation"]["max_length"]:
    found = run("step", words=np.array([words.index(caption[-1])], "int32"), **state)
    state |= {name[4:]: array for name, array in found.items() if name.startswith("new_")}
    said = np.where(np.isin(np.arange(len(words)), (0, 1, 3)), -np.inf, found["log_probs"][0])
    caption.append(words[int(said.argmax())])
print(" ".join(word for word in caption[1:] if word != "<end>"))
