/** What `orchestrator --help` prints. */
export const HELP = `Connects a Claude Code web UI on this machine to your hub.

  orchestrator connect [options]                   one that runs already
  orchestrator connect [options] -- <command>      starts one, connects it, ends with it

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
