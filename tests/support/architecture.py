"""Who may import whom: read by the tests, and printed into docs/design.md."""

ROWS: tuple[frozenset[str], ...] = (
    frozenset({"errors"}),
    frozenset({"texts"}),
    frozenset(
        {
            "conditioning",
            "demo",
            "files",
            "hub",
            "objective",
            "progress",
            "seeding",
            "settings",
            "units",
        }
    ),
    frozenset({"images", "memory"}),
    frozenset({"models"}),
    frozenset({"adapters", "captions"}),
    frozenset({"fitting"}),
    frozenset({"editing"}),
    frozenset({"planning"}),
    frozenset({"editor"}),
    frozenset({"runs"}),
    frozenset({"bench", "ui"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
"""The parts of the package, from the ground up. A part imports from the rows before its own only."""

OWNERS = {
    "huggingface_hub": {"hub"},
    "diffusers": {"models", "bench/rivals/ledits", "bench/rivals/instruct"},
    "transformers": {
        "models",
        "bench/judging/local",
        "bench/metrics/clip",
        "bench/metrics/dino",
    },
    "torchmetrics": {"bench/metrics/lpips", "bench/metrics/pixels"},
    "pyarrow": {"bench/data/columnar"},
    "safetensors": {"adapters", "models"},
    "peft": {"fitting/lora"},
    "gradio": {"ui"},
    "fastapi": {"ui"},
    "uvicorn": {"ui"},
    "click": {"cli"},
    "fsspec": {"runs/places"},
    "ray": {"runs/cluster"},
}
"""Who may import a package that others must not depend on: a part, or one module of it."""

_FAMILIES = r"models/(stable_diffusion(_xl|_3)?|flux2|z_image)"

INSIDE = {
    _FAMILIES: _FAMILIES.replace("models/", r"imagic_lora\.models\."),
    r"models/parts/.*": _FAMILIES.replace("models/", r"imagic_lora\.models\."),
    r"memory/levers/.*": r"imagic_lora\.memory\.(plan|ladder|footprint)",
    r"adapters/.*": r"imagic_lora\.models\.(?!famil(y|ies))",
    r"ui/jobs/.*": r"gradio",
    r"bench/(data|suites|metrics|rivals)/.*": r"imagic_lora\.bench\.(evaluation|report|catalogue|rows)",
}
"""What modules, by a pattern of their names, must not import: families are siblings, levers know
nothing of plans, adapters know of models nothing but data, the page's work no widgets, and how a benchmark is read,
scored or held against others nothing of its report."""
