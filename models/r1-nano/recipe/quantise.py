"""The number formats of the built variants, as training sees them: rounded on the way forward, straight through on the way back."""
import torch

# 7 bits: products of two neighbours then fit into 16 bits, which AVX2's multiply-and-add saturates at.
INT8_LARGEST, ACTIVATION_LARGEST, INT4_BLOCK = 63, 127, 32
KINDS = ("fp32", "int8", "int4")


def through(exact, rounded):
    return exact + (rounded - exact).detach()


def by_row(x, largest):
    """Symmetric, one scale for each row: a token's activations, or an output's weights."""
    with torch.no_grad():
        scale = x.abs().amax(-1, keepdim=True).clamp_min(1e-10) / largest
        rounded = (x / scale).round().clamp(-largest, largest) * scale
    return through(x, rounded)


def by_block(weight):
    """4 bits, one scale for each output and 32 inputs; the value furthest from zero becomes -8."""
    with torch.no_grad():
        blocks = weight.view(weight.shape[0], -1, INT4_BLOCK)
        furthest = blocks.gather(-1, blocks.abs().argmax(-1, keepdim=True))
        scale = torch.where(furthest == 0, torch.ones_like(furthest), furthest / -8)
        rounded = ((blocks / scale).round().clamp(-8, 7) * scale).view_as(weight)
    return through(weight, rounded)


def activations(x, kind):
    return x if kind == "fp32" else by_row(x, ACTIVATION_LARGEST)


def weights(weight, kind):
    return weight if kind == "fp32" else by_row(weight, INT8_LARGEST) if kind == "int8" else by_block(weight)


def embedding(weight, kind):
    """Both quantised variants keep the vocabulary's rows in 8 bits, for both ends of the model."""
    return weight if kind == "fp32" else by_row(weight, INT8_LARGEST)
