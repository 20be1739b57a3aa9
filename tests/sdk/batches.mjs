// Files and batches as OpenAI's documentation does them, against the address that is given; says what it saw as one JSON object.
import OpenAI, { toFile } from "openai";

const [baseURL, lines] = [process.argv[2], Number(process.argv[3])];
const client = new OpenAI({ baseURL, apiKey: "none" });
const endpoint = "/v1/chat/completions";
const pause = () => new Promise((resolve) => setTimeout(resolve, 100));

const sums = (count) => Array.from({ length: count }, (_, i) => JSON.stringify({
  custom_id: `sum-${i}`, method: "POST", url: endpoint,
  body: { model: "r1-nano", temperature: 0, messages: [{ role: "user", content: `What is ${50 + i} + ${50 + i}?` }] },
})).join("\n") + "\n";

const input = sums(lines);

const all = async (page) => {
  const ids = [];
  for await (const one of page) ids.push(one.id);
  return ids;
};

const ended = async (id) => {
  for (;;) {
    const batch = await client.batches.retrieve(id);
    if (["completed", "failed", "expired", "cancelled"].includes(batch.status)) return batch;
    await pause();
  }
};

const file = await client.files.create({ file: await toFile(Buffer.from(input), "sums.jsonl"), purpose: "batch" });
const created = await client.batches.create({ input_file_id: file.id, endpoint, completion_window: "24h", metadata: { why: "test" } });
const batch = await ended(created.id);
const output = await (await client.files.content(batch.output_file_id)).text();
const answers = output.trim().split("\n").map((line) => JSON.parse(line));

// So many that it is still running when it is cancelled.
const many = await client.files.create({ file: await toFile(Buffer.from(sums(1000)), "many.jsonl"), purpose: "batch" });
const other = await client.batches.create({ input_file_id: many.id, endpoint, completion_window: "1h" });
const cancelling = await client.batches.cancel(other.id);
const cancelled = await ended(other.id);

const seen = {
  file: [file.object, file.purpose, file.filename, file.bytes === Buffer.byteLength(input), (await client.files.retrieve(file.id)).id === file.id],
  created: [created.object, created.status, created.metadata.why],
  status: batch.status, counts: batch.request_counts, errorFile: batch.error_file_id ?? null,
  ids: answers.map((line) => line.custom_id),
  texts: answers.map((line) => line.response.body.choices[0].message.content.trim()),
  listed: (await all(client.batches.list({ limit: 1 }))).join() === [other.id, batch.id].join(),
  files: (await all(client.files.list({ purpose: "batch" }))).includes(file.id),
  cancelling: cancelling.status, cancelled: cancelled.status,
  deleted: [(await client.files.delete(batch.output_file_id)).deleted, (await client.files.delete(file.id)).deleted],
  gone: await client.files.retrieve(file.id).then(() => "there", (fault) => `${fault.constructor.name} ${fault.status} ${fault.code}`),
};
console.log(JSON.stringify(seen));
