"use strict";
Object.assign(window.orchestrator, {});
