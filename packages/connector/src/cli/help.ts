/** What `orchestrator --help` prints. */
export const HELP = `Connects a Claude Code web UI on this machine to your hub.

  orchestrator connect <hub> [options]             one that runs already
  orchestrator connect <hub> [options] -- <command>
                                                   starts one, connects it, ends with it

Without a token it shows a code, which you approve at the hub. Hub and token are
kept; the next time "orchestrator connect" is enough.

Options
  --url <address>      the hub (ORCHESTRATOR_URL)
  --token <token>      an instance token of the hub. Better in ORCHESTRATOR_TOKEN:
                       every user of this machine can read command lines
  --target <address>   the web UI, always on this machine. Without it a running
                       claudecodeui is found by itself
  --client-id <id>     who this instance is to the hub (ORCHESTRATOR_CLIENT_ID).
                       Without it one is made and kept for each local port
  --name <name>        the host name to show. Default: this machine's
  --project <path>     the project to show. Default: the current folder
  ORCHESTRATOR_ALLOW_OTHER_USER=1
                       also connects to a hub at http:// that another user of
                       this machine runs
  --pair               asks for a new token, whatever token there is
  --no-qr              draws no QR code of the link
  -h, --help           this
  -v, --version        the version

Sent away from the dashboard it keeps running, and asks every minute whether
it may return.

Exit codes
  0  ended by Ctrl-C or a signal
  1  something unexpected
  2  wrong options or settings
  3  no web UI found
  4  the hub refused the token or told this instance to stay away for good
  With a command after --, its own exit code instead of 0.
`;
