/** How long others wait at most. */
const SLICE_MS = 10;
/** More computing than any answer is worth. */
const MAX_COMPUTING_MS = 3_000;

/**
 * Runs a long computation to its end, in slices between which others have their turn.
 *
 * @returns null where it has taken too long, and was left
 */
export async function inSlices<T>(work: Generator<void, T, undefined>): Promise<T | null> {
  let computedMs = 0;
  for (let startedMs = performance.now(); ;) {
    const step = work.next();
    if (step.done === true) return step.value;
    const sliceMs = performance.now() - startedMs;
    if (sliceMs < SLICE_MS) continue;
    computedMs += sliceMs;
    if (computedMs > MAX_COMPUTING_MS) return null;
    await new Promise((resolve) => setImmediate(resolve));
    startedMs = performance.now();
  }
}
