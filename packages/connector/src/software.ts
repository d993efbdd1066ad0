/** What this program calls itself at the hub. */
export const SOFTWARE = { name: "ai-orchestrator-connector", version: "0.1.0" };
