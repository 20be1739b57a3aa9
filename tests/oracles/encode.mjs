// Hugging Face's own library: reads one JSON value per line from standard input, a text or a pair of them, and writes its ids and token types as
// [ids, types] per line.
// node encode.mjs <tokenizer.json> [<longest> <left|right>]
import { createInterface } from "node:readline";
import { Tokenizer } from "@anush008/tokenizers";

const [path, longest, direction] = process.argv.slice(2);
const tokenizer = Tokenizer.fromFile(path);
tokenizer.disablePadding();
if (longest) tokenizer.setTruncation(Number(longest), { strategy: "LongestFirst", direction: direction, stride: 0 });
else tokenizer.disableTruncation();

for await (const line of createInterface({ input: process.stdin })) {
  const [first, second] = [JSON.parse(line)].flat();
  const encoded = await tokenizer.encode(first, second ?? null, { addSpecialTokens: true });
  process.stdout.write(JSON.stringify([encoded.getIds(), encoded.getTypeIds()]) + "\n");
}
