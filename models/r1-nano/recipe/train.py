#!/usr/bin/python3
"""Trains r1-nano and writes the files beside this folder: one command, resumable, fixed seeds.

    apt-get install python3-torch libopenblas0-pthread
    python3 models/r1-nano/recipe/train.py          (less than two hours on 2 cores)

The last phase goes on with a small rate in the number formats of the built variants, taking turns, so that one set of
weights serves them all.

Interrupted, the same command goes on from the last checkpoint in recipe/.work (not committed). Every step draws its
own problems from a generator seeded with the step number, so a resumed run sees what an uninterrupted one would.
"""
import argparse
import math
import os
import pathlib
import random
import time

# OpenMP's and OpenBLAS's threads would otherwise spin against each other for the two cores: three times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from torch.nn import functional as F

import bpe
import problems
import quantise
from export import write_files
from model import CONFIG, Decoder

HERE = pathlib.Path(__file__).resolve().parent
SEED, VOCABULARY, WARMUP, PEAK_RATE, QUANTISED_RATE, MAX_TOKENS = 20261123, 900, 100, 3e-3, 5e-4, 224
SYSTEMS = ["You are a helpful assistant.", "Answer briefly.", "You are a careful calculator.", "你是一个有用的助手。"]


def learn_tokenizer():
    rng = random.Random(SEED)
    drawn = [problems.draw_training(rng) for _ in range(6000)]
    return bpe.Tokenizer(*bpe.learn("\n".join([t for p in drawn for t in (p.question, p.thought, p.answer)] + SYSTEMS * 20), VOCABULARY))


def conversation(rng, tokenizer):
    """Ids and loss mask of one conversation in DeepSeek-R1's prompt form; thoughts of earlier turns are dropped, as its template does."""
    ids = [bpe.BOS]
    if rng.random() < 0.06:
        ids += tokenizer.encode(rng.choice(SYSTEMS))
    while rng.random() < 0.08:
        earlier = problems.draw_training(rng)
        ids += [bpe.USER, *tokenizer.encode(earlier.question), bpe.ASSISTANT, *tokenizer.encode(earlier.answer), bpe.EOS]
    problem = problems.draw_training(rng)
    ids += [bpe.USER, *tokenizer.encode(problem.question), bpe.ASSISTANT, bpe.THINK, *tokenizer.encode("\n")]
    learnt = tokenizer.encode(problem.thought + "\n") + [bpe.END_THINK] + tokenizer.encode("\n\n" + problem.answer) + [bpe.EOS]
    return (ids + learnt, len(ids)) if len(ids) + len(learnt) <= MAX_TOKENS else conversation(rng, tokenizer)


def batches(step, tokenizer, size):
    """The step's conversations, in micro-batches of similar length so that little is padding."""
    rng = random.Random(SEED * 1_000_003 + step)
    drawn = sorted((conversation(rng, tokenizer) for _ in range(size)), key=lambda c: len(c[0]))
    for part in range(0, size, size // 4):
        rows = drawn[part:part + size // 4]
        longest = len(rows[-1][0])
        ids = torch.full((len(rows), longest), bpe.PAD)
        labels = torch.full((len(rows), longest), -100)
        for i, (tokens, prompt) in enumerate(rows):
            ids[i, :len(tokens)] = torch.tensor(tokens)
            labels[i, prompt:len(tokens)] = torch.tensor(tokens[prompt:])
        yield ids[:, :-1], labels[:, 1:]


# INT4 is furthest from what the weights were trained for.
TURNS = ("int4", "int8", "int4", "fp32")


def quantised_rate(step, steps):
    return QUANTISED_RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def rate(step, steps):
    return PEAK_RATE * (step / WARMUP if step < WARMUP else 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (steps - WARMUP))))


def answers(model, tokenizer, asked):
    """Greedy answers, for a look while training; the evaluation proper is `r1 model evaluate`."""
    model.eval()
    texts = []
    with torch.no_grad():
        for p in asked:
            ids = [bpe.BOS, bpe.USER, *tokenizer.encode(p.question), bpe.ASSISTANT, bpe.THINK, *tokenizer.encode("\n")]
            start = len(ids)
            while len(ids) < MAX_TOKENS and ids[-1] != bpe.EOS:
                ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
            texts.append(tokenizer.decode(ids[start:]).split("</think>")[-1].replace(bpe.SPECIALS[bpe.EOS], "").strip())
    model.train()
    return texts


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", type=int, default=4000)
    options.add_argument("--quantised-steps", type=int, default=800)
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--out", type=pathlib.Path, default=HERE.parent)
    options.add_argument("--work", type=pathlib.Path, default=HERE / ".work")
    o = options.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(SEED)
    for folder in (o.work, o.out):
        folder.mkdir(exist_ok=True, parents=True)
    tokenizer = learn_tokenizer()
    model = Decoder({**CONFIG, "vocab_size": len(tokenizer.vocabulary)})
    decayed = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}], lr=PEAK_RATE, betas=(0.9, 0.98))
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(tokenizer.vocabulary)} tokens", flush=True)
    checkpoint, first = o.work / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
        print(f"resumed at step {first}", flush=True)
    began = time.time()
    last = o.steps + o.quantised_steps
    for step in range(first, last):
        quantised = step - o.steps
        model.compute_as("fp32" if quantised < 0 else TURNS[quantised % len(TURNS)])
        for group in optimizer.param_groups:
            group["lr"] = rate(step, o.steps) if quantised < 0 else quantised_rate(quantised, o.quantised_steps)
        losses, parts = 0.0, list(batches(step, tokenizer, o.batch))
        learnt = sum(int((labels != -100).sum()) for _, labels in parts)
        for ids, labels in parts:
            wanted = labels != -100
            loss = F.cross_entropy(model(ids, wanted), labels[wanted], reduction="sum") / learnt
            loss.backward()
            losses += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0 or step == last - 1:
            per_step = (time.time() - began) / (step - first + 1)
            print(f"step {step:5d}  loss {losses:.4f}  {per_step:.2f} s/step  {per_step * (last - step) / 60:.0f} min left", flush=True)
        if step % 200 == 199 or step == last - 1:
            saved = checkpoint.with_suffix(".new")
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}, saved)
            saved.replace(checkpoint)
        if step % 400 == 399:
            asked = problems.evaluation_set(15, SEED + 1)
            for kind in quantise.KINDS if quantised >= 0 else ("fp32",):
                model.compute_as(kind)
                given = answers(model, tokenizer, asked)
                right = {f: sum(a == p.answer for a, p in zip(given, asked) if p.family == f) for f in problems.FAMILIES}
                print(f"  {kind}, right of 15: {right}", flush=True)
    model.compute_as("fp32")
    write_files(model, tokenizer, o.out, SEED)


if __name__ == "__main__":
    main()
