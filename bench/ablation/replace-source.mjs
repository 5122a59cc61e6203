/** A loader of modules: the one whose address ends with `file` gets `to` in the place of `from`. */
let replacement = null;

export function initialize(data) {
  replacement = data;
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  if (!url.endsWith(`/dist/${replacement.file}`)) return loaded;
  const source = String(loaded.source);
  const parts = source.split(replacement.from);
  if (parts.length !== 2)
    throw new Error(`${replacement.file} has ${parts.length - 1} times: ${replacement.from}`);
  return { ...loaded, source: parts.join(replacement.to) };
}
