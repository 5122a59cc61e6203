const LOOK_EVERY_MS = 500;

/** How much younger than at the last look the newest event must be to show that the feed is still catching up. */
const GAINED_MS = 250;

/**
 * Calls back when a feed has caught up. A feed that reads what it has missed runs through it faster than it happened, so
 * the age of its newest event shrinks. Once the age no longer shrinks, the feed is live. No two clocks are compared: one
 * that is wrong is as wrong at each look.
 *
 * @param newestAt when the newest event happened, in milliseconds; NaN where the document does not tell, which counts as live
 * @returns ends the watch
 */
export function watchCatchUp(newestAt: () => number, onCaughtUp: () => void): () => void {
  let lastAgeMs = Infinity;
  const timer = setInterval(() => {
    const ageMs = Date.now() - newestAt();
    const isGaining = ageMs < lastAgeMs - GAINED_MS;
    lastAgeMs = ageMs;
    if (isGaining) return;
    clearInterval(timer);
    onCaughtUp();
  }, LOOK_EVERY_MS);
  return () => {
    clearInterval(timer);
  };
}
