"""Eight clients of `captioner serve` at once, against caption.py with batches of eight.

python -m benchmarks.serving --photos flickr8k/images --seconds 60
"""

import argparse
import http.client
import itertools
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

CLIENTS = 8


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", required=True, help="folder of photos")
    parser.add_argument("--seconds", type=float, default=60, help="time to serve (default: 60)")
    parser.add_argument("--batch-size", default="4", help="server's batch size (default: 4)")
    options = parser.parse_args()
    photos = sorted(Path(options.photos).iterdir())[:1000]
    served, errors = serving_rate(photos, options.seconds, options.batch_size)
    written = command_rate(photos, options.seconds)
    print("| what | pictures/s | |")
    print("|---|---|---|")
    print(f"| serve, {CLIENTS} clients, {errors} errors | {served:.1f} | {served / written:.2f} |")
    print(f"| caption.py --batch-size {CLIENTS} | {written:.1f} | 1.00 |")


def serving_rate(photos, seconds, batch_size):
    """Pictures per second that a server answers, and the number of errors."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "captioner", "serve", "--port", str(port)]
    command += ["--batch-size", batch_size, "--quiet"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        contents = [photo.read_bytes() for photo in photos]
        counts, errors = [0] * CLIENTS, [0] * CLIENTS
        end = time.monotonic() + seconds

        def client(number):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            for content in itertools.cycle(contents[number::CLIENTS]):
                if time.monotonic() > end:
                    return
                try:
                    connection.request("POST", "/caption", content)
                    answer = connection.getresponse()
                    counts[number] += bool(json.loads(answer.read())["caption"])
                except (OSError, KeyError, http.client.HTTPException):
                    errors[number] += 1
                    connection.close()

        start = time.monotonic()
        threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / (time.monotonic() - start), sum(errors)
    finally:
        server.terminate()
        server.wait()


def wait_for(url):
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5)
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not answer")


def command_rate(photos, seconds):
    """Pictures per second of the command line without its start: the difference of two runs."""
    few = photos[:40]
    short = run_seconds(few)
    rest = photos[: max(len(few) + 1, int(len(photos) * min(1, seconds / 30)))]
    return (len(rest) - len(few)) / (run_seconds(rest) - short)


def run_seconds(photos):
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "caption.py", "-", "--batch-size", str(CLIENTS)]
        command += ["--output", f"{folder}/captions"]
        start = time.monotonic()
        subprocess.run(command, input="\n".join(map(str, photos)).encode(), check=True)
        return time.monotonic() - start


if __name__ == "__main__":
    main()
