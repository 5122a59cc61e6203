type Frames = Partial<{
  requestAnimationFrame: (callback: () => void) => number;
  cancelAnimationFrame: (handle: number) => void;
}>;

/** A page that is hidden gets no frames, and is content with what it hears once a second. */
const WITHOUT_FRAMES_MS = 1_000;

/** How long a frame takes where nothing is drawn, as on Node. */
const UNDRAWN_MS = 16;

/**
 * Calls back once, with the page's next frame; after a second where the page is not drawn.
 *
 * @returns cancels it
 */
export function onNextFrame(callback: () => void): () => void {
  const { requestAnimationFrame, cancelAnimationFrame } = globalThis as Frames;
  const run = () => {
    cancel();
    callback();
  };
  const timer = setTimeout(run, requestAnimationFrame ? WITHOUT_FRAMES_MS : UNDRAWN_MS);
  const frame = requestAnimationFrame?.(run);
  function cancel(): void {
    clearTimeout(timer);
    if (frame !== undefined) cancelAnimationFrame?.(frame);
  }
  return cancel;
}
