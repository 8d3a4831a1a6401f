import pytest
from diffusers import UNet2DConditionModel

from imagic_lora.adapters.names import kohya_name, spellings
from imagic_lora.models.families import FAMILIES

XL_NAMES = {
    "down_blocks.0.resnets.1.conv1": "input_blocks_2_0_in_layers_2",
    "down_blocks.0.downsamplers.0.conv": "input_blocks_3_0_op",
    "down_blocks.1.resnets.0.conv_shortcut": "input_blocks_4_0_skip_connection",
    "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_out.0": (
        "input_blocks_4_1_transformer_blocks_1_attn2_to_out_0"
    ),
    "down_blocks.2.attentions.1.proj_in": "input_blocks_8_1_proj_in",
    "mid_block.resnets.0.time_emb_proj": "middle_block_0_emb_layers_1",
    "mid_block.attentions.0.transformer_blocks.9.ff.net.0.proj": (
        "middle_block_1_transformer_blocks_9_ff_net_0_proj"
    ),
    "mid_block.resnets.1.conv2": "middle_block_2_out_layers_3",
    "up_blocks.0.attentions.2.transformer_blocks.0.attn1.to_q": (
        "output_blocks_2_1_transformer_blocks_0_attn1_to_q"
    ),
    "up_blocks.0.upsamplers.0.conv": "output_blocks_2_2_conv",
    "up_blocks.2.resnets.2.conv1": "output_blocks_8_0_in_layers_2",
    "conv_in": "input_blocks_0_0",
    "conv_out": "out_2",
    "time_embedding.linear_2": "time_embed_2",
    "add_embedding.linear_1": "label_emb_0_0",
}
"""Layers of SDXL's UNet with their names in files of kohya's scripts, from such files."""


@pytest.mark.parametrize("path", XL_NAMES)
def test_xl_layers_are_named_as_in_published_files(path: str) -> None:
    """Each kind of layer has the name by which ComfyUI and A1111 know it in SDXL."""
    assert f"lora_unet_{XL_NAMES[path]}" == kohya_name(path, FAMILIES["sdxl"])


def test_a_layer_of_sd_keeps_its_path() -> None:
    """For SD 1 and 2 the name is the path with underscores, the last 0 of to_out included."""
    path = "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0"

    assert "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_out_0" == kohya_name(
        path, FAMILIES["sd"]
    )


def test_no_two_layers_share_a_name() -> None:
    """In a UNet of SDXL's layout every layer with weights has a name of its own."""
    unet = UNet2DConditionModel(
        block_out_channels=(8, 8, 8),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 3),
        attention_head_dim=4,
        norm_num_groups=4,
        cross_attention_dim=8,
    )
    paths = [path for path, module in unet.named_modules() if hasattr(module, "weight")]

    for family in FAMILIES.values():
        assert len(paths) == len({kohya_name(path, family) for path in paths})
    spelt = [set(spellings(path)) for path in paths]
    assert len(set().union(*spelt)) == sum(map(len, spelt))
