/** A text without its percent-escapes. A text with a lone % has no escapes and comes back as it is. */
export function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
