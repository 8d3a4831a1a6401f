import json
from pathlib import Path

import pytest
from PIL import Image

import imagic_lora
from imagic_lora import Adapter, AdapterFileError, FitSettings, ImagicEditor, ImagicWarning
from tests.support.handmade import made

SHORT = FitSettings(steps=1, batch=1, rank=1)
GIRL = Path(imagic_lora.__file__).parent / "demo" / "girl.png"


@pytest.fixture(scope="module")
def demo() -> ImagicEditor:
    """Give an editor of the bundled model, which knows drawn portraits and nothing else."""
    return ImagicEditor.from_pretrained("demo")


@pytest.mark.filterwarnings("error::imagic_lora.ImagicWarning")
def test_a_picture_that_the_model_knows_is_fitted_without_a_word(demo: ImagicEditor) -> None:
    """Its round trip through the autoencoder stands in the record, and in the file."""
    adapter = demo.fit(GIRL, source="a girl", settings=SHORT)

    assert adapter.record.round_trip == pytest.approx(30.7, abs=0.5)
    assert Adapter.from_bytes(adapter.to_bytes()).record.round_trip == adapter.record.round_trip


@pytest.mark.filterwarnings("default::imagic_lora.ImagicWarning")
def test_a_picture_that_the_model_cannot_show_is_told_before_the_fit(demo: ImagicEditor) -> None:
    """One sentence names the decibels and what to do; the fit goes on."""
    noise = Image.merge("RGB", [Image.effect_noise((64, 64), 90) for _ in range(3)])

    with pytest.warns(ImagicWarning, match=r"back at \d+ dB only.*another base model"):
        adapter = demo.fit(noise, source="a girl", settings=SHORT)

    assert adapter.record.round_trip is not None
    assert adapter.record.round_trip < 21
    trip = demo.round_trip(noise)
    assert adapter.record.round_trip == pytest.approx(trip.decibels, abs=0.01)
    assert [True, False] == [trip.is_poor, demo.round_trip(GIRL).is_poor]


@pytest.mark.parametrize("value", ["30", -1, 100, True, [30]])
def test_a_round_trip_that_is_none_is_refused(value: object) -> None:
    """Whatever a file says of it is checked."""
    values = json.loads(json.dumps(made().record.values()))

    with pytest.raises(AdapterFileError, match="round_trip"):
        type(made().record).of({**values, "round_trip": value})
