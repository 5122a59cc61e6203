/** Texts whose results are kept, twice as many for a while. */
const MAX_REMEMBERED = 1_000;

/** Longer texts are not kept: with URLs of full length it is some megabytes, and with whatever a client sends no more. */
const MAX_LENGTH = 2_048;

/**
 * The same function, which keeps what it has found for the texts it was given last: for what is asked of the few same
 * texts with every call, such as the URL of a job.
 *
 * @param find must depend on the text alone, and its result must not be changed by whoever gets it
 */
export function remember<T>(find: (text: string) => T): (text: string) => T {
  let recent = new Map<string, T>();
  let older = new Map<string, T>();
  return (text) => {
    if (text.length > MAX_LENGTH) return find(text);
    const known = recent.get(text);
    if (known !== undefined || recent.has(text)) return known as T;
    const result = older.has(text) ? (older.get(text) as T) : find(text);
    if (recent.size >= MAX_REMEMBERED) {
      older = recent;
      recent = new Map();
    }
    recent.set(text, result);
    return result;
  };
}
