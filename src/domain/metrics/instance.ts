/** Silent for this many heartbeat intervals: dead. Two beats may get lost without anybody being buried. */
export const SILENT_INTERVALS = 3;

/** How long an instance that has stopped, or was found dead, is still shown. */
export const ENDED_KEPT_HOURS = 24;
