"""Drawn pictures and captions as arrays, made once and cached on disk."""

import multiprocessing
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.world.drawing import draw
from benchmarks.world.portrait import Portrait, held_out_portrait, sample_portrait

Pixels = npt.NDArray[np.uint8]


def pixels_of(portrait: Portrait) -> Pixels:
    """A portrait's picture as an array of shape (64, 64, 3)."""
    return np.asarray(draw(portrait))


def training_portraits(count: int, seed: int, *, photographed: bool = False) -> list[Portrait]:
    """The portraits of the training set; the arguments say all about it."""
    first = seed * 10_000_000
    return [sample_portrait(first + index, photographed=photographed) for index in range(count)]


def held_out_portraits(count: int, start: int = 0, *, photographed: bool = False) -> list[Portrait]:
    """Portraits that training never sees."""
    return [held_out_portrait(start + index, photographed=photographed) for index in range(count)]


def draw_all(portraits: list[Portrait], processes: int = 1) -> Pixels:
    """Pictures of shape (count, 64, 64, 3), in order."""
    if processes == 1:
        return np.stack([pixels_of(portrait) for portrait in portraits])
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return np.stack(pool.map(pixels_of, portraits, chunksize=64))


def cached_pictures(path: Path, portraits: list[Portrait], processes: int) -> Pixels:
    """Pictures from the cache, drawn first if it is not there or holds another number."""
    if path.exists():
        stored: Pixels = np.load(path)
        if len(stored) == len(portraits):
            return stored
    pictures = draw_all(portraits, processes)
    partial = path.with_suffix(".partial.npy")
    np.save(partial, pictures)
    partial.replace(path)
    return pictures
