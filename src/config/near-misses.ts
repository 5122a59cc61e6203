/** Endings that people add, drop or swap: `POLL_INTERVAL` and `LEASE_SECONDS` are meant for `…_MS`. */
const UNIT_ENDING = /_?(MS|MILLIS|MILLISECONDS|S|SEC|SECS|SECONDS|MIN|MINUTES|HOURS|DAYS)$/;

/** Below this length two names that differ by a letter are more likely two names (HOST, HOME) than one and its typo. */
const SHORTEST_TYPO = 7;

/**
 * The variable that an unknown name was probably meant to be, or `undefined`. Careful on purpose: an environment
 * holds dozens of foreign names, and a suggestion for one of them would be noise.
 */
export function findNearMiss(unknown: string, known: readonly string[]): string | undefined {
  const squeezed = squeeze(unknown);
  return known.find((name) => {
    const target = squeeze(name);
    if (squeezed === target) return true;
    if (stripUnit(unknown) === stripUnit(name) && UNIT_ENDING.test(name)) return true;
    if (squeezed.length < SHORTEST_TYPO || target.length < SHORTEST_TYPO) return false;
    return editDistance(squeezed, target) <= 2;
  });
}

function squeeze(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, '');
}

function stripUnit(name: string): string {
  return squeeze(name.toUpperCase().replace(UNIT_ENDING, ''));
}

/** Letters to insert, delete or exchange to get from one text to the other (Levenshtein). */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const exchange = a[row - 1] === b[column - 1] ? 0 : 1;
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + exchange,
        ),
      );
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
