"""Pictures in object stores: S3, Google Cloud Storage, Azure and HDFS, through pyarrow.

The name of a picture there is its URI, `s3://bucket/folder/photo.jpg`. What comes after the bucket
is the object's key exactly as spelled: `%20` is three characters, and `+` is a plus.
"""

import errno
import re
import threading
from concurrent.futures import ThreadPoolExecutor

from captioner.errors import CaptionerError, cannot_be, needs_extra, require
from captioner.finding import is_passed_over, is_picture, local_spelling
from captioner.images import MOST_AT_ONCE, ImageError, describe

FILE = "file://"
READERS = 16  # requests at a time: what a store answers slowly is under way before it is needed
MOST_AHEAD = 2**23  # bytes of a file that is read before it is needed; up to 64 are in memory
PATIENCE = 60  # seconds for a store that does not answer
SECRETS = re.compile(r"key|secret|token|password", re.IGNORECASE)


def is_uri(text):
    """Whether a text names something in an object store; `file://` counts."""
    return re.match(r"[a-z][a-z0-9+.-]*://", text) is not None


def local_path(name):
    """The path of a `file://` URI, or of a path; None for what is in an object store."""
    is_local = name.startswith(FILE) or not is_uri(name)
    return local_spelling(name) if is_local else None


class ObjectStores:
    """The file systems that URIs lead to, each connected to once.

    Args:
        options: dict from `scheme://bucket` to str. What pyarrow takes at the end of a URI, such as
            `endpoint_override=localhost:9000&scheme=http`. Defaults to `{}`.

    Example:
    >>> stores = ObjectStores()
    >>> uri = stores.take_options("s3://photos/2024/?region=eu-west-1")
    >>> system, path = stores.open(uri)
    """

    def __init__(self, options=None):
        self.options = dict(options or {})
        self._opened = {}

    def take_options(self, uri):
        """Remembers the options at the end of a URI for all of its bucket.

        Args:
            uri: str.

        Returns:
            str: the URI without them; anything else as it is.

        Raises:
            CaptionerError: They differ from those given for the bucket before; or there is a
                password in the URI, which would be written down with the results.
        """
        if not is_uri(uri):
            return uri
        from urllib.parse import parse_qsl  # slow to import, and not for files of this machine

        place, mark, options = uri.rpartition("?")
        if not mark or not re.fullmatch(r"\w+=[^&]*(&\w+=[^&]*)*", options):
            place, options = uri, ""
        bucket = _split(place)[0]
        names = [name for name, _ in parse_qsl(options)]
        require(
            not re.search(r":[^/]*@", bucket[bucket.index("//") :])
            and not any(SECRETS.search(name) for name in names),
            f"{_split(uri)[0]}: a password in a URI would be written down with the results; give "
            "it in the environment, as AWS_SECRET_ACCESS_KEY for example",
        )
        local_path(uri)  # refuses a file:// URI of another machine
        if options:
            known = self.options.setdefault(bucket, options)
            require(known == options, f"{uri}: for {bucket} there was ?{known}; give one of them")
        return place

    def open(self, uri):
        """The file system a URI leads to, and the path there.

        Raises:
            CaptionerError: No such kind of store, or it cannot be reached.
        """
        bucket, key = _split(uri)
        if bucket not in self._opened:
            self._opened[bucket] = self._connect(bucket)
        system, base = self._opened[bucket]
        return system, f"{base}/{key}" if key else base or "/"

    def _connect(self, bucket):
        from_uri = require_pyarrow("fs").FileSystem.from_uri
        options = self.options.get(bucket, "")
        if bucket.startswith(("gs://", "gcs://")) and "retry_limit_seconds" not in options:
            options += f"&retry_limit_seconds={PATIENCE}"  # 15 minutes are its own choice
        try:
            system, base = from_uri(f"{bucket}/?{options.lstrip('&')}".rstrip("?"))
        except Exception as error:  # pyarrow has many kinds
            raise CaptionerError(cannot_be("opened", bucket, reason_of(error))) from error
        return system, base.rstrip("/")

    def pictures_below(self, uri, left_out):
        """The picture of a URI: itself, or all below it with a picture's ending.

        What `find_images` passes over is left out, too; one folder's names are in memory at a time.

        Args:
            uri: str.
            left_out: LeftOut. Takes the pictures that cannot be read.

        Yields:
            str: their URIs, those of a folder in the order of their names; a `CaptionerError` in
            their place where there are none.

        Raises:
            CaptionerError: A folder cannot be listed.
        """
        bucket, _ = _split(uri)
        system, path = self.open(uri)
        base = len(self.open(bucket)[1].rstrip("/"))  # of paths, which begin as the bucket's does
        pyarrow_fs, count = require_pyarrow("fs"), 0
        folders = [path.rstrip("/") or "/"]
        [itself] = _information(system, bucket, folders)
        if itself.type == pyarrow_fs.FileType.File:
            yield uri
            return
        while folders:
            selector = pyarrow_fs.FileSelector(folders.pop(), allow_not_found=True)
            found = _information(system, bucket, selector)
            shown = [each for each in found if not is_passed_over(each.base_name)]
            shown.sort(key=lambda each: each.base_name)
            for each in shown:
                if each.type == pyarrow_fs.FileType.File and is_picture(each.base_name):
                    count += 1
                    yield bucket + each.path[base:]
                elif each.type == pyarrow_fs.FileType.File:
                    left_out.add(bucket + each.path[base:], each.base_name)
            below = [each.path for each in shown if each.type == pyarrow_fs.FileType.Directory]
            folders += reversed(below)
        if not count:
            is_missing = itself.type == pyarrow_fs.FileType.NotFound
            reason = "no such file or folder" if is_missing else "folder holds no pictures"
            yield CaptionerError(f"{describe(uri)}: {reason}")


class PictureReader:
    """Turns names into what `read_image` takes: a path stays, a URI becomes an `ObjectPicture`.

    Args:
        stores: ObjectStores.
    """

    def __init__(self, stores):
        self._stores = stores
        self._threads = ThreadPoolExecutor(READERS)

    def sources(self, names):
        """Yields a source for each name; objects are read from then on."""
        for name in names:
            path = local_path(name)
            if path is None:
                yield ObjectPicture(name, self._stores, self._threads)
            else:
                yield path


class ObjectPicture:
    """A picture file in an object store, on its way from there.

    Large ones are read only when they are needed, and one at a time: those that are under way must
    fit into memory together.

    Attributes:
        name: str. Its URI.
    """

    _one_large = threading.Lock()

    def __init__(self, uri, stores, threads):
        self.name = uri
        self._stores = stores
        self._content = threads.submit(self._read, MOST_AHEAD)

    def read(self):
        """The bytes of the file, once.

        Raises:
            OSError: It cannot be fetched.
            ImageError: It is too large.
        """
        future, self._content = self._content, None  # the picture may be kept, its bytes not
        content = future.result()
        if content is None:
            with self._one_large:
                content = self._read(MOST_AT_ONCE)
            if content is None:
                most = f"{MOST_AT_ONCE // 2**20} MiB"
                raise ImageError(f"{describe(self.name)}: larger than {most}; make it smaller")
        return content

    def _read(self, most):
        """The bytes, or None where they are more than `most`."""
        try:
            system, path = self._stores.open(self.name)
            with system.open_input_file(path) as file:
                return file.read() if file.size() <= most else None
        except FileNotFoundError as error:
            raise OSError(errno.ENOENT, "no such object") from error
        except Exception as error:  # pyarrow has many kinds
            raise OSError(errno.EIO, reason_of(error)) from error


def require_pyarrow(module):
    """A module of pyarrow.

    Args:
        module: str. Such as `"fs"`.

    Raises:
        CaptionerError: The package is missing.
    """
    try:
        import pyarrow.fs
        import pyarrow.parquet
    except ImportError as error:
        need = "object stores and Parquet need pyarrow"
        raise CaptionerError(needs_extra(need, "ray", error)) from error
    return getattr(pyarrow, module)


def reason_of(error):
    """What an error of pyarrow says, in one short line."""
    text = str(error)
    found = re.search(r"AWS Error (.*?) during .*?operation: (.*)", text)  # names the key once more
    text = f"{found[1]}: {found[2]}" if found else text
    return " ".join(text.split())[:200] or type(error).__name__


def _split(uri):
    """`scheme://bucket` and the key."""
    found = re.fullmatch(r"([a-z][a-z0-9+.-]*://[^/]*)/?(.*)", uri, re.DOTALL)
    require(found is not None, f"{uri}: not a URI; it has the form s3://bucket/folder/")
    return found[1], found[2]


def _information(system, bucket, wanted):
    try:
        return system.get_file_info(wanted)
    except Exception as error:  # pyarrow has many kinds
        raise CaptionerError(cannot_be("listed", bucket, reason_of(error))) from error
