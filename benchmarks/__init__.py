"""Measurements of imagic_lora, and the drawn world they are made in."""
