// The chat templates that Hugging Face's ollama-utils ships, one {name, template} per line. They lie in a source file that the package does not export.
import { readFileSync } from "node:fs";

const path = new URL("node_modules/@huggingface/ollama-utils/src/chat-template-automap.ts", import.meta.url);
const source = readFileSync(path, "utf8");
const list = source.slice(source.indexOf("= [", source.indexOf("OLLAMA_CHAT_TEMPLATE_MAPPING")) + 1).replace(/;\s*$/, "");
for (const { model, gguf } of new Function(`return ${list}`)()) {
  process.stdout.write(JSON.stringify({ name: model, template: gguf }) + "\n");
}
