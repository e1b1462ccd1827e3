"""Caption a photo with an export to ONNX files, word by word, in plain Python.

  python -m captioner export --out runs/onnx --format onnx
  python examples/caption_onnx.py runs/onnx data/samples/photographer.jpg

Needs onnxruntime, NumPy and Pillow; neither Keras nor this project.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

folder, photo = sys.argv[1:]
with open(f"{folder}/manifest.json", encoding="utf-8") as file:
    manifest = json.load(file)
networks = {
    name: onnxruntime.InferenceSession(f"{folder}/{name}.onnx")
    for name in ("encode", "start", "step")
}


def run(name, **arrays):
    names = [output.name for output in networks[name].get_outputs()]
    return dict(zip(names, networks[name].run(names, arrays), strict=True))


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
