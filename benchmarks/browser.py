"""The exported web page in headless Chromium, against Python on the same photos.

    python -m benchmarks.browser --data flickr8k
    python -m benchmarks.browser --data coco/captions_val.json --images coco/images --split val

It exports the model, serves the folder as `python -m http.server` does, and has the page's engine
caption the first dev photos of a data set. Printed are: how long it takes until the model is open;
milliseconds a photo, the median; photos per second against caption.py in the same minutes; how many
captions differ from Python's, and which; and how much the pixels differ that the model gets.
Needs: Chromium with its driver, and selenium.
"""

import argparse
import base64
import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from statistics import median

import numpy as np

OPEN = """
const done = arguments[0], start = performance.now();
window.progress = [];
window.worker = new Worker("../engine/worker.js", { type: "module" });
worker.onerror = ({ message }) => done({ type: "broken", message });
worker.onmessage = ({ data }) => data.type === "progress" ? progress.push(data)
  : done({ ...data, milliseconds: performance.now() - start });
worker.postMessage({ type: "open", folder: "model/" });
"""
ASK = """
const [messages, count, done] = arguments, answers = [];
const bytesOf = (content) => Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
const fileOf = (content) => new File([bytesOf(content)], "photo");
worker.onmessage = ({ data }) => answers.push(data) === count && done(answers);
for (const message of messages) {
  worker.postMessage("file" in message ? { ...message, file: fileOf(message.file) } : message);
}
"""
READ = """
const [content, size, done] = arguments;
const file = new Blob([Uint8Array.from(atob(content), (each) => each.charCodeAt(0))]);
const textOf = (bytes) => Array.from(bytes, (each) => String.fromCharCode(each)).join("");
import(new URL("../engine/pictures.js", location))
  .then(({ readPicture }) => readPicture(file, size)).then((pixels) => done(btoa(textOf(pixels))));
"""


class Files(http.server.SimpleHTTPRequestHandler):
    """What `python -m http.server` is, without its lines."""

    def log_message(self, *parts):
        pass


@contextlib.contextmanager
def serving(folder):
    """The address of a server of a folder's files."""
    handler = functools.partial(Files, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(20)


class Engine:
    """The worker of an exported page, opened in a browser from a file beside the page.

    Args:
        browser: selenium's WebDriver.
        site: str. The page's address.

    Attributes:
        opened: dict. The worker's first answer, with the milliseconds until then.
    """

    def __init__(self, browser, site):
        self.browser = browser
        browser.set_script_timeout(300)
        browser.get(f"{site}/model/manifest.json")
        self.opened = browser.execute_async_script(OPEN)

    def ask(self, messages, answers=None):
        """The first answers to messages, a list of dicts; files in them are bytes."""
        sent = [
            each | {"file": _encoded(each["file"])} if "file" in each else each for each in messages
        ]
        return self.browser.execute_async_script(ASK, sent, answers or len(sent))

    def pixels(self, file):
        """What the model gets of a picture file: uint8 array (size, size, 3)."""
        size = self.opened["about"]["picture_size"]
        content = self.browser.execute_async_script(READ, _encoded(file), size)
        return np.frombuffer(base64.b64decode(content), np.uint8).reshape(size, size, 3)


def _encoded(content):
    return base64.b64encode(content).decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="data set with captions")
    parser.add_argument("--images", help="its folder of photos")
    parser.add_argument("--split", default="dev", help="its part (default: dev)")
    parser.add_argument("--photos", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--model", default="everyday", help="shipped model or exported folder")
    options = parser.parse_args()
    from captioner import load_dataset
    from captioner.exporting.browser import export_site

    data = load_dataset(options.data, images=options.images, split=options.split)
    photos = data.image_paths[: options.photos]
    with tempfile.TemporaryDirectory() as work:
        export_site(options.model, os.path.join(work, "site"))
        with serving(work) as address, headless() as browser:
            engine = Engine(browser, f"{address}/site")
            print(f"open in {engine.opened['milliseconds']:.0f} ms")
            captions, seconds = captions_of(engine, photos)
            own = len(photos) / sum(seconds)
            print(f"{1000 * median(seconds):.0f} ms a photo, {own:.2f} photos/s")
            rate = command_rate(options.model, photos)
            print(f"caption.py: {rate:.2f} photos/s, {rate / own:.1f} times as many")
            compare(engine, options.model, photos, captions)


@contextlib.contextmanager
def headless():
    """Chromium without a window, as selenium's WebDriver."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome")
    for flag in ("headless=new", "no-sandbox"):
        options.add_argument(f"--{flag}")
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield browser
    finally:
        browser.quit()


def captions_of(engine, photos):
    """The page's best captions, and the seconds that the engine took for each."""
    answers = []
    for number, path in enumerate(photos):
        with open(path, "rb") as file:
            message = {"type": "caption", "id": number, "file": file.read(), "settings": {}}
        answers += engine.ask([message])
    return [each["captions"][0] for each in answers], [x["milliseconds"] / 1e3 for x in answers]


def command_rate(model, photos):
    """Photos per second of caption.py, its start included."""
    command = [sys.executable, "-m", "captioner", "caption", "--model", model, "--quiet", *photos]
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return len(photos) / (time.monotonic() - start)


def compare(engine, model, photos, captions):
    """Prints which captions differ from Python's, and how much the pixels do."""
    from captioner import load
    from captioner.images import read_image

    wanted = load(model).generate(photos, return_details=True)
    different = [n for n, each in enumerate(wanted) if each.text != captions[n]["text"]]
    print(f"{len(different)} of {len(photos)} captions differ from Python's")
    for number in different:
        print(f"  {photos[number]}\n    {wanted[number].text}\n    {captions[number]['text']}")
    differences = []
    for path in photos:
        with open(path, "rb") as file:
            found = engine.pixels(file.read())
        differences.append(np.abs(found.astype(int) - read_image(path, found.shape[:2])))
    print(
        f"pixels differ by {np.mean(differences):.4f} of 255 on average, {np.max(differences)} at "
        f"most; {sum(not each.any() for each in differences)} photos not at all"
    )


if __name__ == "__main__":
    main()
