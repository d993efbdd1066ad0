/** The hub as it names itself: to connectors, in /health, on its pages. */
export const HUB_SOFTWARE = { name: "ai-orchestrator-hub", version: "0.1.0" } as const;
