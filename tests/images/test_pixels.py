import pytest
import torch
from PIL import Image

from imagic_lora.errors import ImageError
from imagic_lora.images.canvas import Frame
from imagic_lora.images.pixels import to_images, to_mask, to_pixels
from tests.support.pictures import RED, WHITE, noise

UNCUT = Frame.of((32, 32), (32, 32))


def test_pixels_run_from_black_to_white() -> None:
    """Black is -1, white is 1, the layout is (1, 3, H, W), the type float32."""
    image = Image.new("RGB", (24, 16), (0, 255, 51))

    pixels = to_pixels(image, (24, 16))

    assert ((1, 3, 16, 24), torch.float32) == (tuple(pixels.shape), pixels.dtype)
    assert [-1.0, 1.0, pytest.approx(-0.6)] == pixels[0, :, 3, 5].tolist()


def test_pixels_and_images_are_inverses() -> None:
    """At its own size, every one of the 256 levels survives the way there and back."""
    image = noise(64, 40)

    (back,) = to_images(to_pixels(image, image.size))

    assert image.tobytes() == back.tobytes()


def test_an_image_covers_its_canvas_about_its_centre() -> None:
    """Nothing is squeezed: what is too wide is cut off alike on both sides."""
    image = Image.new("RGB", (96, 32), WHITE)
    image.paste(RED, (32, 0, 64, 32))

    (square,) = to_images(to_pixels(image, (32, 32)))

    assert [(1024, RED)] == square.getcolors()


def test_each_picture_of_a_batch_becomes_an_image() -> None:
    """Values beyond the range are cut, half precision is fine, gradients are no hindrance."""
    pixels = torch.tensor([-3.0, 3.0]).view(2, 1, 1, 1).expand(2, 3, 16, 20).half()

    black, white = to_images(pixels.requires_grad_())

    assert [(320, (0, 0, 0))] == black.getcolors()
    assert [(320, WHITE)] == white.getcolors()
    assert (20, 16) == white.size


def test_a_mask_is_scaled_and_cropped_like_its_image() -> None:
    """White cells are where the white of the mask lies on the canvas."""
    mask = Image.new("RGB", (64, 32))
    mask.paste(WHITE, (48, 0, 64, 32))

    wide = to_mask(mask, Frame.of(mask.size, (64, 32)), (4, 8))
    half = to_mask(mask, Frame.of(mask.size, (56, 32)), (4, 7))  # crops four columns on either side

    assert wide[0, 0].tolist() == [[0, 0, 0, 0, 0, 0, 1, 1]] * 4
    assert half[0, 0].tolist() == [[0, 0, 0, 0, 0, 0.5, 1]] * 4


def test_a_grey_mask_is_a_share() -> None:
    """Grey lets a part of the edit through."""
    grey = to_mask(Image.new("RGB", (32, 32), (51, 51, 51)), UNCUT, (4, 4))

    torch.testing.assert_close(grey, torch.full((1, 1, 4, 4), 0.2))


def test_a_black_mask_is_refused() -> None:
    """A mask under which nothing may change is a mistake."""
    with pytest.raises(ImageError, match="black everywhere"):
        to_mask(Image.new("RGB", (32, 32)), UNCUT, (4, 4))
