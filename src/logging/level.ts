/** The levels, most urgent first. `error` means that someone must act; a failing target is `info`. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];
