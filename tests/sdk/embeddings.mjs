// OpenAI's client with its own defaults (vectors as base64), and calls as text-embeddings-inference's clients make them, against the address that is
// given; says what it saw as one JSON object.
import OpenAI from "openai";

const [address, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: "none" });
const post = async (path, body) =>
  (await fetch(address + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();

const usual = await client.embeddings.create({ model, input: ["a b", "a"] });
const floats = await client.embeddings.create({ model, input: "a b", encoding_format: "float" });
const cut = await client.embeddings.create({ model, input: "a b", dimensions: 2 });
const ranks = await post("/rerank", { query: "a", texts: ["b", "c"], raw_scores: false, return_text: false, truncate: true });
const labels = await post("/classify", { inputs: "a", raw_scores: false, truncate: true });

console.log(JSON.stringify({
  usual: usual.data.map((one) => [...one.embedding]), floats: floats.data[0].embedding, cut: [...cut.data[0].embedding],
  tokens: usual.usage.total_tokens, ranks: ranks.map((one) => one.index), label: labels[0].label,
  fault: await client.embeddings.create({ model, input: "a", dimensions: 9 })
    .then(() => "none", (error) => [error.constructor.name, error.status, error.param]),
}));
