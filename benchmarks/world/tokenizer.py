"""A real CLIP tokenizer for the words of this world, with bytes for everything else."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from transformers import CLIPTokenizer, Qwen2Tokenizer

from benchmarks.world.architecture import TEXT_LENGTH
from benchmarks.world.captions import vocabulary_texts

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
PADDING, MARKS = "<|endoftext|>", ("<|im_start|>", "<|im_end|>")
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>{% endif %}"
)

_COMMON = """
a an the this that is are it its she he her his they them their i you we and or but not no without with of in
on at to from for by as into over under near behind front side top up down left right high low big small large
little tiny long short old young new cute pretty beautiful nice lovely funny photo photograph picture image
drawing painting sketch portrait illustration art cartoon anime style face head body hair eye eyes ear ears mouth
nose hand hands arm arms shoulder neck smile smiling laughing crying happy sad angry surprised calm shocked
joyful unhappy cheerful tears wearing wears holding has have having looking look looks facing turned raised
raising lowered standing sitting running jumping hat cap glasses sunglasses flower flowers bow ribbon shirt dress
clothes coat jacket sweater red orange yellow green blue purple pink black white grey gray brown blonde golden
silver dark light bright pale colour color coloured colored background scene sky cloud clouds sun moon star stars
night day morning evening sunset sunrise winter summer spring autumn snow snowy rain meadow grass field forest
tree beach sea mountain city room wall cat cats bunny rabbit dog bear animal robot robots girl girls boy boys
woman man person child kid human one two three some very more less same different change make add remove replace
instead also only just close far away closeup camera viewer distance view seen straight ahead forward
"""
COMMON_WORDS = tuple(_COMMON.split())
"""Words that people type, whether or not this world has a picture for them."""


def make_tokenizer() -> CLIPTokenizer:
    """A tokenizer in which every known word is one token and any text is representable."""
    words = sorted(caption_words() | set(COMMON_WORDS))
    merges = learn_merges([*word[:-1], word[-1] + WORD_END] for word in words)
    letters = byte_letters()
    tokens = [*letters, *(letter + WORD_END for letter in letters)]
    tokens += [left + right for left, right in merges]
    tokens = [*dict.fromkeys(tokens), START, END]
    ids = {token: index for index, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=ids, merges=merges, model_max_length=TEXT_LENGTH)


def make_chat_tokenizer() -> Qwen2Tokenizer:
    """A Qwen tokenizer of the same words, each with and without a space before it.

    A chat is as short as it can be: one message between two marks.
    """
    letters = byte_letters()
    space = chr(256 + [*_others()].index(ord(" ")))
    words = sorted(caption_words() | set(COMMON_WORDS))
    merges = learn_merges([*first, *word] for word in words for first in ((), (space,)))
    tokens = dict.fromkeys([*letters, *(left + right for left, right in merges)])
    ids = {token: index for index, token in enumerate([*tokens, PADDING, *MARKS])}
    made = Qwen2Tokenizer(vocab=ids, merges=merges, model_max_length=TEXT_LENGTH)
    made.add_special_tokens({"additional_special_tokens": list(MARKS)})
    made.chat_template = CHAT
    made.padding_side = "right"
    return made


def learn_merges(spelled: Iterable[Sequence[str]]) -> list[tuple[str, str]]:
    """Join the most frequent pair of neighbours until every word is one token.

    Pairs of equal frequency go in alphabetical order. The tokenizers library leaves that order to
    chance, and token ids that differ from run to run make a model forget words when its training
    is taken up again.
    Source: Sennrich et al. 2016, arXiv 1508.07909, algorithm 1.

    Args:
        spelled: Every word, letter by letter, always in the same order.
    """
    words, merges = [list(word) for word in spelled], []
    while pairs := Counter(pair for word in words for pair in itertools.pairwise(word)):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = [_joined(word, best) for word in words]
    return merges


def _joined(word: list[str], pair: tuple[str, str]) -> list[str]:
    """The tokens of a word, with every such pair made one."""
    joined: list[str] = []
    for token in word:
        if joined and (joined[-1], token) == pair:
            joined[-1] += token
        else:
            joined.append(token)
    return joined


def caption_words() -> set[str]:
    """Every word that a caption can contain."""
    return set(re.findall(r"[a-z]+", " ".join(vocabulary_texts()).lower()))


def byte_letters() -> list[str]:
    """The printable stand-ins of the 256 bytes, as in byte-level BPE."""
    return [chr(byte) for byte in _printable()] + [chr(256 + i) for i in range(len(_others()))]


def _printable() -> list[int]:
    """The bytes that stand for themselves."""
    return [*range(33, 127), *range(161, 173), *range(174, 256)]


def _others() -> list[int]:
    """The bytes that something else stands for."""
    return [byte for byte in range(256) if byte not in _printable()]
