/** What `orchestrator --help` prints. */
export const HELP = `Connects a Claude Code web UI on this machine to your hub.

  orchestrator connect <hub> [options]             one that runs already
  orchestrator connect <hub> [options] -- <command>
                                                   starts one, connects it, ends with it

Without a token it shows a code, which you approve at the hub. Hub and token are
kept; the next time "orchestrator connect" is enough.

  orchestrator status [--json]                     connectors of yours that run here
  orchestrator disconnect [--forget]               ends them, until you connect again;
                                                   --forget also drops the token
  orchestrator config [--json] [options]           what is in force and where it came from
  orchestrator service install|status|uninstall    connects whenever you are signed in

Options
  --url <address>      the hub, the same as <hub>
  --token <token>      an instance token of the hub. Better in ORCHESTRATOR_TOKEN:
                       every user of this machine can read command lines
  --target <address>   the web UI, always on this machine. Without it a running
                       claudecodeui is found by itself
  --client-id <id>     who this instance is to the hub. Without it one is made
                       and kept for each local port
  --name <name>        the host name to show. Default: this machine's
  --project <path>     the project to show. Default: the current folder
  --github-users <logins>, --github-org <login>, --github-team <org/slug>
                       who may use this instance: nobody beside them
  --reconnect-interval <ms>, --heartbeat-interval <ms>
                       longest pause between attempts, pause between heartbeats
  --allow-other-user   also connects to a hub at http:// that another user of
                       this machine runs
  --config <file>      another config file
  --background         as the service does: waits for a web UI, and ends at once
                       where "orchestrator disconnect" was said
  --pair               asks for a new token, whatever token there is
  --no-qr              draws no QR code of the link
  -h, --help           this
  -v, --version        the version

Each setting is also a variable (ORCHESTRATOR_URL, ORCHESTRATOR_GITHUB_ORG) and a
key in the config file (url, github_org). Options go before variables, and
variables before the file. "orchestrator config" names the file.

Sent away from the dashboard it keeps running, and asks every minute whether
it may return.

Exit codes
  0  done, or ended by Ctrl-C, a signal or orchestrator disconnect
  1  something unexpected
  2  wrong options or settings
  3  no web UI found; status: nothing runs
  4  the hub refused the token or told this instance to stay away for good, or
     nobody approved the code
  With a command after --, its own exit code instead of 0.
`;
