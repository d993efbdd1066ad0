export const HELP = `Who may use the hub, for its administrators.

  npm run access -- list
  npm run access -- add <kind> <name> [--role admin]
  npm run access -- remove <kind> <name or id>
  npm run access -- why <login or id>
  npm run access -- audit [--action <word>] [--person <login>] [--limit <n>] [--before <id>]

<kind> is organization, team or user. <name> is as at GitHub: acme, acme/core, octocat. Where the hub cannot ask GitHub
for its id, write that too: acme:9919.

  --json   what the hub's API answers, for programs
  --help   this

Without more it works on the hub that runs on this machine (npm start). For another one:

  ORCHESTRATOR_URL          its address, e.g. https://hub.example.com
  ORCHESTRATOR_ADMIN_TOKEN  a token with the scope "admin", from its page for tokens
  ORCHESTRATOR_STATE        the local hub's state folder, where it is not the usual one

Exit codes: 0 done, 1 unexpected, 2 wrong use, 3 no hub there, 4 refused by the hub.
`;
