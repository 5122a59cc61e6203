/** Where this folder tells what it does: a constant message and fields, as the logger's own methods take them. */
export type DatabaseLog = (message: string, fields?: Record<string, unknown>) => void;
