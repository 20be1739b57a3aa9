"""A byte-level BPE tokenizer: learnt from the training text, written as a Hugging Face tokenizer.json, and used for training.

Digits stand alone, so a number is read digit by digit. Pieces are split as the pre_tokenizer of tokenizer.json says;
`PIECE` is that pattern in Python's `re`, equal on the text this recipe makes.
"""
import collections
import json
import re

SPECIALS = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"]
BOS, EOS, PAD, USER, ASSISTANT, THINK, END_THINK = range(len(SPECIALS))
VISIBLE_TO_TEMPLATE_ONLY = {"<think>", "</think>"}  # added tokens that Hugging Face marks as not special: decoding keeps them
SPLIT = r" ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+"
PIECE = re.compile(r"\d| ?[^\W\d_]+| ?(?:[^\w\s]|_)+|\s+")


def byte_alphabet():
    """GPT-2's printable stand-in for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {b: chr(b) for b in printable}
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + len(table) - len(printable))
    return [table[b] for b in range(256)]


def pieces(text):
    alphabet = byte_alphabet()
    # A digit never merges, so PIECE may let a space stay alone in front of it; regex order does the rest.
    return ["".join(alphabet[b] for b in piece.encode()) for piece in PIECE.findall(text)]


def learn(text, vocabulary_size):
    counts = collections.Counter(pieces(text))
    words = {piece: list(piece) for piece in counts}
    merges, vocabulary = [], SPECIALS + byte_alphabet()
    while len(vocabulary) < vocabulary_size:
        pairs = collections.Counter()
        for piece, parts in words.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += counts[piece]
        if not pairs:
            break
        (left, right), count = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        if count < 2:
            break
        merges.append((left, right))
        if left + right not in vocabulary:
            vocabulary.append(left + right)
        for piece, parts in words.items():
            words[piece] = merge(parts, left, right)
    return vocabulary, merges


def merge(parts, left, right):
    merged, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and parts[i] == left and parts[i + 1] == right:
            merged.append(left + right)
            i += 2
        else:
            merged.append(parts[i])
            i += 1
    return merged


class Tokenizer:
    def __init__(self, vocabulary, merges):
        self.vocabulary, self.merges = vocabulary, merges
        self.ids = {token: i for i, token in enumerate(vocabulary)}
        self.ranks = {pair: i for i, pair in enumerate(merges)}
        self.cache = {}

    @staticmethod
    def load(path):
        model = json.load(open(path, encoding="utf-8"))["model"]
        vocabulary = [None] * (max(model["vocab"].values()) + 1)
        for token, i in model["vocab"].items():
            vocabulary[i] = token
        vocabulary[:len(SPECIALS)] = SPECIALS
        return Tokenizer(vocabulary, [tuple(m) for m in model["merges"]])

    def encode(self, text):
        return [i for piece in pieces(text) for i in self._piece(piece)]

    def _piece(self, piece):
        if piece not in self.cache:
            parts = list(piece)
            while len(parts) > 1:
                rank, pair = min((self.ranks.get(p, len(self.ranks)), p) for p in zip(parts, parts[1:]))
                if rank == len(self.ranks):
                    break
                parts = merge(parts, *pair)
            self.cache[piece] = [self.ids[p] for p in parts]
        return self.cache[piece]

    def decode(self, ids):
        back = {c: b for b, c in enumerate(byte_alphabet())}
        data = b"".join(self.vocabulary[i].encode() if i < len(SPECIALS) else bytes(back[c] for c in self.vocabulary[i]) for i in ids)
        return data.decode("utf-8", "replace")

    def save(self, path):
        added = [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                  "special": t not in VISIBLE_TO_TEMPLATE_ONLY} for i, t in enumerate(SPECIALS)]
        document = {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
            "post_processor": None,
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": {t: i for i, t in enumerate(self.vocabulary)},
                      "merges": [list(m) for m in self.merges]}}
        with open(path, "w", encoding="utf-8") as f:
            json.dump(document, f, ensure_ascii=False, indent=1)
            f.write("\n")
