// Unicode normalization form C by the JavaScript engine: a JSON string per line in, a JSON string per line out.
import { createInterface } from "node:readline";

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(JSON.parse(line).normalize("NFC")) + "\n");
}
