/**
 * The most patterns one list may hold. Five classes and a few single statuses are all that anyone needs;
 * the bound keeps a job's row small and the check of each response cheap.
 */
export const MAX_STATUS_PATTERNS = 32;

const LOWEST_STATUS = 100;
const HIGHEST_STATUS = 599;

/** Statuses from `from` to `to`, both included. */
export type StatusRange = { from: number; to: number };

/** What is wrong with a list of patterns: the offending entry, as it was given, and what is allowed. */
export type StatusPatternIssue = { value: string; index: number | null; message: string };

/**
 * Reads one pattern: a status ("200"), a class ("2xx") or a range ("500-599").
 *
 * @returns null where the text is none of these, names a status outside 100 to 599, or is a range that runs backwards
 */
export function parseStatusPattern(pattern: string): StatusRange | null {
  const parts = /^(?:(?<single>\d{3})|(?<class>[1-5])[xX]{2}|(?<from>\d{3})-(?<to>\d{3}))$/.exec(
    pattern,
  )?.groups;
  if (!parts) return null;

  if (parts['class'] !== undefined) {
    const from = Number(parts['class']) * 100;
    return { from, to: from + 99 };
  }
  const from = Number(parts['single'] ?? parts['from']);
  const to = Number(parts['single'] ?? parts['to']);
  return from >= LOWEST_STATUS && to <= HIGHEST_STATUS && from <= to ? { from, to } : null;
}

/** Whether the status is named by at least one of the patterns. A pattern that cannot be read matches nothing. */
export function matchesStatus(patterns: readonly string[], status: number): boolean {
  return patterns.some((pattern) => {
    const range = parseStatusPattern(pattern);
    return range !== null && status >= range.from && status <= range.to;
  });
}

/**
 * Checks a list as a user wrote it: at most {@link MAX_STATUS_PATTERNS} entries, each of them readable.
 *
 * @param list.allowEmpty an empty `retryOn` says "retry no status"; an empty `successStatuses` would say that nothing
 *   can ever succeed, and is refused
 * @returns the first thing wrong, or null
 */
export function checkStatusPatterns(
  patterns: readonly string[],
  list: { allowEmpty: boolean },
): StatusPatternIssue | null {
  if (patterns.length === 0 && !list.allowEmpty) {
    return { value: '', index: null, message: 'At least one status is needed, such as 200 or 2xx.' };
  }
  if (patterns.length > MAX_STATUS_PATTERNS) {
    return {
      value: String(patterns.length),
      index: null,
      message: `At most ${MAX_STATUS_PATTERNS} statuses may be listed; ${patterns.length} are.`,
    };
  }
  const index = patterns.findIndex((pattern) => parseStatusPattern(pattern) === null);
  const value = patterns[index];
  if (value === undefined) return null;
  return {
    value: value.slice(0, 40),
    index,
    message: `"${value.slice(0, 40)}" is no status pattern: use a status (200), a class (2xx) or a range (500-599), from ${LOWEST_STATUS} to ${HIGHEST_STATUS}.`,
  };
}
