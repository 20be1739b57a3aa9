// OpenAI's client with its own defaults, against the address that is given; says what it saw as one JSON object.
import OpenAI from "openai";

const [baseURL, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none" });
const ask = [{ role: "user", content: "6 * 7?" }];

const chat = await client.chat.completions.create({ model, messages: ask });
// Its own message goes back as it came.
const again = await client.chat.completions.create({ model, messages: [...ask, chat.choices[0].message, ...ask] });
const streamed = { text: "", reasoning: "" };
for await (const { choices: [choice] } of await client.chat.completions.create({ model, messages: ask, stream: true })) {
  streamed.text += choice?.delta.content ?? "";
  streamed.reasoning += choice?.delta.reasoning_content ?? "";
}

const completion = await client.completions.create({ model, prompt: ["a", [1, 2]], n: 2, logprobs: 2 });
const response = await client.responses.create({ model, input: "6 * 7?" });
const final = await client.responses.stream({ model, input: "6 * 7?" }).finalResponse();

const fault = (work) => work.then(() => "none", (error) => [error.constructor.name, error.status, error.code]);

console.log(JSON.stringify({
  chat: chat.choices[0].message.content, again: again.choices[0].message.content, streamed,
  texts: completion.choices.map((choice) => choice.text), response: response.output_text, types: final.output.map((item) => item.type),
  final: final.output.at(-1).content[0].text, total: final.usage.total_tokens,
  late: await fault(client.chat.completions.create({ model, messages: [{ role: "user", content: "late" }] })),
  cancelled: await fault(client.chat.completions.create({ model, messages: [{ role: "user", content: "cancelled" }] })),
}));
