"""Clients of `captioner serve` against caption.py with batches of eight, on the same photos.

    python -m benchmarks.serving --photos flickr8k/images --seconds 60

Measures pictures per second for eight clients that each wait for an answer before they send the
next photo, and for caption.py without its start (the difference of two runs); and for one client
alone the time of an answer. They take turns for several rounds, and the medians are printed. The
clients, threads of a process of their own, run on the same cores as the server. What the server,
the clients and caption.py computed is printed as well: milliseconds of a core for each picture.
"""

import argparse
import itertools
import json
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.processes import cpu_seconds

CLIENTS = 8
FEW = 40  # pictures of the run of caption.py whose time is subtracted as its start


class Reading(NamedTuple):
    """What one round measured.

    Attributes:
        rate: float. Pictures per second.
        work: float. Milliseconds of a core that a picture took.
        clients: float. The same for the clients.
        wait: float. Milliseconds from a request to its answer, the median.
        errors: int.
    """

    rate: float
    work: float
    clients: float = 0.0
    wait: float = 0.0
    errors: int = 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", required=True, help="folder of photos")
    parser.add_argument("--seconds", type=float, default=60, help="time to serve (default: 60)")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--batch-size", help="of the server (default: its own)")
    options = parser.parse_args()
    photos = sorted(Path(options.photos).iterdir())[:2000]
    seconds = options.seconds / options.rounds
    alone, several = "serve, 1 client", f"serve, {CLIENTS} clients"
    command = f"caption.py --batch-size {CLIENTS}"
    found = {alone: [], several: [], command: []}
    with Server(options.batch_size) as server:
        server.serve(photos, CLIENTS, 3)  # warms up
        for _ in range(options.rounds):
            found[alone].append(server.serve(photos, 1, seconds / 4))
            found[several].append(server.serve(photos, CLIENTS, seconds))
            count = FEW + round(found[several][-1].rate * seconds)
            found[command].append(run_command(photos[:count]))
    print_table(found, several, command)


def print_table(found, several, command):
    """Prints the medians of the readings, and of the rounds' ratios of `several` to `command`."""
    rounds = zip(found[several], found[command], strict=True)
    ratios = {several: median(one.rate / other.rate for one, other in rounds), command: 1}
    print("| what | pictures/s | times caption.py | ms to an answer | CPU ms | CPU ms, clients |")
    print("|---|---|---|---|---|---|")
    for name, readings in found.items():
        of = {field: median(getattr(each, field) for each in readings) for field in Reading._fields}
        ratio = f"{ratios[name]:.2f}" if name in ratios else ""
        wait, clients = (f"{of['wait']:.0f}", f"{of['clients']:.1f}") if of["wait"] else ("", "")
        print(f"| {name} | {of['rate']:.1f} | {ratio} | {wait} | {of['work']:.1f} | {clients} |")
    print(f"\n{sum(each.errors for readings in found.values() for each in readings)} errors")


class Server:
    """`captioner serve` in a process of its own.

    Args:
        batch_size: str or None. Defaults to `None`, the server's own.
    """

    def __init__(self, batch_size=None):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._command = [sys.executable, "-m", "captioner", "serve", "--quiet"]
        self._command += ["--port", str(self._port)]
        self._command += ["--batch-size", batch_size] if batch_size else []

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=5)
                return self
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the server does not answer")

    def __exit__(self, *error):
        self._process.terminate()
        self._process.wait()

    def serve(self, photos, clients, seconds):
        """Lets clients send photos for some seconds; returns a `Reading`."""
        contents = [photo.read_bytes() for photo in photos]
        found = [Client(self._port, contents[number::clients]) for number in range(clients)]
        work, own = cpu_seconds(self._process.pid), time.process_time()
        start = time.perf_counter()
        threads = [threading.Thread(target=each.run, args=(start + seconds,)) for each in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = time.perf_counter() - start
        own, work = time.process_time() - own, cpu_seconds(self._process.pid) - work
        waits = [wait for each in found for wait in each.waits]
        if not waits:
            raise SystemExit("no client got an answer")
        return Reading(
            rate=len(waits) / taken,
            work=1000 * work / len(waits),
            clients=1000 * own / len(waits),
            wait=1000 * median(waits),
            errors=sum(each.errors for each in found),
        )


class Client:
    """Sends photos one after the other over one connection, and keeps how long answers took.

    It speaks HTTP over a bare socket, which takes the least from the server.
    """

    def __init__(self, port, contents):
        self._port, self._contents = port, contents
        self.waits, self.errors = [], 0

    def run(self, end):
        connection = None
        for content in itertools.cycle(self._contents):
            if time.perf_counter() > end:
                break
            try:
                connection = connection or socket.create_connection(("127.0.0.1", self._port), 60)
                start = time.perf_counter()
                answer = self._ask(connection, content)
                self.waits.append(time.perf_counter() - start)
                if not json.loads(answer)["caption"]:
                    raise ValueError
            except (OSError, ValueError, KeyError):
                self.errors += 1
                connection = None
        if connection:
            connection.close()

    def _ask(self, connection, content):
        head = (
            "POST /caption HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        connection.sendall(head.encode() + content)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._received(connection)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(body) < length:
            body += self._received(connection)
        return body

    def _received(self, connection):
        received = connection.recv(2**16)
        if not received:
            raise ConnectionError
        return received


def run_command(photos):
    """A `Reading` of the command line without its start: the difference of two runs."""
    few, few_work = seconds_of_command(photos[:FEW])
    all_of_them, work = seconds_of_command(photos)
    count = len(photos) - FEW
    return Reading(count / (all_of_them - few), 1000 * (work - few_work) / count)


def seconds_of_command(photos):
    """How long a run of caption.py takes, and how long it computes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "caption.py", "-", "--batch-size", str(CLIENTS)]
        command += ["--output", f"{folder}/captions"]
        start, work = time.perf_counter(), children_seconds()
        subprocess.run(
            command, input="\n".join(map(str, photos)).encode(), stderr=subprocess.DEVNULL,
            check=True,
        )  # fmt: skip
        return time.perf_counter() - start, children_seconds() - work


def children_seconds():
    """What the processes that have ended computed, in seconds of a core."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
