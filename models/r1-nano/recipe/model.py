"""The Qwen2 decoder in PyTorch, with Hugging Face's parameter names, and a sliding window in the layers that config.json names."""
import torch
from torch import nn
from torch.nn import functional as F

import quantise

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2",
    "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
    "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "max_position_embeddings": 4096,
    "use_sliding_window": True, "sliding_window": 32,
    "layer_types": ["sliding_attention", "sliding_attention", "full_attention", "full_attention"],
    "tie_word_embeddings": True, "attention_dropout": 0.0, "initializer_range": 0.02, "torch_dtype": "float32", "use_cache": True,
}


class Linear(nn.Linear):
    """A linear layer that computes as the variant of its `kind` does."""
    kind = "fp32"

    def forward(self, x):
        return F.linear(quantise.activations(x, self.kind), quantise.weights(self.weight, self.kind), self.bias)


class RmsNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


class Attention(nn.Module):
    def __init__(self, c, window):
        super().__init__()
        self.heads, self.kv_heads, self.size = c["num_attention_heads"], c["num_key_value_heads"], c["hidden_size"] // c["num_attention_heads"]
        self.window = window
        self.q_proj = Linear(c["hidden_size"], self.heads * self.size)
        self.k_proj = Linear(c["hidden_size"], self.kv_heads * self.size)
        self.v_proj = Linear(c["hidden_size"], self.kv_heads * self.size)
        self.o_proj = Linear(self.heads * self.size, c["hidden_size"], bias=False)

    def forward(self, x, cos, sin, masks):
        rows, length, _ = x.shape
        q = self.q_proj(x).view(rows, length, self.heads, self.size).transpose(1, 2)
        k = self.k_proj(x).view(rows, length, self.kv_heads, self.size).transpose(1, 2)
        v = self.v_proj(x).view(rows, length, self.kv_heads, self.size).transpose(1, 2)
        q, k = rotate(q, cos, sin) * self.size ** -0.5, rotate(k, cos, sin)
        # The query heads of a group are stacked along the rows of one product, so that keys and values are never repeated.
        grouped = q.reshape(rows, self.kv_heads, -1, self.size)
        scores = (grouped @ k.transpose(-1, -2)).view(rows, self.kv_heads, -1, length, length) + masks[self.window]
        mixed = scores.softmax(-1).view(rows, self.kv_heads, -1, length) @ v
        return self.o_proj(mixed.view(rows, self.heads, length, self.size).transpose(1, 2).reshape(rows, length, -1))


class Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c, window):
        super().__init__()
        self.self_attn, self.mlp = Attention(c, window), Mlp(c)
        self.input_layernorm = RmsNorm(c["hidden_size"], c["rms_norm_eps"])
        self.post_attention_layernorm = RmsNorm(c["hidden_size"], c["rms_norm_eps"])

    def forward(self, x, cos, sin, masks):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, masks)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """`model.` in Hugging Face's names; logits come from the tied embedding."""

    def __init__(self, c):
        super().__init__()
        self.config, self.kind = c, "fp32"
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.model.layers = nn.ModuleList(
            Layer(c, c["sliding_window"] if kind == "sliding_attention" else None) for kind in c["layer_types"])
        self.model.norm = RmsNorm(c["hidden_size"], c["rms_norm_eps"])
        for name, p in self.named_parameters():
            if p.dim() == 2:
                scale = c["initializer_range"] * (1 if "o_proj" not in name and "down_proj" not in name else (2 * len(c["layer_types"])) ** -0.5)
                nn.init.normal_(p, 0, scale)
            elif "bias" in name:
                nn.init.zeros_(p)

    def compute_as(self, kind):
        """From now on in the number format of that variant: one of quantise.KINDS."""
        self.kind = kind
        for module in self.modules():
            if isinstance(module, Linear):
                module.kind = kind

    def forward(self, ids, wanted=None):
        """Logits [positions, vocabulary] where `wanted` (a mask of ids' shape) is set, or [rows, length, vocabulary] everywhere."""
        length, c = ids.shape[1], self.config
        size = c["hidden_size"] // c["num_attention_heads"]
        frequencies = c["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
        angles = torch.arange(length, dtype=torch.float32)[:, None] * torch.cat((frequencies, frequencies))
        cos, sin = angles.cos(), angles.sin()
        distance = torch.arange(length)[:, None] - torch.arange(length)[None]
        masks = {w: torch.zeros(length, length).masked_fill((distance < 0) | (distance >= (w or length)), -1e9)
                 for w in (None, c["sliding_window"])}
        vocabulary = quantise.embedding(self.model.embed_tokens.weight, self.kind)
        x = F.embedding(ids, vocabulary)
        for layer in self.model.layers:
            x = layer(x, cos, sin, masks)
        if wanted is not None:
            x = x[wanted]
        return F.linear(quantise.activations(self.model.norm(x), self.kind), vocabulary)
