// Plain JavaScript, because it must still run, and say what is wrong, on a Node that cannot run the rest.
const needed = { major: 22, minor: 18 };

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < needed.major || (major === needed.major && minor < needed.minor)) {
  console.error(
    `This needs Node ${needed.major}.${needed.minor} or newer and runs on ${process.versions.node}.\n` +
      "On Linux and Windows `npm ci` brings its own Node: start through npm (`npm start`), after `npm ci` without --omit=optional.\n" +
      "On macOS install a newer Node from https://nodejs.org and try again.",
  );
  process.exit(1);
}

const { start } = await import("./start.ts");
process.exitCode = await start({ demo: process.argv[2] === "demo" });
