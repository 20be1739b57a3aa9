// Azurite ends, and saves what it holds, when whoever started it closes the pipe to it, or ends by force.
process.stdin.on("close", () => process.kill(process.pid, "SIGTERM")).resume();
