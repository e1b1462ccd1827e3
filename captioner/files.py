"""Replacing files on disk: whoever reads sees the older file or the new one, whole.

This holds after a power cut, too: the new file is on disk before it gets its name, and the name is
on disk before the function returns. An unfinished file lies in the same folder, hidden, under a
name of its own.
"""

import contextlib
import errno
import os
import shutil
import stat
import uuid

from captioner.errors import require

UNFINISHED = ".writing-"  # begins the name of what is being written


@contextlib.contextmanager
def replacing(path, ending=""):
    """A file to write, which takes the place of an older one once the block is done.

    If the block raises anything, the new file disappears and the older one stays. A link is
    followed; the older file's mode is kept.

    Args:
        path: str or path-like. The file to replace, or to make; its folder exists.
        ending: str. Of the unfinished file's name, for programs that go by it. Defaults to `""`, so
            that nobody takes it for a picture or a model.

    Yields:
        str. The path of an empty file that the block writes.

    Raises:
        OSError: It cannot be written, or cannot get its name.

    Example:
    >>> with replacing("notes.txt") as unfinished, open(unfinished, "w") as file:
    ...     file.write("two dogs on a beach")
    """
    target = os.path.realpath(path)
    unfinished = _beside(target) + ending
    # Nobody may read it meanwhile who may not read the older file.
    mode = 0o600 if os.path.exists(target) else 0o666
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    try:
        yield unfinished
        put_in_place(unfinished, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(unfinished)
        raise


def replace_bytes(path, content):
    """Writes the bytes of a file with `replacing`.

    Args:
        path: str or path-like. The file to replace, or to make.
        content: bytes.

    Raises:
        OSError: It cannot be written, or cannot get its name.

    Example:
    >>> replace_bytes("notes.txt", b"two dogs on a beach")
    """
    with replacing(path) as unfinished, open(unfinished, "wb") as file:
        file.write(content)


def rewrite_bytes(path, content):
    """Gives a file new bytes; everything else that belongs to it stays.

    That is its owner, mode, times, extended attributes and further names (hard links). A link is
    followed. A file of one name is replaced as a whole. One of several names, or of a group that
    the new file cannot have, is written in place, while the new bytes lie complete beside it.

    Args:
        path: str or path-like. The file.
        content: bytes.

    Raises:
        OSError: It cannot be written, is marked as read-only, or belongs to someone else; it is as
            it was.

    Example:
    >>> rewrite_bytes("notes.txt", b"two dogs on a beach")
    """
    target = os.path.realpath(path)
    status = os.stat(target)
    if not (status.st_mode & 0o222 and os.access(target, os.W_OK)):  # the mark holds for root, too
        raise PermissionError(errno.EACCES, "it is read-only")
    if _user() not in (0, status.st_uid):  # only they may set its owner and times
        raise PermissionError(errno.EPERM, "it belongs to someone else")
    unfinished = _beside(target)
    try:
        with open(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
        if status.st_nlink == 1 and _give_owner(unfinished, status):
            shutil.copystat(target, unfinished)
            put_in_place(unfinished, target)
        else:
            _sync_file(unfinished)
            _write_in_place(target, content, status)
    finally:
        with contextlib.suppress(OSError):
            os.remove(unfinished)


def put_in_place(unfinished, path):
    """Gives a complete file its name, once it is on disk and not only in a buffer.

    For unfinished files that a later process may continue; every other file is written with
    `replacing`.

    Args:
        unfinished: str or path-like. The complete file, closed; on the same disk as `path`.
        path: str or path-like. The file to replace, or to make. A link is followed; the older
            file's mode is kept.

    Raises:
        OSError: It cannot get its name; both files are as they were.

    Example:
    >>> put_in_place("features.npy.partial", "features.npy")
    """
    target = os.path.realpath(path)
    _sync_file(unfinished)
    if os.path.exists(target):
        _give_mode(unfinished, stat.S_IMODE(os.stat(target).st_mode))
    os.replace(unfinished, target)
    _sync_folder(os.path.dirname(target))


@contextlib.contextmanager
def replacing_folder(path):
    """A folder to fill, which takes the place of an older one once the block is done.

    If the block raises anything, the new folder disappears and the older one stays. A link is
    followed.

    Args:
        path: str or path-like. The folder to replace, or to make; the folder it is in exists.

    Yields:
        str. The path of an empty folder that the block fills.

    Raises:
        OSError: It cannot be written, or cannot get its name.
        CaptionerError: It is the folder that this process works in, or one above it: whoever works
            there, such as a shell, would be left in the older one, which is deleted.

    Example:
    >>> with replacing_folder("exported") as unfinished:
    ...     replace_bytes(f"{unfinished}/manifest.json", b"{}")
    """
    target = os.path.realpath(path)
    is_left = not os.path.join(os.getcwd(), "").startswith(os.path.join(target, ""))
    require(is_left, f"{target}: is the folder you are in, or above it; go to another one first")
    unfinished = _beside(target)
    os.mkdir(unfinished)
    try:
        yield unfinished
        _sync_tree(unfinished)
        _exchange(unfinished, target)
        _sync_folder(os.path.dirname(target))
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def sweep(folder):
    """Deletes the files that a killed process had not finished writing into a folder.

    Args:
        folder: str or path-like. One into which no other process writes now.

    Raises:
        OSError: The folder cannot be read.

    Example:
    >>> sweep("runs/mine")
    """
    with os.scandir(folder) as entries:
        left = [each.path for each in entries if each.name.startswith(UNFINISHED)]
    for path in left:
        with contextlib.suppress(OSError):  # a folder, or one that may not be deleted: no harm
            os.remove(path)


def size_of(path):
    """The bytes of a file, or of all files below a folder.

    Raises:
        OSError: It cannot be read.

    Example:
    >>> size_of("notes.txt")
    19
    """
    if not os.path.isdir(path):
        return os.path.getsize(path)
    below = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sum(map(os.path.getsize, below))


def _beside(target):
    return os.path.join(os.path.dirname(target), UNFINISHED + uuid.uuid4().hex)


def _exchange(unfinished, target):
    """Puts a folder in the place of another, which then has the name of the unfinished one."""
    if not os.path.isdir(target):
        os.replace(unfinished, target)
        return
    older = _beside(target)
    os.replace(target, older)
    try:
        os.replace(unfinished, target)
    except BaseException:
        os.replace(older, target)
        raise
    os.replace(older, unfinished)


def _user():
    """The number of this process's user; 0, who may do everything, where there are no numbers."""
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _give_owner(path, status):
    """Whether a new file has the owner and group of another one, or could be given them."""
    new = os.stat(path)
    if (new.st_uid, new.st_gid) == (status.st_uid, status.st_gid):
        return True
    try:
        os.chown(path, status.st_uid, status.st_gid)
    except OSError:
        return False
    return True


def _write_in_place(path, content, status):
    with open(path, "rb+") as file:
        older = file.read()
        try:
            _write_all(file, content)
        except BaseException:
            with contextlib.suppress(OSError):
                _write_all(file, older)
            raise
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _write_all(file, content):
    file.seek(0)
    file.write(content)
    file.truncate()
    file.flush()
    os.fsync(file.fileno())


def _give_mode(path, mode):
    # Only where it differs: some network disks let no one change modes.
    if stat.S_IMODE(os.stat(path).st_mode) != mode:
        os.chmod(path, mode)


def _sync_file(path):
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _sync_tree(path):
    for folder, _, names in os.walk(path):
        for name in names:
            _sync_file(os.path.join(folder, name))
        _sync_folder(folder)


def _sync_folder(path):
    with contextlib.suppress(OSError):  # Windows and some network disks sync no folder
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
