// The reference tokenizers: reads one JSON string per line from standard input, writes its ids as a JSON array per line.
// node tokenize.mjs <tokenizer.json>
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { TokenizerLoader } from "@lenml/tokenizers";

const tokenizer = TokenizerLoader.fromPreTrained({
  tokenizerJSON: JSON.parse(readFileSync(process.argv[2], "utf8")),
  tokenizerConfig: { tokenizer_class: "PreTrainedTokenizer" },
});

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(tokenizer.encode(JSON.parse(line), { add_special_tokens: false })) + "\n");
}
