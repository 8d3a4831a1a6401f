"""Between pictures and tensors: the only place that knows the pixel convention.

Pixels are float32 tensors of shape (B, 3, H, W), RGB, in [-1, 1]: -1 is black and 1 is white.
"""

import math

import numpy as np
import torch
from PIL import Image

from imagic_lora.errors import ImageError
from imagic_lora.images.canvas import Frame


def to_pixels(image: Image.Image, size: tuple[int, int]) -> torch.Tensor:
    """Scale an RGB image until it covers a canvas, crop it about its centre, and return its pixels.

    Args:
        image: An image of mode RGB.
        size: Width and height of the canvas, in pixels.

    Returns:
        Pixels in [-1, 1], float32, shape (1, 3, H, W).
    """
    fitted = Frame.of(image.size, size).cut(image)
    values = torch.from_numpy(np.array(fitted, dtype=np.float32))
    return (values / 127.5 - 1).permute(2, 0, 1).unsqueeze(0).contiguous()


def to_mask(image: Image.Image, frame: Frame, grid: tuple[int, int]) -> torch.Tensor:
    """Lay a mask on what was framed of its picture, and return the share of white in each cell.

    Args:
        image: An image of mode RGB; white is 1, black is 0, grey lies between.
        frame: How the picture was cropped and scaled.
        grid: Rows and columns of cells, such as a canvas has latents.

    Returns:
        Shares from 0 to 1, float32, shape (1, 1, rows, columns).

    Raises:
        ImageError: When the mask has another shape than the picture and its framed part, or is
            black everywhere.
    """
    fitted = frame.cut_mask(image.convert("L"))
    values = torch.from_numpy(np.array(fitted, dtype=np.float32))[None, None] / 255
    mask = torch.nn.functional.adaptive_avg_pool2d(values, grid)
    if not mask.any():
        raise ImageError(
            "The mask is black everywhere, so nothing may change; paint white what the edit may "
            "change."
        )
    return mask


def to_images(pixels: torch.Tensor) -> list[Image.Image]:
    """Return one RGB image for each picture of a batch.

    Args:
        pixels: Pixels, shape (B, 3, H, W); values beyond [-1, 1] are cut.
    """
    scaled = (pixels.detach().float().clamp(-1, 1) + 1) * 127.5
    arrays = scaled.round().to("cpu", torch.uint8).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(np.ascontiguousarray(array)) for array in arrays]


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return the root mean square difference of two images of one size, of brightness 0 to 1."""
    gap = to_pixels(first, first.size) - to_pixels(second, first.size)
    return float(gap.square().mean().sqrt()) / 2


def decibels(first: Image.Image, second: Image.Image) -> float:
    """Return the peak signal-to-noise ratio of two images of one size, at most 99 dB."""
    gap = difference(first, second)
    return min(99.0, -20 * math.log10(gap)) if gap else 99.0
