// Hugging Face's renderer of chat templates: reads a JSON string per line, itself JSON of {template, variables}; writes {text} or {error} per line.
import { createInterface } from "node:readline";
import { Template } from "@huggingface/jinja";

const templates = new Map();

function parsed(source) {
  if (!templates.has(source)) templates.set(source, new Template(source));
  return templates.get(source);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { template, variables } = JSON.parse(JSON.parse(line));
  let answer;
  try {
    answer = { text: parsed(template).render(variables) };
  } catch (error) {
    answer = { error: String(error.message) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
