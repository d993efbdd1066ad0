/** What tells systemd or launchd to keep a connector running: their files, escaped as each of them reads it. Nothing secret is in them. */

export interface ServiceProgram {
  /** Absolute paths: the Node.js to run, and the command `orchestrator`. */
  node: string;
  script: string;
  /** The config file's absolute path. */
  config: string;
  /** What the program needs of today's environment to find the same folders. */
  environment: Readonly<Record<string, string>>;
}

export const UNIT_NAME = "orchestrator.service";
export const AGENT_LABEL = "ai-orchestrator.connector";

function argumentsOf({ node, script, config }: ServiceProgram): string[] {
  return [node, script, "connect", "--background", "--config", config];
}

/** A user unit. Wrong settings and a refusing hub (2 and 4) are not tried again; whoever is told to end stays ended. */
export function systemdUnit(program: ServiceProgram): string {
  const [node = "", ...rest] = argumentsOf(program);
  // systemd looks variables up in arguments, not in the program's path.
  const start = [quoted(node), ...rest.map((argument) => quoted(argument).replaceAll("$", "$$$$"))];
  const environment = Object.entries(program.environment).map(
    ([name, value]) => `Environment=${quoted(`${name}=${value}`)}\n`,
  );
  return `[Unit]
Description=Connects this machine's Claude Code web UI to its hub
After=network-online.target

[Service]
ExecStart=${start.join(" ")}
${environment.join("")}WorkingDirectory=~
Restart=on-failure
RestartSec=30
RestartPreventExitStatus=2 4

[Install]
WantedBy=default.target
`;
}

/** A launch agent. It knows of no final codes: the command ends with 0 for it (cli.ts). `log` is the absolute path of the file for what it prints. */
export function launchAgent(program: ServiceProgram, home: string, log: string): string {
  const strings = argumentsOf(program).map((argument) => `    <string>${xml(argument)}</string>\n`);
  const environment = Object.entries(program.environment).map(
    ([name, value]) => `    <key>${xml(name)}</key>\n    <string>${xml(value)}</string>\n`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${AGENT_LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${strings.join("")}  </array>
  <key>EnvironmentVariables</key>
  <dict>
${environment.join("")}  </dict>
  <key>WorkingDirectory</key>
  <string>${xml(home)}</string>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ThrottleInterval</key>
  <integer>30</integer>
  <key>StandardOutPath</key>
  <string>${xml(log)}</string>
  <key>StandardErrorPath</key>
  <string>${xml(log)}</string>
</dict>
</plist>
`;
}

/** As systemd reads a word: in quotes, with C's escapes, and percent signs doubled. */
function quoted(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll('"', String.raw`\"`)
    // Both end a line there, and what follows would be a directive of its own.
    .replaceAll("\n", String.raw`\n`)
    .replaceAll("\r", String.raw`\r`)
    .replaceAll("%", "%%");
  return `"${escaped}"`;
}

function xml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
