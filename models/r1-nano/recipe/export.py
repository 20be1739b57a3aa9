"""Writes the files that are shipped: config.json, tokenizer files, model.safetensors, the evaluation set and the reference logits."""
import json
import random
import struct

import torch

import bpe
import problems

# DeepSeek-R1's prompt form as a Jinja template; what stands before </think> in earlier answers is dropped.
CHAT_TEMPLATE = (
    "{{ bos_token }}{{ messages | selectattr('role', 'equalto', 'system') | map(attribute='content') | join('\n\n') }}"
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}"
    "{% elif m['role'] == 'assistant' %}{{ '<｜Assistant｜>' + m['content'].split('</think>')[-1] + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}")


def write_safetensors(path, tensors, metadata=None):
    """The safetensors layout: 8 bytes of header length, a JSON header, then the data."""
    header, offset = ({"__metadata__": metadata} if metadata else {}), 0
    kinds = {torch.float32: "F32", torch.int64: "I64"}
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": kinds[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            f.write(tensor.detach().contiguous().numpy().tobytes())


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def write_reference(model, tokenizer, path, seed):
    """Logits of conversations longer than the window, at every position: what the built ONNX must reproduce."""
    rng, tensors = random.Random(seed + 2), {}
    for i in range(3):
        ids = [bpe.BOS]
        while len(ids) < 90:
            p = problems.draw(rng, rng.choice(list(problems.FAMILIES)), held_out=True)
            ids += [bpe.USER, *tokenizer.encode(p.question), bpe.ASSISTANT, *tokenizer.encode(p.thought + p.answer), bpe.EOS]
        with torch.no_grad():
            tensors[f"{i}.logits"] = model(torch.tensor([ids[:90]]))[0]
        tensors[f"{i}.input_ids"] = torch.tensor(ids[:90])
    write_safetensors(path, tensors)


def write_files(model, tokenizer, folder, seed):
    model.eval()
    config = {**model.config, "bos_token_id": bpe.BOS, "eos_token_id": bpe.EOS, "pad_token_id": bpe.PAD}
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {
        "bos_token_id": bpe.BOS, "eos_token_id": bpe.EOS, "pad_token_id": bpe.PAD, "do_sample": True, "temperature": 0.6, "top_p": 0.95})
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bpe.SPECIALS[bpe.BOS], "eos_token": bpe.SPECIALS[bpe.EOS],
        "pad_token": bpe.SPECIALS[bpe.PAD], "add_bos_token": False, "model_max_length": model.config["max_position_embeddings"],
        "chat_template": CHAT_TEMPLATE})
    tokenizer.save(folder / "tokenizer.json")
    write_safetensors(folder / "model.safetensors", dict(model.state_dict()), {"format": "pt"})
    with open(folder / "evaluation.jsonl", "w", encoding="utf-8") as f:
        for p in problems.evaluation_set(400, seed + 1):
            f.write(json.dumps({"family": p.family, "prompt": p.question, "answer": p.answer}, ensure_ascii=False) + "\n")
    (folder / "reference").mkdir(exist_ok=True)
    write_reference(model, tokenizer, folder / "reference" / "logits.safetensors", seed)
