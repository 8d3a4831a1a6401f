"""From a fit and a prompt to pictures: denoising, and what keeps an edit to what the prompt names.

Owns guidance, sampling, masks and resident adapters. Knows how nothing was fitted, and no file.
"""
