"""Words that can be asked for: data alone, so that help is quick."""

BENCHMARKS = (
    "tedbench",
    "tedbench++",
    "pie",
    "uniedit",
    "imgedit",
    "editeval",
    "gedit",
    "gedit2",
    "genarena",
    "own",
)
"""Names of the sets."""

PRODUCT = ("imagic_lora", "auto")
"""The product at alpha 1, and at the strength that it finds; both of one fit."""

UNCHANGED, LEDITS, INSTRUCT = "unchanged", "ledits_pp", "instruct_pix2pix"

METHODS = (*PRODUCT, UNCHANGED, "autoencoder", "img2img", LEDITS, INSTRUCT)
"""The methods; the last two where the model, or a folder, has them."""

SCORERS = ("pixels", "clip", "clip16", "structure", "identity", "lpips", "lpips_all")
"""What pictures are scored by."""

WEIGHED = ("clip", "clip16", "structure", "identity")
"""Those whose weights can be given."""

STAGES = ("edit", "score", "judge", "report")
"""What is done, in this order."""
