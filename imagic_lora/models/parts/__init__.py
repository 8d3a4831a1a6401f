"""What families of models share: text encoders, autoencoders, samplers, denoisers' facts.

Knows no family.
"""
