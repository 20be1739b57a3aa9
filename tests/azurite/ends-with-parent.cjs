// Azurite ends when whoever started it does, even by force: the pipe to it closes.
process.stdin.on("close", () => process.exit()).resume();
