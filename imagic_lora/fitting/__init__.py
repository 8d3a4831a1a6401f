"""Moving an embedding and a small LoRA until the frozen model reconstructs one picture.

Owns the loss, the loop and the LoRA while it learns. Knows no file and no edit.
"""
