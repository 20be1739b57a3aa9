// Prints what the runtime's crash reports (JSON files, the arguments) say: the managed threads, and at the end the one that crashed.
import { existsSync, readFileSync } from "node:fs";

const line = frame => `      ${frame.method_name ?? frame.unmanaged_name ?? `+${frame.native_image_offset}`} (${frame.filename ?? frame.native_module ?? "?"})`;

// The top of a stack tells where it was.
const top = frames => frames.slice(0, 20);

for (const file of process.argv.slice(2).filter(existsSync)) {
  const { payload, parameters } = JSON.parse(readFileSync(file, "utf8"));
  const threads = payload.threads.toSorted((a, b) => (a.crashed === "true") - (b.crashed === "true"));
  for (const thread of threads) {
    const crashed = thread.crashed === "true";
    const frames = top(thread.stack_frames.filter(frame => frame.method_name || crashed));
    if (crashed) console.log(`Crash of ${payload.process_name}, .NET ${payload.configuration.version}, ${JSON.stringify(parameters)}`);
    if (frames.length > 0) console.log(`   thread ${thread.native_thread_id}${crashed ? ", which crashed" : ""}\n${frames.map(line).join("\n")}`);
  }
}
