// The AI SDK with its own defaults, against the address that is given; says what it saw as one JSON object.
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, streamText } from "ai";

// They would stand among the output.
globalThis.AI_SDK_LOG_WARNINGS = false;

const [baseURL, model] = process.argv.slice(2);
const provider = createOpenAI({ baseURL, apiKey: "none" });
const prompt = "6 * 7?";

// Its default is /v1/responses.
const answer = await generateText({ model: provider(model), system: "be brief", prompt });
const talk = await generateText({
  model: provider(model), providerOptions: { openai: { store: false } },
  messages: [{ role: "user", content: prompt }, ...answer.response.messages, { role: "user", content: "sure?" }],
});

const stream = async (options) => {
  const seen = { text: "", reasoning: "", errors: [] };
  for await (const part of streamText({ onError: () => {}, ...options }).fullStream) {
    if (part.type === "text-delta") seen.text += part.text;
    if (part.type === "reasoning-delta") seen.reasoning += part.text;
    if (part.type === "error") seen.errors.push(String(part.error));
    if (part.type === "finish") seen.total = part.totalUsage.totalTokens;
  }
  return seen;
};

const fault = (content, chosen) => generateText({ model: chosen, prompt: content })
  .then(() => "none", (error) => [error.name, error.statusCode ?? null, error.data?.error?.code ?? null]);

console.log(JSON.stringify({
  text: answer.text, finish: answer.finishReason, total: answer.usage.totalTokens, reasoning: answer.reasoningText, talk: talk.text,
  streamed: await stream({ model: provider(model), prompt }),
  chat: (await generateText({ model: provider.chat(model), prompt })).text,
  chatStreamed: await stream({ model: provider.chat(model), prompt }),
  completion: (await generateText({ model: provider.completion(model), prompt })).text,
  late: await fault("late", provider(model)), cancelled: await fault("cancelled", provider.chat(model)),
}));
