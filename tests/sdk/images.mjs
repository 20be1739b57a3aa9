// Hugging Face's client with its own defaults, which sends a picture as the body, against the address that is given; says what it saw as one JSON
// object.
import { readFile } from "node:fs/promises";
import { InferenceClient } from "@huggingface/inference";

const [address, file] = process.argv.slice(2);
const client = new InferenceClient("none", { endpointUrl: `${address}/classify` });
const picture = await readFile(file);

console.log(JSON.stringify({
  typed: await client.imageClassification({ inputs: new Blob([picture], { type: "image/png" }) }),
  untyped: await client.imageClassification({ data: picture.buffer.slice(picture.byteOffset, picture.byteOffset + picture.length) }),
}));
