// What tests need of Azurite that it does not offer, loaded before it (node --require).

// A clock that they move: a line with milliseconds on the standard input sets it ahead by so many more, and is answered with a line.
const real = Date;
let ahead = 0;
globalThis.Date = new Proxy(real, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length ? args : [real.now() + ahead], newTarget === Date ? target : newTarget),
    get: (target, name) => (name === "now" ? () => real.now() + ahead : Reflect.get(target, name)),
});
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
    ahead += Number(line);
    console.log(`ahead by ${ahead}`);
});

// It ends, and saves what it holds, when whoever started it closes the pipe to it, or ends by force.
process.stdin.on("close", () => process.kill(process.pid, "SIGTERM"));
