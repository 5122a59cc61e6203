export const USAGE = `Usage: npm run demo [-- --for <time>]

Starts the scheduler with sample jobs and prints what happens, until Ctrl-C.

  --for <time>   end by itself after this time, such as 20s, 2m or 500ms, counted from the first line
  --help         show this

PORT (default 3000), HOST and the other variables of .env.example apply; LOG_LEVEL and DATA_DIR do not.`;

export interface DemoOptions {
  /** Undefined: until interrupted. */
  forMs?: number;
  help: boolean;
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000 };
/** Timers cannot be set further ahead. */
const LONGEST_MS = 2 ** 31 - 1;

/** @throws Error in words for the person at the terminal */
export function parseDemoOptions(args: readonly string[]): DemoOptions {
  const options: DemoOptions = { help: false };
  const rest = args.flatMap((arg) =>
    arg.startsWith('--for=') ? ['--for', arg.slice('--for='.length)] : [arg],
  );
  while (rest.length > 0) {
    const arg = rest.shift();
    if (arg === '--help' || arg === '-h') options.help = true;
    else if (arg === '--for') options.forMs = parseTime(rest.shift());
    else throw new Error(`Unknown argument: ${arg}`);
  }
  return options;
}

function parseTime(text: string | undefined): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text ?? '');
  const timeMs = match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : NaN;
  if (timeMs > 0 && timeMs <= LONGEST_MS) return timeMs;
  throw new Error(
    `--for needs a time such as 20s, 2m or 500ms, not ${text === undefined ? 'nothing' : `"${text}"`}`,
  );
}
