/** An instance that is silent for this many heartbeat intervals is dead. It may miss two heartbeats. */
export const SILENT_INTERVALS = 3;

/** How long the API still shows an instance that stopped or died. */
export const ENDED_KEPT_HOURS = 24;
