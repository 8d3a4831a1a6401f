"""Pictures: files and PIL images in, pixels and latents' canvases between, PNG files out.

Owns formats, sizes, colours and the pixel convention. Knows no model and no adapter.
"""
