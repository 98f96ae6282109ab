"""Ways to spoil a file, and what a case of bad input consists of."""

import os
import pickle
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, PngImagePlugin


@dataclass(frozen=True)
class Case:
    """What lies in the folder, what is called there, a pattern of what it must say, and its exit status."""

    prepare: Callable[[Path], object]
    call: Callable[[], object]
    message: str
    status: int = 2


def nothing(folder: Path) -> None:
    pass


def picture(path: Path, size=(60, 40), value=100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)


def text(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def much_text(path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 80_000_000, zip=True)
    Image.new("L", (60, 40)).save(path, pnginfo=info)


def bomb(path: Path) -> None:
    """A head that claims 20,000 × 20,000 pixels."""
    picture(path)
    content = path.read_bytes()
    head = b"IHDR" + (20_000).to_bytes(4, "big") * 2 + content[24:29]
    path.write_bytes(content[:12] + head + zlib.crc32(head).to_bytes(4, "big") + content[33:])


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def dead_link(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("nowhere")


def folder_instead(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)


HOSTILE = "hostile"  # a folder that exists only if code from a file was run


class _Hostile:
    def __reduce__(self):
        return os.mkdir, (HOSTILE,)


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(_Hostile()))
