// LangChain.js with its own defaults, against the address that is given; says what it saw as one JSON object.
import { ChatOpenAI, OpenAI } from "@langchain/openai";

const [baseURL, model] = process.argv.slice(2);
const settings = { model, apiKey: "none", configuration: { baseURL } };
const chat = new ChatOpenAI(settings);

const answer = await chat.invoke([["system", "be brief"], ["human", "6 * 7?"]]);
// Its own message goes back as it came.
const again = await chat.invoke([["human", "6 * 7?"], answer, ["human", "sure?"]]);
let streamed = "";
for await (const chunk of await chat.stream("6 * 7?")) streamed += chunk.text;
const responses = await new ChatOpenAI({ ...settings, useResponsesApi: true }).invoke("6 * 7?");
const batch = await chat.batch(["6 * 7?", "6 * 7?"]);

const fault = (content) => chat.invoke(content).then(() => "none", (error) => [error.status, error.code]);

console.log(JSON.stringify({
  text: answer.text, total: answer.usage_metadata.total_tokens, again: again.text, streamed, responses: responses.text,
  batch: batch.map((one) => one.text), completion: await new OpenAI(settings).invoke("6 * 7?"),
  late: await fault("late"), cancelled: await fault("cancelled"),
}));
