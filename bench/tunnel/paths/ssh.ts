import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";
import { freePort } from "../../../e2e/port.ts";
import { type Child, startChild, untilListening } from "../children.ts";
import { temporaryFolder } from "../folder.ts";
import { processTree } from "../processes.ts";
import { ssh as client, sshd } from "../tools.ts";
import type { Path } from "./path.ts";

/**
 * `ssh -R`, as people use it to show a program of their machine on another: OpenSSH's defaults for ciphers and compression, a server of
 * its own with keys of its own.
 */
export const ssh: Path = {
  name: "ssh",
  title: "ssh -R",
  start: async (target) => {
    const folder = temporaryFolder("ssh");
    const [serverPort, port] = [await freePort(), await freePort()];
    const server = await startServer(folder, serverPort);
    const forward = `127.0.0.1:${port}:127.0.0.1:${target.port}`;
    const remote = startChild(client.program, [
      ...clientOptions(folder, serverPort),
      "-N",
      "-R",
      forward,
      "127.0.0.1",
    ]);
    try {
      await untilListening(port, remote);
    } catch (error) {
      throw new Error(`${String(error)}\nsshd said:\n${server.printed()}`, { cause: error });
    }
    const host = `127.0.0.1:${port}`;
    return {
      port,
      prefix: "",
      headers: { host },
      origin: `http://${host}`,
      processes: () => [...processTree("sshd", server.pid), ...processTree("ssh", remote.pid)],
      stop: async () => {
        await remote.stop();
        await server.stop();
      },
    };
  },
};

async function startServer(folder: string, port: number): Promise<Child> {
  for (const name of ["host", "user"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path.join(folder, name)]);
  writeFileSync(path.join(folder, "authorized"), readFileSync(path.join(folder, "user.pub")));
  const [type = "", key = ""] = readFileSync(path.join(folder, "host.pub"), "utf8").split(" ");
  writeFileSync(path.join(folder, "known"), `[127.0.0.1]:${port} ${type} ${key}\n`);
  const config = path.join(folder, "sshd_config");
  writeFileSync(config, serverConfiguration(folder, port));
  // Debian makes it when the service starts, which it never does here.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const child = startChild(sshd.program, ["-D", "-e", "-f", config]);
  await untilListening(port, child);
  return child;
}

/** Who may come in, and where from; nothing that bears on speed. */
function serverConfiguration(folder: string, port: number): string {
  return [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${folder}/host`,
    `AuthorizedKeysFile ${folder}/authorized`,
    // The folder is below the system's temporary one, which everybody may write to.
    "StrictModes no",
    "UsePAM no",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin prohibit-password",
    "AllowTcpForwarding remote",
    "PidFile none",
    "MaxSessions 1",
    "",
  ].join("\n");
}

function clientOptions(folder: string, port: number): string[] {
  const options = [
    "IdentitiesOnly=yes",
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    `UserKnownHostsFile=${folder}/known`,
    "ExitOnForwardFailure=yes",
  ];
  const identity = [
    "-F",
    "none",
    "-i",
    path.join(folder, "user"),
    "-l",
    userInfo().username,
    "-p",
    String(port),
  ];
  return [...identity, ...options.flatMap((option) => ["-o", option])];
}
